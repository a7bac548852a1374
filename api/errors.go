package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/postroom/postroom/post"
)

// An Error is an answer that says no. Text is the contract's word for word; Code
// and Message are additions of ours (CONTRACT §0, A1 and A2).
type Error struct {
	Status  int
	Text    string
	Code    string // machine-readable
	Message string // for people; default Text
	Body    any    // when not nil, the whole body in place of the others

	RetryAfter time.Duration // when to come again; 0 says nothing of it
}

func (e *Error) Error() string { return e.Text }

func errNotFound(text string) *Error {
	return &Error{Status: http.StatusNotFound, Text: text, Code: "NOT_FOUND"}
}

func errBadRequest(text string) *Error {
	return &Error{Status: http.StatusBadRequest, Text: text, Code: "INVALID_REQUEST"}
}

// errorBody is the body of an error. Clients read error, or message where there
// is none.
type errorBody struct {
	Error   string `json:"error"`
	Code    string `json:"code,omitempty"`
	Message string `json:"message,omitempty"`
}

// writeError answers with an error. One that is not ours to show is logged, and
// answered with failed.
func (a *API) writeError(w http.ResponseWriter, r *http.Request, err error, failed string) {
	strict := a.Settings().StrictCompat
	if limit, ok := errors.AsType[*post.LimitExceeded](err); ok {
		writeJSON(w, http.StatusForbidden, limit)
		return
	}
	e, ok := errors.AsType[*Error](err)
	switch {
	case ok:
	case errors.Is(err, post.ErrFull):
		e = &Error{Status: http.StatusInsufficientStorage, Text: failed, Code: "STORE_FULL", Message: "the store has reached its greatest size"}
	default:
		if r.Context().Err() == nil {
			a.Log.ErrorContext(r.Context(), "request failed", "method", r.Method, "route", r.Pattern, "err", err)
		}
		e = &Error{Status: http.StatusInternalServerError, Text: failed, Code: "INTERNAL"}
	}
	if e.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int((e.RetryAfter+time.Second-1)/time.Second)))
	}
	switch {
	case e.Body != nil:
		writeJSON(w, e.Status, e.Body)
	case strict:
		writeJSON(w, e.Status, errorBody{Error: e.Text})
	default:
		body := errorBody{Error: e.Text, Code: e.Code, Message: e.Message}
		if body.Message == "" {
			body.Message = e.Text
		}
		writeJSON(w, e.Status, body)
	}
}

// writeJSON answers with v as compact JSON, as the original writes it: without
// escapes for HTML and without a newline.
func writeJSON(w http.ResponseWriter, status int, v any) {
	var b bytes.Buffer
	if err := encodeJSON(&b, v); err != nil {
		// Nothing of ours is without a form in JSON.
		http.Error(w, `{"error":"Internal server error"}`, http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	w.Write(b.Bytes())
}

func encodeJSON(b *bytes.Buffer, v any) error {
	if raw, ok := v.(json.RawMessage); ok {
		b.Write(raw)
		return nil
	}
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return err
	}
	b.Truncate(b.Len() - 1)
	return nil
}
