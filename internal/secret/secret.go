// Package secret keeps tokens out of everything that prints.
//
// A [Value] prints as [Redacted] in every form there is: %v, %+v, %#v, %s, %q
// and %x, JSON, YAML, text, slog, and as a field of whatever struct is printed,
// exported or not. The text itself leaves only through [Value.Reveal], so a
// search for that name finds every use of a secret.
//
// It does not clear memory: a core dump holds what the program holds.
package secret

import (
	"fmt"
	"io"
	"log/slog"
)

// Redacted is what a Value prints as, whether it holds a text or not.
const Redacted = "[redacted]"

// A Value holds a text that must not be shown. The zero Value is empty.
//
// The text stands behind a pointer: fmt does not call the methods of a value in
// an unexported field, it walks the memory instead, and prints a pointer to a
// string as an address. A pointer to a struct would not do: with a verb that
// does not fit, such as %s, fmt follows it.
type Value struct{ text *string }

// New returns a Value that holds text.
func New(text string) Value {
	if text == "" {
		return Value{}
	}
	return Value{&text}
}

// Reveal returns the text, to be handed to whoever it is meant for.
func (v Value) Reveal() string {
	if v.text == nil {
		return ""
	}
	return *v.text
}

// IsZero reports whether v is empty.
func (v Value) IsZero() bool { return v.text == nil }

// String implements [fmt.Stringer].
func (Value) String() string { return Redacted }

// GoString implements [fmt.GoStringer].
func (Value) GoString() string { return Redacted }

// Format implements [fmt.Formatter] for every verb and flag.
func (Value) Format(s fmt.State, _ rune) {
	// A Formatter has nobody to return an error to; fmt drops it too.
	_, _ = io.WriteString(s, Redacted)
}

// LogValue implements [slog.LogValuer].
func (Value) LogValue() slog.Value { return slog.StringValue(Redacted) }

// MarshalText implements [encoding.TextMarshaler].
func (Value) MarshalText() ([]byte, error) { return []byte(Redacted), nil }

// MarshalJSON implements [encoding/json.Marshaler].
func (Value) MarshalJSON() ([]byte, error) { return []byte(`"` + Redacted + `"`), nil }

// MarshalYAML implements the marshaler of goccy/go-yaml.
func (Value) MarshalYAML() (any, error) { return Redacted, nil }
