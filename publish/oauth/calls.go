package oauth

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/publish"
)

// A refusal is a definite no to a token call.
type refusal struct {
	final bool // what was shown is worth nothing any more: a person must log in
	said  string
}

func (r *refusal) Error() string { return r.said }

// tokenAnswer is what the platforms send (RFC 6749 §5), and what some call it.
type tokenAnswer struct {
	Access     string  `json:"access_token"`
	Refresh    string  `json:"refresh_token"`
	ExpiresIn  seconds `json:"expires_in"`
	RefreshIn  seconds `json:"refresh_token_expires_in"`
	RefreshIn2 seconds `json:"refresh_expires_in"` // TikTok
	Scope      scopes  `json:"scope"`
	Scope2     scopes  `json:"permissions"` // Instagram

	Error       json.RawMessage `json:"error"`
	Description string          `json:"error_description"`
}

// seconds is a length as a number, or as a number in quotes.
type seconds time.Duration

func (s *seconds) UnmarshalJSON(b []byte) error {
	n, err := strconv.ParseFloat(strings.Trim(string(b), `"`), 64)
	if err == nil && n > 0 && n < 1e10 {
		*s = seconds(time.Duration(n) * time.Second)
	}
	return nil // one that makes no sense says nothing
}

// scopes is a list, or a text with spaces (RFC 6749 §3.3) or commas between.
type scopes []string

func (s *scopes) UnmarshalJSON(b []byte) error {
	var list []string
	if json.Unmarshal(b, &list) == nil {
		*s = list
		return nil
	}
	var text string
	if json.Unmarshal(b, &text) == nil {
		*s = strings.FieldsFunc(text, func(r rune) bool { return r == ' ' || r == ',' })
	}
	return nil // one that makes no sense says nothing
}

// exchange turns the code of a login into a grant.
func (s *Source) exchange(ctx context.Context, code, verifier string) (*grant, error) {
	form := url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {s.c.Redirect}}
	if s.c.Provider.pkce != pkceNone {
		form.Set("code_verifier", verifier)
	}
	a, err := s.post(ctx, form)
	if err != nil {
		return nil, err
	}
	allowed := append(a.Scope, a.Scope2...)
	if len(allowed) == 0 {
		allowed = s.c.Provider.Scopes // what was asked for (RFC 6749 §5.1)
	}
	if long := s.c.Provider.long; long != nil {
		q := url.Values{"grant_type": {long.grant}, long.param: {a.Access}, "client_secret": {s.secret()}}
		if long.withID {
			q.Set("client_id", s.c.ClientID)
		}
		if a, err = s.get(ctx, long.url, q); err != nil {
			return nil, fmt.Errorf("make the token a long one: %w", err)
		}
	}
	g := s.granted(a, nil)
	if s.c.Provider.pages != "" {
		if g, err = s.page(ctx, a.Access); err != nil {
			return nil, err
		}
	}
	g.Scopes = allowed
	return g, nil
}

// refresh turns a grant into the next one.
func (s *Source) refresh(ctx context.Context, g *grant) (*grant, error) {
	var a *tokenAnswer
	var err error
	if long := s.c.Provider.long; long != nil {
		a, err = s.get(ctx, long.renewURL, url.Values{"grant_type": {long.renewing}, "access_token": {g.Access}})
	} else {
		a, err = s.post(ctx, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {g.Refresh}})
	}
	if err != nil {
		return nil, err
	}
	return s.granted(a, g), nil
}

// sameEnd is how far apart two answers may put one end of a login: they count the
// seconds that are left, and each takes its own time to come.
const sameEnd = 5 * time.Minute

// granted makes a grant of an answer. What the answer leaves out stays as it was.
func (s *Source) granted(a *tokenAnswer, old *grant) *grant {
	now := s.c.Now()
	g := &grant{Access: a.Access, Refresh: a.Refresh, ObtainedAt: now}
	lifetime := time.Duration(a.ExpiresIn)
	if lifetime == 0 {
		lifetime = s.c.Provider.lifetime
	}
	if lifetime > 0 {
		g.ExpiresAt = now.Add(lifetime)
	}
	if in := time.Duration(max(a.RefreshIn, a.RefreshIn2)); in > 0 {
		g.RefreshEnd = now.Add(in)
	}
	if g.Scopes = a.Scope; old != nil && len(g.Scopes) == 0 {
		g.Scopes = old.Scopes
	}
	if old != nil && g.Refresh == "" {
		g.Refresh = old.Refresh
	}
	switch {
	case old == nil || old.RefreshEnd.IsZero():
	case g.RefreshEnd.IsZero() && g.Refresh == old.Refresh,
		g.RefreshEnd.Sub(old.RefreshEnd).Abs() < sameEnd:
		g.RefreshEnd = old.RefreshEnd
	}
	return g
}

// page exchanges a user's token for that of the page which the connection is.
func (s *Source) page(ctx context.Context, user string) (*grant, error) {
	a, err := s.client.Do(ctx, publish.Request{Method: http.MethodGet, URL: s.c.Provider.pages, Token: user})
	if err != nil {
		return nil, err
	}
	var list struct {
		Data []struct {
			ID    string `json:"id"`
			Token string `json:"access_token"`
		} `json:"data"`
	}
	if a.Status != http.StatusOK || a.Decode(&list) != nil {
		return nil, errors.New("list your pages: " + s.shown(s.client.Refusal(a).Message))
	}
	var ids []string
	for _, p := range list.Data {
		if p.ID == s.c.Connection.Raw() && p.Token != "" {
			return &grant{Access: p.Token, ObtainedAt: s.c.Now()}, nil
		}
		ids = append(ids, "facebook-"+p.ID)
	}
	if len(ids) == 0 {
		return nil, errors.New("this login manages no page: choose the pages when Facebook asks which postroom may use")
	}
	return nil, fmt.Errorf("this login does not manage page %s: the connection's id is one of %s", s.c.Connection.Raw(), strings.Join(ids, ", "))
}

func (s *Source) secret() string {
	if s.c.Secret == nil {
		return ""
	}
	return s.c.Secret()
}

// basicPair is what names the client in an Authorization header: both parts are
// form-encoded first (RFC 6749 §2.3.1).
func (s *Source) basicPair() string {
	return url.QueryEscape(s.c.ClientID) + ":" + url.QueryEscape(s.secret())
}

// post makes a call to the token address.
func (s *Source) post(ctx context.Context, form url.Values) (*tokenAnswer, error) {
	p, header := &s.c.Provider, http.Header{"Accept": {"application/json"}}
	id := "client_id"
	if p.clientKey {
		id = "client_key"
	}
	if p.basic && s.secret() != "" {
		header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(s.basicPair())))
	} else {
		form.Set(id, s.c.ClientID)
		if s.secret() != "" {
			form.Set("client_secret", s.secret())
		}
	}
	a, err := s.client.Do(ctx, publish.Request{
		Method: http.MethodPost, URL: p.TokenURL, Header: header, Type: "application/x-www-form-urlencoded", Body: []byte(form.Encode()),
	})
	return s.answered(a, err)
}

// get makes one of Meta's token calls, which take all in the query.
func (s *Source) get(ctx context.Context, address string, q url.Values) (*tokenAnswer, error) {
	a, err := s.client.Do(ctx, publish.Request{Method: http.MethodGet, URL: address + "?" + q.Encode()})
	return s.answered(a, err)
}

// answered reads the answer to a token call. The error is a *refusal when the
// platform said no, else a *post.Failure.
func (s *Source) answered(a *publish.Answer, err error) (*tokenAnswer, error) {
	if err != nil {
		return nil, err
	}
	var t tokenAnswer
	bad := a.Decode(&t)
	if bad == nil && a.Status == http.StatusOK && t.Access != "" {
		return &t, nil
	}
	f := s.client.Refusal(a)
	if a.Status >= 500 || f.Class == post.ClassRate {
		return nil, f
	}
	if bad != nil {
		return nil, &post.Failure{Class: post.ClassServer, Message: fmt.Sprintf("the token address answered %d with something else than JSON", a.Status)}
	}
	code, words := t.why()
	if code == "" && words == "" {
		words = f.Message
	}
	return nil, &refusal{final: code == "invalid_grant", said: s.shown(strings.TrimSpace(code + " " + words))}
}

// why returns the code and the words of an error: a text and its description
// (RFC 6749 §5.2), or Meta's map, of which code 190 says that the token is over.
func (t *tokenAnswer) why() (code, words string) {
	if json.Unmarshal(t.Error, &code) == nil {
		return code, t.Description
	}
	var meta struct {
		Message string `json:"message"`
		Code    int    `json:"code"`
	}
	if json.Unmarshal(t.Error, &meta) == nil && meta.Code == 190 {
		return "invalid_grant", meta.Message
	}
	return "", meta.Message
}
