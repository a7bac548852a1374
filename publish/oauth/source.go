package oauth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/publish"
)

// A Shelf keeps the grant of one connection, unreadable to others. Several
// processes may share it.
type Shelf interface {
	// Get returns what was put; nil when there is nothing.
	Get() ([]byte, error)

	// Put is durable when it returns.
	Put(ctx context.Context, grant []byte) error

	// Lock makes the caller the only one, of all processes, that renews.
	Lock(ctx context.Context) (unlock func(), err error)
}

// Config is one connection's client of a platform.
type Config struct {
	Connection post.ConnectionID
	Provider   Provider
	ClientID   string
	Secret     func() string // of the client; "" for a public one
	Redirect   string        // registered with the platform
	Shelf      Shelf
	Transport  http.RoundTripper // nil for the network
	Now        func() time.Time  // nil for time.Now
}

// A Source gives a connection its token, renewed in time. It is a
// [publish.Tokens]. What it knows stands on its shelf and nowhere else, so any
// number of processes may use one grant.
type Source struct {
	c      Config
	client *publish.Client
}

// New makes a Source. It calls nobody.
func New(c Config) (*Source, error) {
	if c.ClientID == "" {
		return nil, errors.New("oauth: client_id: want the id of your app on the platform")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	s := &Source{c: c}
	s.client = publish.NewClient(publish.ClientOptions{Transport: c.Transport, Timeout: 30 * time.Second, Now: c.Now, Secrets: s.secrets})
	return s, nil
}

// A State is what people may know of a grant.
type State struct {
	LoggedIn  bool      `json:"logged_in"`
	ExpiresAt time.Time `json:"expires_at,omitzero"` // of what a person must renew; zero when that is not known, or never
	Parked    string    `json:"parked,omitempty"`    // why a person must log in again; "" when all is well
	Scopes    []string  `json:"scopes,omitempty"`    // what the platform allowed, as far as it said; nil when that is not known

	renewsAt time.Time // when postroom puts ExpiresAt off by itself; zero when it cannot
}

// EndsBy reports whether the login ends by at unless a person acts. A token that
// renews itself does so some days before; it is counted from then on, when that
// did not go well.
func (s State) EndsBy(at, now time.Time) bool {
	return s.LoggedIn && !s.ExpiresAt.IsZero() && !s.ExpiresAt.After(at) && (s.renewsAt.IsZero() || now.After(s.renewsAt))
}

// Missing lists those of the scopes that the login does not have.
func (s State) Missing(scopes []string) (missing []string) {
	for _, scope := range scopes {
		if s.Scopes != nil && !slices.Contains(s.Scopes, scope) {
			missing = append(missing, scope)
		}
	}
	return missing
}

// Why returns why nothing can be sent before a person logs in; "" when it can.
func (s State) Why() string {
	if !s.LoggedIn {
		return "nobody has logged in"
	}
	return s.Parked
}

// grant is what is kept.
type grant struct {
	Access     string    `json:"access"`
	Refresh    string    `json:"refresh,omitempty"`
	ObtainedAt time.Time `json:"obtained_at"`
	ExpiresAt  time.Time `json:"expires_at,omitzero"`         // of Access; zero for never
	RefreshEnd time.Time `json:"refresh_expires_at,omitzero"` // of Refresh; zero when not known
	Parked     string    `json:"parked,omitempty"`
	Scopes     []string  `json:"scopes,omitempty"`

	// RenewingAt is when a renewal began whose end is not known: its answer was
	// lost, and with it maybe the only refresh token that works.
	RenewingAt time.Time `json:"renewing_at,omitzero"`
}

// early is how long before its end a token is renewed: a tenth of its life, and
// never so late that a send outlives it.
func (g *grant) early() time.Duration {
	return min(max(g.ExpiresAt.Sub(g.ObtainedAt)/10, 5*time.Minute), 7*days)
}

func (g *grant) ends(now time.Time) bool {
	return !g.ExpiresAt.IsZero() && !now.Before(g.ExpiresAt)
}

func (g *grant) endsSoon(now time.Time) bool {
	return !g.ExpiresAt.IsZero() && !now.Before(g.ExpiresAt.Add(-g.early()))
}

// renewable reports whether there is something to renew g with.
func (s *Source) renewable(g *grant) bool {
	if s.c.Provider.long != nil {
		return s.c.Provider.long.renewing != ""
	}
	return g.Refresh != ""
}

// Token returns the access token. One that ends soon is renewed first; when that
// fails for now, the token is given all the same as long as it is good.
func (s *Source) Token(ctx context.Context) (string, error) {
	g, err := s.load()
	if err != nil {
		return "", err
	}
	now := s.c.Now()
	if !g.endsSoon(now) {
		return g.Access, nil
	}
	if !s.renewable(g) {
		if g.ends(now) {
			return "", s.mustLogIn("the token ended on " + g.ExpiresAt.UTC().Format(time.DateOnly))
		}
		return g.Access, nil
	}
	renewed, err := s.renew(ctx, func(g *grant) bool { return g.endsSoon(now) })
	if err == nil {
		return renewed.Access, nil
	}
	if f, ok := errors.AsType[*post.Failure](err); ok && f.Class == post.ClassAuth || g.ends(now) {
		return "", err
	}
	return g.Access, nil
}

// Renew returns another token than the one that was refused.
func (s *Source) Renew(ctx context.Context, refused string) (string, error) {
	g, err := s.load()
	if err != nil {
		return "", err
	}
	if g.Access == refused && !s.renewable(g) {
		return "", s.mustLogIn("the platform refuses the token, and gave nothing to renew it with")
	}
	if g, err = s.renew(ctx, func(g *grant) bool { return g.Access == refused }); err != nil {
		return "", err
	}
	return g.Access, nil
}

// State returns what is known of the grant without a call.
func (s *Source) State() (State, error) {
	g, err := s.read()
	if err != nil || g == nil {
		return State{}, err
	}
	st := State{LoggedIn: true, ExpiresAt: g.ExpiresAt, Parked: g.Parked, Scopes: g.Scopes}
	switch {
	case g.Refresh != "":
		st.ExpiresAt = g.RefreshEnd // the access token renews itself
	case s.renewable(g) && !g.ExpiresAt.IsZero():
		st.renewsAt = g.ExpiresAt.Add(-g.early())
	}
	return st, nil
}

// renew replaces the grant if it still wants that once nobody else is at it. The
// new one is on disk before anybody is given it.
func (s *Source) renew(ctx context.Context, wants func(*grant) bool) (*grant, error) {
	unlock, err := s.c.Shelf.Lock(ctx)
	if err != nil {
		return nil, s.notNow(fmt.Errorf("wait for another renewal: %w", err))
	}
	defer unlock()
	g, err := s.load()
	if err != nil || !wants(g) {
		return g, err
	}
	lost := !g.RenewingAt.IsZero()
	g.RenewingAt = s.c.Now()
	if err := s.keep(ctx, g); err != nil {
		return nil, s.notNow(err)
	}
	renewed, err := s.refresh(ctx, g)
	if r, ok := errors.AsType[*refusal](err); ok {
		g.RenewingAt = time.Time{}
		if r.final {
			g.Parked = "the platform no longer renews the token: " + r.Error()
			if lost {
				g.Parked += " (an earlier renewal was cut off, and its answer lost)"
			}
		}
		if err := s.keep(context.WithoutCancel(ctx), g); err != nil {
			return nil, s.notNow(err)
		}
		if r.final {
			return nil, s.mustLogIn(g.Parked)
		}
		return nil, s.failure(post.ClassAuth, "the token is not renewed: "+r.Error())
	}
	if err != nil {
		return nil, s.notNow(err)
	}
	// The old refresh token may be worth nothing by now: a stop must not lose the new one.
	if err := s.keep(context.WithoutCancel(ctx), renewed); err != nil {
		return nil, s.notNow(fmt.Errorf("keep the renewed token: %w", err))
	}
	return renewed, nil
}

// load returns a grant that can be used.
func (s *Source) load() (*grant, error) {
	g, err := s.read()
	switch {
	case err != nil:
		return nil, s.failure(post.ClassAuth, "the stored login cannot be read: "+err.Error())
	case g == nil:
		return nil, s.mustLogIn("nobody has logged in")
	case g.Parked != "":
		return nil, s.mustLogIn(g.Parked)
	}
	return g, nil
}

// read returns the grant, nil when there is none.
func (s *Source) read() (*grant, error) {
	b, err := s.c.Shelf.Get()
	if b == nil || err != nil {
		return nil, err
	}
	g := new(grant)
	if json.Unmarshal(b, g) != nil {
		return nil, errors.New("it is of another form") // the text of the error would show a part of it
	}
	return g, nil
}

func (s *Source) keep(ctx context.Context, g *grant) error {
	b, err := json.Marshal(g)
	if err != nil {
		return err
	}
	return s.c.Shelf.Put(ctx, b)
}

// secrets are those that no error may show.
func (s *Source) secrets() []string {
	all := []string{}
	if s.secret() != "" {
		all = append(all, s.basicPair(), s.secret())
	}
	if g, err := s.read(); g != nil && err == nil {
		all = append(all, g.Access, g.Refresh)
	}
	return all
}

// shown makes a platform's words fit for one line.
func (s *Source) shown(text string) string {
	text = strings.Join(strings.Fields(s.client.Scrub(text)), " ")
	if r := []rune(text); len(r) > 200 {
		text = string(r[:200]) + "…"
	}
	return text
}

func (s *Source) failure(class post.Class, why string) *post.Failure {
	return &post.Failure{Class: class, Sent: post.SentNot, Scope: post.ScopeConnection, Message: why}
}

// mustLogIn is the failure that only a person can mend.
func (s *Source) mustLogIn(why string) *post.Failure {
	return s.failure(post.ClassAuth, fmt.Sprintf("%s: log in with `postroom connections login %s`", why, s.c.Connection))
}

// notNow is the failure of a renewal that may go well later. No post was sent,
// whatever became of the renewal.
func (s *Source) notNow(err error) *post.Failure {
	f, ok := errors.AsType[*post.Failure](err)
	if !ok {
		return s.failure(post.ClassServer, "the token is not renewed for now: "+s.shown(err.Error()))
	}
	g := *f
	g.Sent, g.Scope, g.Message = post.SentNot, post.ScopeConnection, "the token is not renewed for now: "+f.Message
	return &g
}
