package discord

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"
)

// What is taken for a webhook is called at its host and with its token, and
// nothing else of the URL goes along.
func FuzzParseHook(f *testing.F) {
	for _, s := range []string{
		"https://discord.com/api/webhooks/1/a-b_C", "https://discord.com/api/v10/webhooks/1/abc/", "http://localhost:1/webhooks/1/a",
		"https://discord.com/api/webhooks/1/a%2Fb", "https://discord.com/v/webhooks/1/a?wait=false", "https://u:p@discord.com/api/webhooks/1/a", "",
	} {
		f.Add(s)
	}
	_, shown := parseHook("")
	f.Fuzz(func(t *testing.T, raw string) {
		h, err := parseHook(raw)
		if err != nil {
			if err.Error() != shown.Error() {
				t.Errorf("the error may show the URL: %v", err)
			}
			return
		}
		u, err := url.Parse(h.base + "/" + version + "/webhooks/" + h.id + "/" + h.token)
		if err != nil || u.RawQuery != "" || u.User != nil || !strings.HasSuffix(u.Path, "/"+h.id+"/"+h.token) {
			t.Errorf("%q leads to %v, %v", raw, u, err)
		}
	})
}

func FuzzDetails(f *testing.F) {
	f.Add(`{"content":{"_errors":[{"message":"too long"}]},"embeds":{"0":{"url":{"_errors":[{"message":"no"}]}}}}`)
	f.Add(`{"_errors":[{}]}`)
	f.Add(`{"_errors":{"a":[]}}`)
	f.Fuzz(func(t *testing.T, tree string) {
		if got := details(json.RawMessage(tree)); got != "" && !json.Valid([]byte(tree)) {
			t.Errorf("found %q in what is no JSON", got)
		}
	})
}

func TestDetailsNamesEachField(t *testing.T) {
	t.Parallel()
	const tree = `{"embeds":{"0":{"url":{"_errors":[{"message":"no"}]}}},"content":{"_errors":[{"message":"too long"},{"message":"too dull"}]}}`
	if got, want := details(json.RawMessage(tree)), "content too long; content too dull; embeds.0.url no"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
