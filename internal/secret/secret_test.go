package secret_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/postroom/postroom/internal/secret"
)

const canary = "canary-7f3a9c"

type open struct{ Token secret.Value }

type closed struct{ token secret.Value }

type deep struct {
	list   []closed
	byName map[string]*closed
	any    any
	embed
}

type embed struct{ secret.Value }

// holders are the shapes in which a secret may be printed.
func holders() map[string]any {
	v := secret.New(canary)
	return map[string]any{
		"value":              v,
		"pointer":            &v,
		"exported field":     open{v},
		"unexported field":   closed{v},
		"pointer to struct":  &closed{v},
		"slice":              []secret.Value{v},
		"map":                map[string]secret.Value{"token": v},
		"array of structs":   [1]closed{{v}},
		"deep and unexposed": deep{list: []closed{{v}}, byName: map[string]*closed{"a": {v}}, any: closed{v}, embed: embed{v}},
	}
}

func TestP8NoPrintFormShowsASecret(t *testing.T) {
	t.Parallel()
	verbs := []string{"%v", "%+v", "%#v", "%s", "%+s", "%#s", "%q", "%+q", "%#q", "%x", "%X", "% x", "%d", "%o", "%b", "%c", "%U", "%e", "%t", "%60s", "%.3s", "%p", "%!"}
	for name, h := range holders() {
		for _, verb := range verbs {
			if got := fmt.Sprintf(verb, h); leaks(got) {
				t.Errorf("%s printed with %s: %q", name, verb, got)
			}
		}
		for form, got := range map[string]string{
			"Sprint":   fmt.Sprint(h),
			"Sprintln": fmt.Sprintln(h),
			"error":    fmt.Errorf("open %v: %w", h, errors.New("no")).Error(),
			"panic":    panicked(h),
		} {
			if leaks(got) {
				t.Errorf("%s as %s: %q", name, form, got)
			}
		}
	}
}

func TestP8NoEncodingShowsASecret(t *testing.T) {
	t.Parallel()
	encoders := map[string]func(any) ([]byte, error){
		"json": json.Marshal,
		"yaml": yaml.Marshal,
		"xml":  xml.Marshal,
	}
	for name, h := range holders() {
		for form, encode := range encoders {
			// What an encoder cannot do it says in an error, which must be as silent.
			got, err := encode(h)
			if text := fmt.Sprint(string(got), err); leaks(text) {
				t.Errorf("%s as %s: %q", name, form, text)
			}
		}
	}
}

func TestP8NoLogShowsASecret(t *testing.T) {
	t.Parallel()
	for name, h := range holders() {
		var out bytes.Buffer
		for _, log := range []*slog.Logger{slog.New(slog.NewTextHandler(&out, nil)), slog.New(slog.NewJSONHandler(&out, nil))} {
			log.Info("call", "token", h, slog.Group("connection", "token", h), "err", fmt.Errorf("post: %+v", h))
			log.With("token", h).Info("call again")
		}
		if leaks(out.String()) {
			t.Errorf("%s in a log: %s", name, &out)
		}
	}
}

func TestP8PrintedFormIsTheSameEmptyOrNot(t *testing.T) {
	t.Parallel()
	for _, v := range []secret.Value{{}, secret.New(""), secret.New(canary)} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
			if got := fmt.Sprintf(verb, v); got != secret.Redacted {
				t.Errorf("%s: got %q, want %q", verb, got, secret.Redacted)
			}
		}
		if got, err := json.Marshal(v); err != nil || string(got) != `"[redacted]"` {
			t.Errorf("JSON: got %s, %v", got, err)
		}
		if got, err := yaml.Marshal(open{v}); err != nil || !strings.Contains(string(got), `token: "[redacted]"`) {
			t.Errorf("YAML: got %s, %v", got, err)
		}
	}
}

func TestRevealGivesTheTextBack(t *testing.T) {
	t.Parallel()
	if got := secret.New(canary).Reveal(); got != canary {
		t.Errorf("got %q", got)
	}
	if got := (secret.Value{}).Reveal(); got != "" {
		t.Errorf("zero value: got %q", got)
	}
	if secret.New("x").IsZero() || !secret.New("").IsZero() || !(secret.Value{}).IsZero() {
		t.Error("only a Value without text is zero")
	}
}

// leaks looks for the text as it is, and as the bytes that %x, %d and the like
// would print of it.
func leaks(s string) bool {
	plain := []byte(canary)
	for _, form := range []string{canary, fmt.Sprintf("%x", plain), fmt.Sprintf("%X", plain), fmt.Sprintf("% x", plain), strings.Trim(fmt.Sprint(plain), "[]")} {
		if strings.Contains(s, form) {
			return true
		}
	}
	return false
}

func panicked(v any) (said string) {
	defer func() { said = fmt.Sprint(recover()) }()
	panic(v)
}
