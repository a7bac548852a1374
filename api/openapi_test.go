package api_test

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

// document is our OpenAPI document, with what tells which path of it a request is
// for.
var document = sync.OnceValues(func() (*openAPIDocument, error) {
	b, err := os.ReadFile("openapi.json")
	if err != nil {
		return nil, err
	}
	doc, err := openapi3.NewLoader().LoadFromData(b)
	if err != nil {
		return nil, err
	}
	d := &openAPIDocument{T: doc, paths: map[string]*regexp.Regexp{}}
	param := regexp.MustCompile(`\\\{[^}]*\\\}`)
	for path := range doc.Paths.Map() {
		d.paths[path] = regexp.MustCompile("^" + param.ReplaceAllString(regexp.QuoteMeta(path), "[^/]+") + "/?$")
	}
	return d, nil
})

type openAPIDocument struct {
	*openapi3.T
	paths map[string]*regexp.Regexp
}

// operation finds what a request is for, nil when it is for nothing that there
// is.
func (d *openAPIDocument) operation(method, path string) *openapi3.Operation {
	path, _, _ = strings.Cut(path, "?")
	path = "/" + strings.TrimLeft(path, "/")
	for name, form := range d.paths {
		if form.MatchString(path) {
			if op := d.Paths.Value(name).GetOperation(method); op != nil {
				return op
			}
		}
	}
	return nil
}

// fits fails unless an answer is as the document says.
func fits(t *testing.T, method, path string, a answer) {
	t.Helper()
	doc, err := document()
	if err != nil {
		t.Fatal(err)
	}
	op := doc.operation(method, path)
	if op == nil {
		if a.Status != 404 && a.Status != 204 {
			t.Errorf("%s %s answers %d, and the document does not have it", method, path, a.Status)
		}
		return
	}
	said := op.Responses.Status(a.Status)
	if said == nil {
		t.Errorf("%s %s answers %d, which the document does not say: %s", method, path, a.Status, a.Body)
		return
	}
	kind, _, _ := strings.Cut(a.Header.Get("Content-Type"), ";")
	content := said.Value.Content.Get(kind)
	switch {
	case len(said.Value.Content) == 0 && kind == "" && a.Body == "":
	case content == nil:
		t.Errorf("%s %s answers %d as %q, which the document does not say", method, path, a.Status, kind)
	case kind == "application/json":
		var v any
		if err := json.Unmarshal([]byte(a.Body), &v); err != nil {
			t.Errorf("%s %s answers %q: %v", method, path, a.Body, err)
		} else if err := content.Schema.Value.VisitJSON(v, openapi3.MultiErrors()); err != nil {
			t.Errorf("%s %s answers %d %s\nwhich is not as the document says: %v", method, path, a.Status, a.Body, err)
		}
	}
}

func TestTheOpenAPIDocumentIsValidAndServed(t *testing.T) {
	t.Parallel()
	doc, err := document()
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(t.Context()); err != nil {
		t.Error(err)
	}
	d := newDesk(t)
	b, err := os.ReadFile("openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	d.do("GET", "/openapi.json", "", "x-api-key", "").want(200, string(b))
}

// A check that cannot fail is none.
func TestTheDocumentRefusesWhatItDoesNotSay(t *testing.T) {
	t.Parallel()
	doc, err := document()
	if err != nil {
		t.Fatal(err)
	}
	schema := doc.operation("DELETE", "/delete-post/x").Responses.Status(200).Value.Content.Get("application/json").Schema.Value
	for _, wrong := range []any{map[string]any{"success": false}, map[string]any{}, map[string]any{"success": true, "more": 1.0}} {
		if schema.VisitJSON(wrong) == nil {
			t.Errorf("the document takes %v", wrong)
		}
	}
}
