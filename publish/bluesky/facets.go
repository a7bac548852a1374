package bluesky

import (
	"context"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/postroom/postroom/publish"
)

// facet makes a stretch of the text a link, a tag or a mention.
type facet struct {
	Index    byteSlice `json:"index"`
	Features []feature `json:"features"`
}

// byteSlice is a range of UTF-8 bytes.
type byteSlice struct {
	Start int `json:"byteStart"`
	End   int `json:"byteEnd"` // behind the last
}

type feature struct {
	Type string `json:"$type"`
	URI  string `json:"uri,omitempty"`
	Tag  string `json:"tag,omitempty"`
	DID  string `json:"did,omitempty"`
}

// maxTag is the most characters of a tag.
const maxTag = 64

// facetsOf finds URLs and tags in text.
func facetsOf(text string) []facet {
	var all []facet
	for from, to := range publish.Links(text) {
		all = append(all, facet{byteSlice{from, to}, []feature{{Type: "app.bsky.richtext.facet#link", URI: text[from:to]}}})
	}
	for from, to := range publish.Tags(text) {
		if tag := text[from+1 : to]; utf8.RuneCountInString(tag) <= maxTag {
			all = append(all, facet{byteSlice{from, to}, []feature{{Type: "app.bsky.richtext.facet#tag", Tag: tag}}})
		}
	}
	sortFacets(all)
	return all
}

func sortFacets(all []facet) {
	slices.SortFunc(all, func(a, b facet) int { return a.Index.Start - b.Index.Start })
}

// handle is a mention: an @ and a domain name.
var handle = regexp.MustCompile(`(?:^|[\s(])(@(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?\.)+[a-zA-Z][a-zA-Z0-9-]{0,61}[a-zA-Z0-9])`)

// maxMentions bounds how many handles of one post are asked for.
const maxMentions = 20

// mentions finds the handles in text that belong to an account. One that the
// server does not know stays plain text.
func (p *Publisher) mentions(ctx context.Context, text string) ([]facet, error) {
	var all []facet
	for _, m := range handle.FindAllStringSubmatchIndex(text, maxMentions) {
		query := url.Values{"handle": {text[m[2]+1 : m[3]]}}
		a, err := p.call(ctx, publish.Request{Method: http.MethodGet, URL: "com.atproto.identity.resolveHandle?" + query.Encode()})
		if err != nil {
			return nil, err
		}
		var who struct {
			DID string `json:"did"`
		}
		if a.Status != http.StatusOK || a.Decode(&who) != nil || !strings.HasPrefix(who.DID, "did:") {
			continue
		}
		all = append(all, facet{byteSlice{m[2], m[3]}, []feature{{Type: "app.bsky.richtext.facet#mention", DID: who.DID}}})
	}
	return all, nil
}
