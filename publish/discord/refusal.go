package discord

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/publish"
)

// The codes that say more than the status (Discord API v10, JSON error codes).
const (
	codeUnknownChannel = 10003
	codeUnknownWebhook = 10015
	codeTooLarge       = 40005
)

// refused is the body of an answer that is not a success.
type refused struct {
	Code       int             `json:"code"`
	RetryAfter float64         `json:"retry_after"` // seconds
	Errors     json.RawMessage `json:"errors"`
}

// refusal classifies an answer by its status, and by Discord's code. Ten thousand
// refused calls in ten minutes have Discord shut out the address of this machine,
// so what concerns the webhook pauses the connection.
func (p *Publisher) refusal(a *publish.Answer) *post.Failure {
	f := p.client.Refusal(a)
	var body refused
	if a.Decode(&body) != nil {
		return f
	}
	switch {
	case a.Status == http.StatusTooManyRequests && f.After == 0:
		f.After = wait(body.RetryAfter)
	case body.Code == codeUnknownWebhook:
		f.Class, f.Scope = post.ClassAuth, post.ScopeConnection
		f.Message += ": it was deleted, or its address has changed. Make a new one and put its URL into the config"
	case body.Code == codeUnknownChannel:
		f.Scope = post.ScopeConnection
		f.Message += ": is the thread of the config still there?"
	case body.Code == codeTooLarge:
		f.Class = post.ClassLarge
	}
	if why := details(body.Errors); why != "" {
		f.Message = p.client.Shown(f.Message + ": " + why)
	}
	return f
}

// wait turns the seconds of a throttling answer into a wait of a second to a day.
func wait(seconds float64) time.Duration {
	return time.Duration(min(max(seconds, 1), (24*time.Hour).Seconds()) * float64(time.Second))
}

// details finds what is wrong where in a tree of errors, like
// {"content":{"_errors":[{"message":"Must be 2000 or fewer in length."}]}}.
func details(tree json.RawMessage) string {
	var found []string
	gather(tree, "", &found)
	return strings.Join(found, "; ")
}

func gather(tree json.RawMessage, at string, found *[]string) {
	var branches map[string]json.RawMessage
	if json.Unmarshal(tree, &branches) != nil {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(branches)) {
		if name != "_errors" {
			gather(branches[name], strings.TrimPrefix(at+"."+name, "."), found)
			continue
		}
		var errs []struct {
			Message string `json:"message"`
		}
		if json.Unmarshal(branches[name], &errs) != nil {
			continue
		}
		for _, e := range errs {
			*found = append(*found, strings.TrimSpace(at+" "+e.Message))
		}
	}
}
