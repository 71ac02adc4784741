// Puts each case that comes on standard input, a line of JSON, to docs/kit/check.go; answers a line each.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"time"

	"kit/check"
)

type Case struct {
	Headers      map[string]string
	Body         []byte
	Content      []byte
	Secrets      []string
	PublicKeys   []string `json:"public_keys"`
	Now          int64
	Simple, Take bool
}

func answer(one Case, arrivals *check.Arrivals) (string, error) {
	headers := http.Header{}
	for name, value := range one.Headers {
		headers.Set(name, value)
	}
	if one.Simple {
		return "genuine", check.CheckBody(headers, one.Body, one.Secrets)
	}
	keys := check.Keys{Secrets: one.Secrets, Public: one.PublicKeys}
	content, err := check.Check(headers, one.Body, keys, time.Unix(one.Now, 0))
	if err != nil {
		return "", err
	}
	if !bytes.Equal(content, one.Content) {
		panic("not the body that was sent")
	}
	if one.Take {
		return arrivals.Take(headers)
	}
	return "genuine", nil
}

func main() {
	cases, arrivals := json.NewDecoder(os.Stdin), &check.Arrivals{}
	for cases.More() {
		var one Case
		if err := cases.Decode(&one); err != nil {
			panic(err)
		}
		told, err := answer(one, arrivals)
		if err != nil {
			told = "refused: " + err.Error()
		}
		fmt.Println(told)
	}
}
