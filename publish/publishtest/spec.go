package publishtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
)

// Without decoders of their own, media in forms cannot be checked at all.
var decodeMedia = sync.OnceFunc(func() {
	for _, t := range []string{"image/png", "image/jpeg", "image/gif", "image/webp", "video/mp4"} {
		openapi3filter.RegisterBodyDecoder(t, openapi3filter.FileBodyDecoder)
	}
})

// A Spec stands before the fake of a platform and holds each call and each
// answer against the platform's own OpenAPI document, so that neither the
// publisher nor the fake drifts from it. Answers that a [Fault] spoils are not
// checked.
type Spec struct {
	Partial bool // the document describes only a part of what is called

	t      testing.TB
	router routers.Router // nil without the document
	fake   http.Handler
}

// NewSpec returns a fake with the document called name before it. The documents
// are not in the repository: where they are not beside it, in ../shared/specs or
// the folder that POSTROOM_SPECS names, the test says so and the fake stands
// alone.
func NewSpec(t testing.TB, name string, fake http.Handler) *Spec {
	t.Helper()
	decodeMedia()
	router, err := routerOf(filepath.Join(specs(t), name))
	if errors.Is(err, fs.ErrNotExist) {
		t.Logf("no %s, so no call is held against it: set POSTROOM_SPECS to the folder with the platforms' OpenAPI documents", name)
		return &Spec{t: t, fake: fake}
	}
	if err != nil {
		t.Fatal(err)
	}
	return &Spec{t: t, router: router, fake: fake}
}

// Documented skips a test that shows nothing without the document called name.
func Documented(t testing.TB, name string) {
	t.Helper()
	if _, err := os.Stat(filepath.Join(specs(t), name)); err != nil {
		t.Skipf("no %s: set POSTROOM_SPECS to the folder with the platforms' OpenAPI documents", name)
	}
}

var loaded = struct {
	sync.Mutex
	routers map[string]routers.Router // by path: a document takes a while to load
}{routers: map[string]routers.Router{}}

func routerOf(path string) (routers.Router, error) {
	loaded.Lock()
	defer loaded.Unlock()
	if r := loaded.routers[path]; r != nil {
		return r, nil
	}
	doc, err := openapi3.NewLoader().LoadFromFile(path)
	if err != nil {
		return nil, err
	}
	doc.Servers = nil // the fake is elsewhere
	r, err := gorillamux.NewRouter(doc)
	if err != nil {
		return nil, err
	}
	loaded.routers[path] = r
	return r, nil
}

// specs returns the folder of documents, looking beside the repository that the
// test runs in.
func specs(t testing.TB) string {
	if dir := os.Getenv("POSTROOM_SPECS"); dir != "" {
		return dir
	}
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return filepath.Join(filepath.Dir(dir), "shared", "specs")
		}
		if dir == filepath.Dir(dir) {
			t.Fatal("no go.mod above this folder")
		}
		dir = filepath.Dir(dir)
	}
}

// ServeHTTP checks the call, has the fake answer it, and checks the answer.
func (s *Spec) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.router == nil {
		s.fake.ServeHTTP(w, r)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	call := fmt.Sprintf("%s %s", r.Method, r.URL.Path)
	r.Body = io.NopCloser(bytes.NewReader(body))
	route, params, err := s.router.FindRoute(r)
	if err != nil {
		if !s.Partial {
			s.t.Errorf("%s is not in the document: %v", call, err)
		}
		s.fake.ServeHTTP(w, r)
		return
	}
	in := &openapi3filter.RequestValidationInput{
		Request: r, PathParams: params, Route: route,
		Options: &openapi3filter.Options{MultiError: true, AuthenticationFunc: openapi3filter.NoopAuthenticationFunc},
	}
	if err := openapi3filter.ValidateRequest(r.Context(), in); err != nil && !s.stranger(err) {
		s.t.Errorf("%s does not keep to the document: %v", call, err)
	}
	s.fields(call, r, route, body)

	r.Body = io.NopCloser(bytes.NewReader(body))
	seen := &witness{ResponseWriter: w}
	s.fake.ServeHTTP(seen, r)
	s.answer(in, call, seen)
}

// witness keeps what an answer says while it goes out.
type witness struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

// WriteHeader notes the status.
func (w *witness) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Write keeps b.
func (w *witness) Write(b []byte) (int, error) {
	w.body.Write(b)
	return w.ResponseWriter.Write(b)
}

// stranger reports whether err only says that the validator cannot read such a
// body: what can be checked of it was.
func (s *Spec) stranger(err error) bool {
	_, unread := errors.AsType[*openapi3filter.ParseError](err)
	return unread && strings.Contains(err.Error(), "unsupported")
}

// fields checks that a form holds nothing that the document does not know, which
// the validator leaves to others.
func (s *Spec) fields(call string, r *http.Request, route *routers.Route, body []byte) {
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if kind != "application/x-www-form-urlencoded" || route.Operation.RequestBody == nil {
		return
	}
	wanted := route.Operation.RequestBody.Value.Content.Get(kind)
	if wanted == nil || wanted.Schema == nil {
		return
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		s.t.Errorf("%s: the form cannot be read: %v", call, err)
	}
	for _, name := range slices.Sorted(maps.Keys(form)) {
		if wanted.Schema.Value.Properties[name] == nil {
			s.t.Errorf("%s: the document knows no field %s", call, name)
		}
	}
}

// answer checks what the fake said, unless it was a refusal or a fault.
func (s *Spec) answer(in *openapi3filter.RequestValidationInput, call string, seen *witness) {
	if seen.status >= 300 || seen.Header().Get(faultHeader) != "" {
		return
	}
	out := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: in, Status: max(seen.status, http.StatusOK), Header: seen.Header(), Options: &openapi3filter.Options{MultiError: true},
	}
	out.SetBodyBytes(seen.body.Bytes())
	if err := openapi3filter.ValidateResponse(context.Background(), out); err != nil {
		s.t.Errorf("the fake's answer to %s does not keep to the document: %v", call, err)
	}
}
