// Checks what auditcast delivers. Node 18 or newer, nothing else.
import { createHash, createHmac, createPublicKey, timingSafeEqual, verify } from "node:crypto";
import { gunzipSync } from "node:zlib";

const TOLERANCE_S = 300;
const FIRST = "0".repeat(64);
const CHAINED = ["stream", "sequence", "events", "opened", "format"];

/** Answer 401, or 400: it is not genuine, or damaged. */
export class Refused extends Error {}

/**
 * The unpacked body (a Buffer) of a genuine delivery; throws Refused for any other.
 *
 * `headers` by lower-case name (`request.headers`), `body` the bytes as they came, a Buffer, before unpacking and
 * parsing. One signature that fits one of `secrets` (`whsec_…`) or `publicKeys` (`whpk_…`) is enough, so that either
 * side may be rotated.
 */
export function check(headers, body, { secrets = [], publicKeys = [], now = Date.now() / 1000 }) {
  const needed = ["webhook-id", "webhook-timestamp", "webhook-signature"];
  for (const name of needed) if (!(name in headers)) throw new Refused(`missing header ${name}`);
  const [id, sent, signatures] = needed.map((name) => headers[name]);
  if (!/^[0-9]{1,11}$/.test(sent) || Math.abs(now - Number(sent)) > TOLERANCE_S)
    throw new Refused("too old, or a clock is wrong");
  const signed = Buffer.concat([Buffer.from(`${id}.${sent}.`), body]);
  if (!signatures.split(" ").some((one) => fits(one, signed, secrets, publicKeys))) throw new Refused("wrong signature");
  if (headers["content-encoding"] === "gzip") body = gunzipSync(body);
  if ("x-audit-sequence" in headers) checkChain(headers, body);
  return body;
}

/** The simpler signature, over the bytes alone; use it if you must, since it does not stop replays. */
export function checkBody(headers, body, { secrets }) {
  const given = ["x-webhook-signature", "x-webhook-signature-next"].filter((name) => name in headers);
  if (!given.length) throw new Refused("missing header x-webhook-signature");
  const expected = secrets.map((secret) => "sha256=" + createHmac("sha256", key(secret)).update(body).digest("hex"));
  if (!given.some((name) => expected.some((one) => same(one, headers[name])))) throw new Refused("wrong signature");
}

function key(text, prefix = "whsec_") {
  const raw = Buffer.from(text.startsWith(prefix) ? text.slice(prefix.length) : text, "base64");
  if (raw.length < 24) throw new Error(`there is no key: it should begin with ${prefix}`); // anybody could sign with ""
  return raw;
}

function same(a, b) {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}

function fits(signature, signed, secrets, publicKeys) {
  const [version, value = ""] = signature.split(",");
  if (version === "v1")
    return secrets.some((secret) => same(createHmac("sha256", key(secret)).update(signed).digest("base64"), value));
  return version === "v1a" && publicKeys.some((one) => fitsPublic(value, signed, one));
}

function fitsPublic(value, signed, text) {
  const jwk = { kty: "OKP", crv: "Ed25519", x: key(text, "whpk_").toString("base64url") };
  return verify(null, signed, createPublicKey({ key: jwk, format: "jwk" }), Buffer.from(value, "base64"));
}

const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");

function checkChain(headers, body) {
  const told = CHAINED.map((name) => headers[`x-audit-${name}`] ?? "");
  // The signature covers webhook-id, and through it the place in the chain.
  const [numbers, parent] = (headers["x-audit-part"] ?? "").split("; parent=");
  if (headers["webhook-id"] !== `${told[0]}-${told[1]}` + (numbers ? `-${numbers}` : ""))
    throw new Refused("not the batch that was signed");
  const rest = [headers["x-audit-gap"] ?? "", headers["x-audit-previous-digest"] ?? ""];
  const lines = ["auditcast-chain-v1", ...told, parent || sha256(body), ...rest].map((line) => `${line}\n`);
  if (sha256(lines.join("")) !== headers["x-audit-digest"]) throw new Refused("wrong digest");
}

/** What has come of all streams. In memory here: keep it where you keep the deliveries. */
export class Arrivals {
  #ids = new Map();
  #streams = new Map();

  /**
   * What a checked delivery is, seen from those before it:
   *
   * next      it follows what is here
   * early     a batch before it is still to come (see `missing`): keep it
   * apart     a test, a part or a manifest, which have no place in the sequence: keep it
   * repeat    it is here: answer 2xx and drop it
   * conflict  it contradicts what is here: keep it and raise an alarm; it never happens by itself
   */
  take(headers) {
    const id = headers["webhook-id"];
    const digest = headers["x-audit-digest"] ?? "";
    if (this.#ids.has(id)) return this.has(headers) ? "repeat" : "conflict";
    this.#ids.set(id, digest);
    if (!("x-audit-sequence" in headers) || "x-audit-part" in headers) return "apart";
    const stream = headers["x-audit-stream"];
    if (!this.#streams.has(stream)) this.#streams.set(stream, new Map([[0, { digest: FIRST }]]));
    const batches = this.#streams.get(stream);
    const [sequence, previous] = [Number(headers["x-audit-sequence"]), headers["x-audit-previous-digest"]];
    batches.set(sequence, { previous, digest });
    const [before, after] = [batches.get(sequence - 1), batches.get(sequence + 1)];
    if ((before && before.digest !== previous) || (after && after.previous !== digest)) return "conflict";
    return before ? "next" : "early";
  }

  /** Whether it is a repeat. Ask this, then keep it, then `take` it, lest what could not be kept looks kept. */
  has(headers) {
    return this.#ids.get(headers["webhook-id"]) === (headers["x-audit-digest"] ?? "");
  }

  /** The sequence numbers between the batches of `stream` that have not come. */
  missing(stream) {
    const batches = this.#streams.get(stream);
    return [...Array(Math.max(...batches.keys())).keys()].filter((number) => !batches.has(number));
  }
}
