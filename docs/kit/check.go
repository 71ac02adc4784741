// Package check checks what auditcast delivers. Go 1.20 or newer, the standard library alone.
package check

import (
	"bytes"
	"compress/gzip"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const tolerance = 5 * time.Minute

// Refused is a delivery that is not genuine, or damaged: answer 401, or 400.
type Refused string

func (reason Refused) Error() string { return string(reason) }

// Keys holds what signatures are checked by: secrets (whsec_…), public keys (whpk_…), or both. One signature that
// fits one of them is enough, so that either side may be rotated.
type Keys struct{ Secrets, Public []string }

// Check returns the unpacked body of a genuine delivery, and an error for any other. `body` are the bytes as they
// came, before unpacking and parsing.
func Check(headers http.Header, body []byte, keys Keys, now time.Time) ([]byte, error) {
	for _, name := range []string{"webhook-id", "webhook-timestamp", "webhook-signature"} {
		if headers.Get(name) == "" {
			return nil, Refused("missing header " + name)
		}
	}
	sent, err := strconv.ParseUint(headers.Get("webhook-timestamp"), 10, 36)
	if err != nil || now.Sub(time.Unix(int64(sent), 0)).Abs() > tolerance {
		return nil, Refused("too old, or a clock is wrong")
	}
	signed := append([]byte(headers.Get("webhook-id")+"."+headers.Get("webhook-timestamp")+"."), body...)
	if !keys.fit(headers.Get("webhook-signature"), signed) {
		return nil, Refused("wrong signature")
	}
	if headers.Get("Content-Encoding") == "gzip" {
		if body, err = unpacked(body); err != nil {
			return nil, err
		}
	}
	if headers.Get("X-Audit-Sequence") != "" {
		return body, checkChain(headers, body)
	}
	return body, nil
}

// CheckBody checks the simpler signature, over the bytes alone; use it if you must: it does not stop replays.
func CheckBody(headers http.Header, body []byte, secrets []string) error {
	given := []string{headers.Get("X-Webhook-Signature"), headers.Get("X-Webhook-Signature-Next")}
	if given[0] == "" {
		return Refused("missing header x-webhook-signature")
	}
	for _, secret := range secrets {
		raw := key(secret)
		expected := []byte("sha256=" + hex.EncodeToString(digest(raw, body)))
		for _, one := range given {
			if raw != nil && hmac.Equal(expected, []byte(one)) {
				return nil
			}
		}
	}
	return Refused("wrong signature")
}

func (keys Keys) fit(signatures string, signed []byte) bool {
	for _, one := range strings.Fields(signatures) {
		version, text, _ := strings.Cut(one, ",")
		value, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			continue
		}
		for _, secret := range keys.Secrets {
			if raw := key(secret); version == "v1" && raw != nil && hmac.Equal(digest(raw, signed), value) {
				return true
			}
		}
		for _, public := range keys.Public {
			raw := key(public)
			if version == "v1a" && len(raw) == ed25519.PublicKeySize && ed25519.Verify(raw, signed, value) {
				return true
			}
		}
	}
	return false
}

// key is what follows whsec_ or whpk_; nil if there is none, since with an empty key anybody could sign.
func key(text string) []byte {
	raw, err := base64.StdEncoding.DecodeString(text[strings.Index(text, "_")+1:])
	if err != nil || len(raw) < 24 {
		return nil
	}
	return raw
}

func digest(key, content []byte) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write(content)
	return mac.Sum(nil)
}

func unpacked(body []byte) ([]byte, error) {
	reader, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(reader)
}

func sha(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

func checkChain(headers http.Header, body []byte) error {
	lines := []string{"auditcast-chain-v1"}
	for _, name := range []string{"Stream", "Sequence", "Events", "Opened", "Format"} {
		lines = append(lines, headers.Get("X-Audit-"+name))
	}
	// The signature covers webhook-id, and through it the place in the chain.
	id := headers.Get("X-Audit-Stream") + "-" + headers.Get("X-Audit-Sequence")
	numbers, parent, part := strings.Cut(headers.Get("X-Audit-Part"), "; parent=")
	if part {
		id += "-" + numbers
	} else {
		parent = sha(body)
	}
	if headers.Get("webhook-id") != id {
		return Refused("not the batch that was signed")
	}
	lines = append(lines, parent, headers.Get("X-Audit-Gap"), headers.Get("X-Audit-Previous-Digest"), "")
	if sha([]byte(strings.Join(lines, "\n"))) != headers.Get("X-Audit-Digest") {
		return Refused("wrong digest")
	}
	return nil
}

// Arrivals is what has come of all streams. In memory here: keep it where you keep the deliveries. Not for several
// goroutines at once.
type Arrivals struct {
	ids     map[string]string
	streams map[string]map[int]link
}

type link struct{ previous, digest string }

var errNumber = errors.New("X-Audit-Sequence is no number")

// Take says what a checked delivery is, seen from those before it:
//
//	next      it follows what is here
//	early     a batch before it is still to come (see Missing): keep it
//	apart     a test, a part or a manifest, which have no place in the sequence: keep it
//	repeat    it is here: answer 2xx and drop it
//	conflict  it contradicts what is here: keep it and raise an alarm; it never happens by itself
func (arrivals *Arrivals) Take(headers http.Header) (string, error) {
	if arrivals.ids == nil {
		arrivals.ids, arrivals.streams = map[string]string{}, map[string]map[int]link{}
	}
	id, now := headers.Get("webhook-id"), link{headers.Get("X-Audit-Previous-Digest"), headers.Get("X-Audit-Digest")}
	if arrivals.Has(headers) {
		return "repeat", nil
	} else if _, known := arrivals.ids[id]; known {
		return "conflict", nil
	}
	arrivals.ids[id] = now.digest
	if headers.Get("X-Audit-Sequence") == "" || headers.Get("X-Audit-Part") != "" {
		return "apart", nil
	}
	sequence, err := strconv.Atoi(headers.Get("X-Audit-Sequence"))
	if err != nil {
		return "", errNumber
	}
	batches := arrivals.streams[headers.Get("X-Audit-Stream")]
	if batches == nil {
		batches = map[int]link{0: {"", strings.Repeat("0", 64)}}
		arrivals.streams[headers.Get("X-Audit-Stream")] = batches
	}
	batches[sequence] = now
	before, follows := batches[sequence-1]
	after, followed := batches[sequence+1]
	switch {
	case follows && before.digest != now.previous, followed && after.previous != now.digest:
		return "conflict", nil
	case follows:
		return "next", nil
	}
	return "early", nil
}

// Has says whether it is a repeat. Ask this, then keep it, then Take it, lest what could not be kept looks kept.
func (arrivals *Arrivals) Has(headers http.Header) bool {
	digest, known := arrivals.ids[headers.Get("webhook-id")]
	return known && digest == headers.Get("X-Audit-Digest")
}

// Missing returns the sequence numbers between the batches of `stream` that have not come.
func (arrivals *Arrivals) Missing(stream string) []int {
	missing, batches := []int{}, arrivals.streams[stream]
	for number, found := 0, 0; found < len(batches); number++ {
		if _, here := batches[number]; here {
			found++
		} else {
			missing = append(missing, number)
		}
	}
	return missing
}
