package wordpress

import (
	"context"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/publish"
)

// roots are where the REST API may be below a site's URL: sites with plain
// permalinks know the second only.
var roots = []string{"/wp-json", "/?rest_route="}

// call makes a call of the REST API and reads its answer, a success, into v. The
// error is a *post.Failure.
func (p *Publisher) call(ctx context.Context, r publish.Request, path string, query url.Values, v any) (*publish.Answer, error) {
	root, err := p.find(ctx)
	if err != nil {
		return nil, err
	}
	a, err := p.do(ctx, r, root, path, query)
	if err != nil {
		return nil, err
	}
	if a.Status < 200 || a.Status > 299 {
		return a, p.refusal(a)
	}
	if err := a.Decode(v); err != nil {
		return a, p.client.Doubt(a, err)
	}
	return a, nil
}

func (p *Publisher) do(ctx context.Context, r publish.Request, root, path string, query url.Values) (*publish.Answer, error) {
	if r.Header == nil {
		r.Header = http.Header{}
	}
	r.Header.Set("Authorization", "Basic "+p.config.basic())
	r.URL = p.config.Server + root + path
	if len(query) > 0 {
		mark := "?"
		if strings.Contains(root, "?") {
			mark = "&"
		}
		r.URL += mark + query.Encode()
	}
	return p.client.Do(ctx, r)
}

// find returns where the site's REST API is, and asks the site once. Nothing was
// sent when it fails.
func (p *Publisher) find(ctx context.Context) (string, error) {
	p.mu.Lock()
	root := p.root
	p.mu.Unlock()
	if root != "" {
		return root, nil
	}
	var first *post.Failure
	for _, root := range roots {
		a, err := p.do(ctx, publish.Request{Method: http.MethodGet}, root, "/", url.Values{"_fields": {"namespaces"}})
		if err != nil {
			return "", publish.Unsent(err)
		}
		var index struct {
			Namespaces []string `json:"namespaces"`
			Code       string   `json:"code"`
		}
		err = a.Decode(&index)
		switch {
		case a.Status == http.StatusOK && slices.Contains(index.Namespaces, "wp/v2"):
			p.mu.Lock()
			p.root = root
			p.mu.Unlock()
			return root, nil
		case err == nil && index.Code != "", a.Status >= 500, a.Status == http.StatusTooManyRequests:
			return "", publish.Unsent(p.refusal(a)) // it is there, and says no
		case first == nil && a.Status < 300:
			first = &post.Failure{Class: post.ClassInvalid, Sent: post.SentNot, Scope: post.ScopeConnection, Status: a.Status, Message: notThere}
		case first == nil:
			first = p.refusal(a)
		}
	}
	return "", first
}

const notThere = "no REST API of WordPress answers at the address of server: it is blocked there, or the address is not that of the site"

var marks = regexp.MustCompile(`<[^>]*>`)

// refusal classifies an answer. What WordPress says counts more than the status: a
// file that is refused is a 500.
func (p *Publisher) refusal(a *publish.Answer) *post.Failure {
	f := p.client.Refusal(a)
	var said struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	}
	if a.Decode(&said) != nil { // something else than WordPress answers
		if f.Sent == post.Refused && (a.Status == http.StatusForbidden || a.Status == http.StatusNotFound) {
			f.Scope, f.Message = post.ScopeConnection, notThere
		}
		return f
	}
	if strings.Contains(said.Message, "<") {
		f.Message = p.client.Shown(html.UnescapeString(marks.ReplaceAllString(said.Message, "")))
	}
	switch code := said.Code; {
	case code == "rest_upload_file_too_big", code == "rest_upload_limited_space", code == "rest_upload_user_quota_exceeded":
		f.Class, f.Sent, f.Scope = post.ClassLarge, post.Refused, post.ScopePost
	case strings.HasPrefix(code, "rest_upload_"):
		f.Class, f.Sent, f.Scope = post.ClassInvalid, post.Refused, post.ScopePost
	case code == "rest_no_route":
		f.Scope, f.Message = post.ScopeConnection, "the site has switched this part of the REST API off: "+f.Message
	}
	return f
}
