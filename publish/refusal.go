package publish

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/postroom/postroom/post"
)

// maxMessage bounds what is kept of a platform's own words, in bytes.
const maxMessage = 300

// Refusal turns an answer that is not a success into a failure, by its status:
// 401 and 403 auth, 413 too large, 429 throttled, 408 and 504 a time-out, other
// 5xx a broken server, and the rest refused content; 3xx is a wrong address. A
// definite answer below 500 refuses, so nothing is live; 408 and 5xx may come
// from something in front of a server that has acted, so they leave the post in
// doubt. So do 303, which leads to what came of a call, and a success that is not
// the one that was to come. A platform whose codes say more changes the result.
func (c *Client) Refusal(a *Answer) *post.Failure {
	f := &post.Failure{Class: post.ClassInvalid, Sent: post.Refused, Status: a.Status, Message: c.message(a)}
	switch s := a.Status; {
	case s < 300:
		f.Class, f.Sent = post.ClassServer, post.SentMaybe
	case s >= 300 && s < 400:
		if s == http.StatusSeeOther {
			f.Sent = post.SentMaybe
		}
		f.Scope = post.ScopeConnection
		f.Message = fmt.Sprintf("the server redirects to %s, and redirects are not followed: set the address it names", hostOf(a.Header.Get("Location")))
	case s == http.StatusUnauthorized, s == http.StatusForbidden:
		f.Class, f.Scope = post.ClassAuth, post.ScopeConnection
	case s == http.StatusRequestEntityTooLarge:
		f.Class = post.ClassLarge
	case s == http.StatusTooManyRequests:
		f.Class, f.Scope, f.After = post.ClassRate, post.ScopeConnection, WaitOf(a.Header, a.At)
	case s == http.StatusRequestTimeout, s == http.StatusGatewayTimeout:
		f.Class, f.Sent, f.After = post.ClassTimeout, post.SentMaybe, WaitOf(a.Header, a.At)
	case s >= 500:
		f.Class, f.Sent, f.After = post.ClassServer, post.SentMaybe, WaitOf(a.Header, a.At)
	}
	return f
}

// Doubt is the failure of a call that was answered with success, but not in a
// way that can be read: the post may well be live.
func (c *Client) Doubt(a *Answer, why error) *post.Failure {
	err := scrubError(why, c.known())
	return &post.Failure{
		Class: post.ClassServer, Sent: post.SentMaybe, Status: a.Status,
		Message: c.Shown(fmt.Sprintf("the answer cannot be read: %v", err)), Err: err,
	}
}

// Unsent says of a failure before the call that publishes that the post was not
// sent, however far that call got: what was uploaded is not live.
func Unsent(err error) error {
	if f, ok := errors.AsType[*post.Failure](err); ok && f.Sent == post.SentMaybe {
		f.Sent = post.SentNot
	}
	return err
}

// Decode reads a's body, JSON, into v. An answer that was cut, or is not JSON,
// is an error.
func (a *Answer) Decode(v any) error {
	if a.Cut != nil {
		return a.Cut
	}
	return json.Unmarshal(a.Body, v)
}

// message finds the platform's own words in an answer.
func (c *Client) message(a *Answer) string {
	var words struct {
		Error            json.RawMessage `json:"error"`
		ErrorDescription string          `json:"error_description"`
		Message          string          `json:"message"`
		Description      string          `json:"description"`
		Detail           string          `json:"detail"`
	}
	if json.Unmarshal(a.Body, &words) == nil {
		var text string
		if json.Unmarshal(words.Error, &text) != nil {
			text = ""
		}
		// Beside one of the others, "error" is a code.
		for _, s := range []string{words.ErrorDescription, words.Message, words.Description, words.Detail, text} {
			if s != "" {
				return c.Shown(s)
			}
		}
	}
	body := strings.TrimSpace(string(a.Body))
	if body == "" || strings.HasPrefix(body, "<") || strings.HasPrefix(body, "{") || !utf8.ValidString(body) {
		return "the server answered " + statusText(a.Status)
	}
	return c.Shown(body)
}

func statusText(status int) string {
	if t := http.StatusText(status); t != "" {
		return fmt.Sprintf("%d %s", status, t)
	}
	return fmt.Sprintf("%d", status)
}

// Shown makes text from outside fit for one line of a report: without secrets,
// control characters or great length.
func (c *Client) Shown(s string) string {
	s = c.Scrub(s) // before it is cut, as half a secret would not be found
	s = strings.Join(strings.Fields(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s)), " ")
	if len(s) <= maxMessage {
		return s
	}
	cut := maxMessage
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…"
}
