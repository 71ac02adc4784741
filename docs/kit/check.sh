#!/usr/bin/env bash
# Checks one delivery of auditcast: check.sh HEADERS BODY [STATE]. Needs bash, openssl 3 and gzip.
#
# HEADERS is a file of lines "Name: value", BODY the bytes as they came. One of WEBHOOK_SECRET (whsec_…) and
# WEBHOOK_PUBLIC_KEY (whpk_…) is in the environment. Prints "genuine", or with STATE, a folder that remembers what came:
#   next      it follows what is here
#   early     a batch before it is still to come: keep it
#   apart     a test, a part or a manifest, which have no place in the sequence: keep it
#   repeat    it is here: answer 2xx and drop it
#   conflict  it contradicts what is here: keep it and raise an alarm; it never happens by itself
# Anything that is not genuine: "refused: …" and exit code 1.
set -euo pipefail
export LC_ALL=C
headers=$1 body=$2 state=${3-} work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

refuse() { echo "refused: $1"; exit 1; }
header() { # its value, whatever the case of its name
  awk -v name="$1:" '{ sub(/\r$/, "") } tolower(substr($0, 1, length(name))) == name {
    value = substr($0, length(name) + 1); sub(/^ */, "", value); print value; exit }' "$headers"
}
sha256() { openssl dgst -sha256 -r | cut -d ' ' -f 1; }
unhexed() { printf %b "$(sed 's/../\\x&/g')"; }
# Hashes are compared, so that the time it takes tells nothing of what was expected.
same() { [ "$(printf %s "$1" | sha256)" = "$(printf %s "$2" | sha256)" ]; }

# HMAC-SHA256 in hex of standard input, by its definition: openssl would take the key from its command line only,
# where every user of the machine can read it.
hmac() {
  local hex=$1 pad inner= outer= i
  hex=$(printf '%-128s' "$hex" | tr ' ' 0)
  for ((i = 0; i < 128; i += 2)); do
    printf -v pad '\\x%02x' $((0x${hex:i:2} ^ 0x36)); inner+=$pad
    printf -v pad '\\x%02x' $((0x${hex:i:2} ^ 0x5c)); outer+=$pad
  done
  { printf %b "$outer"; { printf %b "$inner"; cat; } | sha256 | unhexed; } | sha256
}

if [ -n "${WEBHOOK_SECRET-}" ]; then
  key=$(printf %s "${WEBHOOK_SECRET#whsec_}" | openssl base64 -d -A | od -An -v -tx1 | tr -d ' \n')
  ((${#key} >= 48)) || refuse "there is no key in WEBHOOK_SECRET" # with an empty key, anybody could sign
fi
if [ -n "${SIMPLE-}" ]; then # X-Webhook-Signature, over the bytes alone; use it if you must: it does not stop replays
  [ -n "$(header x-webhook-signature)" ] || refuse "missing header x-webhook-signature"
  expected=sha256=$(hmac "$key" <"$body")
  same "$(header x-webhook-signature)" "$expected" || same "$(header x-webhook-signature-next)" "$expected" \
    || refuse "wrong signature"
  echo genuine
  exit
fi

id=$(header webhook-id) sent=$(header webhook-timestamp) signatures=$(header webhook-signature)
[ -n "$id" ] || refuse "missing header webhook-id"
[ -n "$sent" ] || refuse "missing header webhook-timestamp"
[ -n "$signatures" ] || refuse "missing header webhook-signature"
age=$((${NOW:-$(date +%s)} - 10#$(printf %s "$sent" | grep -xE '[0-9]{1,11}' || echo 0)))
((age <= 300 && age >= -300)) || refuse "too old, or a clock is wrong"

{ printf '%s.%s.' "$id" "$sent"; cat "$body"; } >"$work/signed"
expected=
if [ -n "${key-}" ]; then expected=$(hmac "$key" <"$work/signed" | unhexed | openssl base64 -A); fi
if [ -n "${WEBHOOK_PUBLIC_KEY-}" ]; then
  { printf '\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00' # that an Ed25519 key follows
    printf %s "${WEBHOOK_PUBLIC_KEY#whpk_}" | openssl base64 -d -A; } >"$work/public.der"
fi
genuine=
for one in $signatures; do
  case $one in
    v1,*) [ -n "$expected" ] && same "${one#v1,}" "$expected" && genuine=yes ;;
    v1a,*)
      printf %s "${one#v1a,}" | openssl base64 -d -A >"$work/signature"
      [ -f "$work/public.der" ] && openssl pkeyutl -verify -pubin -keyform DER -inkey "$work/public.der" -rawin \
        -in "$work/signed" -sigfile "$work/signature" >/dev/null 2>&1 && genuine=yes ;;
  esac || true
done
[ -n "$genuine" ] || refuse "wrong signature"

if [ "$(header content-encoding)" = gzip ]; then gzip -dc <"$body" >"$work/body"; else cp "$body" "$work/body"; fi
stream=$(header x-audit-stream) sequence=$(header x-audit-sequence) part=$(header x-audit-part)
digest=$(header x-audit-digest) previous=$(header x-audit-previous-digest)
if [ -n "$sequence" ]; then
  # The signature covers webhook-id, and through it the place in the chain.
  same "$id" "$stream-$sequence${part:+-${part%%;*}}" || refuse "not the batch that was signed"
  if [ -n "$part" ]; then sum=${part#*parent=}; else sum=$(sha256 <"$work/body"); fi
  computed=$(printf '%s\n' auditcast-chain-v1 "$stream" "$sequence" "$(header x-audit-events)" \
    "$(header x-audit-opened)" "$(header x-audit-format)" "$sum" "$(header x-audit-gap)" "$previous" | sha256)
  same "$computed" "$digest" || refuse "wrong digest"
fi

if [ -z "$state" ]; then echo genuine; exit; fi
mkdir -p "$state"
touch "$state/ids" "$state/chain" # lines "id digest" and "stream sequence previous digest"
seen() { awk -v a="$1" -v b="$2" '$1 == a && $2 == b { print $NF " " $(NF - 1); exit }' "$state/chain"; }
known=$(awk -v id="$id" '$1 == id { print $2; exit }' "$state/ids")
if [ -n "$known" ]; then
  if [ "$known" = "${digest:--}" ]; then echo repeat; else echo conflict; fi
  exit
fi
echo "$id ${digest:--}" >>"$state/ids"
if [ -z "$sequence" ] || [ -n "$part" ]; then echo apart; exit; fi
if ((sequence == 1)); then before=$(printf '%064d' 0); else before=$(seen "$stream" $((sequence - 1)) | cut -d ' ' -f 1); fi
after=$(seen "$stream" $((sequence + 1)) | cut -d ' ' -f 2)
echo "$stream $sequence $previous $digest" >>"$state/chain"
if [ "${before:-$previous}" != "$previous" ] || [ "${after:-$digest}" != "$digest" ]; then
  echo conflict
elif [ -n "$before" ]; then echo next; else echo early; fi
