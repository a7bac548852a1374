package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/postroom/postroom/post"
)

// mostBody is the largest JSON body that is read.
const mostBody = 1 << 20

// A call is one request whose sender is known. Its Now is read once, so that all
// of an answer speaks of one moment.
type call struct {
	*http.Request
	api     *API
	w       http.ResponseWriter
	account Account
	key     post.APIKey
	now     time.Time
	set     Settings
}

// who is what is recorded of the caller with a change.
func (c *call) who() string { return "api key " + c.key.ID }

// A handler answers a call: with a body that is written as JSON with status 200,
// with an [answered], or with an error. What is not an *[Error] or a
// *post.LimitExceeded is answered with 500, and logged.
type handler func(*call) (any, error)

// answered is a body with a status of its own.
type answered struct {
	code int
	body any
}

func (a answered) status() int {
	if a.code == 0 {
		return http.StatusOK
	}
	return a.code
}

// A file is a body that is sent as it is.
type file struct {
	io.ReadCloser
	kind string
}

func (f file) write(w http.ResponseWriter) {
	defer f.Close()
	w.Header().Set("Content-Type", f.kind)
	io.Copy(w, f) // who went away needs no answer
}

// serve finds whose request it is and has it answered.
func (a *API) serve(w http.ResponseWriter, r *http.Request, h handler) (answered, error) {
	acc, key, err := a.authenticate(r)
	if err != nil {
		if _, ours := errors.AsType[*Error](err); !ours {
			a.Log.ErrorContext(r.Context(), "request not authenticated", "route", r.Pattern, "err", err)
			err = &Error{Status: http.StatusInternalServerError, Text: "Internal server error", Code: "INTERNAL"}
		}
		return answered{}, err
	}
	body, err := h(&call{Request: r, api: a, w: w, account: acc, key: key, now: a.Now(), set: a.Settings()})
	if err != nil {
		return answered{}, err
	}
	if full, ok := body.(answered); ok {
		return full, nil
	}
	return answered{body: body}, nil
}

// allowAnswer gives the answer longer than the server does. A server that cannot
// change that keeps its time.
func allowAnswer(w http.ResponseWriter, most time.Duration) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(most))
}

// allowUpload gives the body longer than the server does, and the answer a minute
// more. A server that cannot change that keeps its time.
func allowUpload(w http.ResponseWriter, most time.Duration) {
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(most))
	allowAnswer(w, most+time.Minute)
}

// body reads a JSON body whole.
func (c *call) body() ([]byte, error) {
	b, err := io.ReadAll(http.MaxBytesReader(c.w, c.Body, mostBody))
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		return nil, &Error{Status: http.StatusRequestEntityTooLarge, Text: "Request body too large", Code: "BODY_TOO_LARGE"}
	}
	if err != nil {
		return nil, errInvalidJSON("Invalid JSON body: it did not arrive whole")
	}
	return b, nil
}

// errInvalidJSON refuses a body; message may say more than the contract does.
func errInvalidJSON(message string) error {
	return &Error{Status: http.StatusBadRequest, Text: "Invalid JSON body", Code: "INVALID_JSON", Message: message}
}

// parseFields reads a JSON body as an object's fields, not yet read themselves:
// the contract says of each what it takes. An empty body has none, and so has an
// array. Fields that nobody asks for are ignored. A body in another encoding than
// UTF-8 is refused, as JSON says: its letters would be published as question marks.
func parseFields(b []byte) (fields, error) {
	b = bytes.TrimSpace(bytes.TrimPrefix(b, []byte("\ufeff")))
	switch {
	case len(b) == 0:
		return fields{}, nil
	case !utf8.Valid(b):
		return nil, errInvalidJSON("Invalid JSON body: it is not UTF-8")
	case b[0] == '[' && json.Valid(b):
		return fields{}, nil
	}
	var f fields
	if err := json.Unmarshal(b, &f); err != nil || f == nil {
		return nil, errInvalidJSON("")
	}
	return f, nil
}

// fields are the values of a JSON object by name.
type fields map[string]json.RawMessage

// absent reports whether a field is missing or false as JavaScript sees it: the
// contract treats null, false, 0 and "" as if they were not there.
func (f fields) absent(name string) bool { return falsy(f[name]) }

func falsy(v json.RawMessage) bool {
	switch string(v) {
	case "", "null", "false", `""`:
		return true
	}
	var n float64
	return json.Unmarshal(v, &n) == nil && n == 0
}

// text returns a field that is a string.
func (f fields) text(name string) (string, bool) { return asText(f[name]) }

func asText(v json.RawMessage) (s string, ok bool) {
	if len(v) == 0 || v[0] != '"' {
		return "", false
	}
	return s, json.Unmarshal(v, &s) == nil
}

// asJavaScript gives a value as JavaScript's String() would, for messages that
// repeat what was sent.
func asJavaScript(v json.RawMessage) string {
	in := json.NewDecoder(bytes.NewReader(v))
	in.UseNumber()
	var parsed any // once: reading each level of it anew takes minutes when it is deep
	if in.Decode(&parsed) != nil {
		return string(v)
	}
	var b strings.Builder
	writeJavaScript(&b, parsed)
	return b.String()
}

func writeJavaScript(b *strings.Builder, v any) {
	switch v := v.(type) {
	case map[string]any:
		b.WriteString("[object Object]")
	case []any:
		for i, e := range v {
			if i > 0 {
				b.WriteByte(',')
			}
			if e != nil {
				writeJavaScript(b, e)
			}
		}
	case nil:
		b.WriteString("null")
	default: // a text, a number as it was written, true or false
		fmt.Fprint(b, v)
	}
}

// groupID reads the id in the path. One that is malformed names no group
// (CONTRACT §12 D1; the original answers 500).
func (c *call) groupID() (post.ID, error) {
	id, err := post.ParseID(c.PathValue("id"))
	switch {
	case err == nil:
		return id, nil
	case c.set.StrictCompat:
		return id, err
	}
	return id, errNotFound(textNoGroup)
}

const textNoGroup = "Post group not found"

// group finds a group of the caller's account.
func (c *call) group(id post.ID) (post.Group, error) {
	g, err := c.api.Store.Group(c.Context(), id)
	if errors.Is(err, post.ErrNotFound) || err == nil && (g.ID != id || g.Account != c.account.ID || !shown(&g)) {
		return g, errNotFound(textNoGroup)
	}
	return g, err
}

// shown reports whether the API shows a group: one that was deleted, or taken
// back whole by another way, is gone for its clients, whose words have no name
// for it.
func shown(g *post.Group) bool {
	return g.DeletedAt.IsZero() && g.Status() != post.StatusCancelled
}
