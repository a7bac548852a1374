package mastodon

import (
	"context"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/publish"
)

const (
	clockSlack = 2 * time.Minute // a status may look this much older than its intent
	pageSize   = 40              // statuses asked for at a time
	maxPages   = 5               // beyond which a busy account is not searched
	maxSources = 20              // of statuses whose HTML differs, that are read as they were written
)

// Lookup searches the account's own statuses, newest first, back to two minutes
// before d's first attempt by the server's clock, for one that says the same, is no
// reply and has as many media. What this process knows to be another post is
// passed over. The text is compared without white space and mention domains,
// first with the HTML taken off, then as the server says it was written.
//
// Absent means that the whole stretch was read and nothing in it is d's.
func (p *Publisher) Lookup(ctx context.Context, d post.Delivery) (post.Found, error) {
	id, err := p.account(ctx)
	if err != nil {
		return post.Found{}, err
	}
	want := search{p: p, key: d.Post.Key(), text: publish.Bare(p.text(&d)), media: len(d.Content.Media), from: publish.Earliest(&d)}
	path := fmt.Sprintf("/api/v1/accounts/%s/statuses?limit=%d&exclude_reblogs=true", url.PathEscape(id), pageSize)
	before := ""
	for range maxPages {
		var page []status
		a, err := p.ask(ctx, path+before, &page)
		if err != nil {
			return post.Found{}, err
		}
		found, older := want.in(page, a.ClockShift())
		if found != nil {
			return p.present(found, want.key), nil
		}
		if older || len(page) == 0 {
			return want.sources(ctx)
		}
		before = "&max_id=" + url.QueryEscape(page[len(page)-1].ID)
	}
	return post.Found{State: post.Undecidable}, nil
}

// account returns the id of the token's account.
func (p *Publisher) account(ctx context.Context) (string, error) {
	p.mu.Lock()
	id := p.accountID
	p.mu.Unlock()
	if id != "" {
		return id, nil
	}
	var me struct {
		ID string `json:"id"`
	}
	a, err := p.ask(ctx, "/api/v1/accounts/verify_credentials", &me)
	if err != nil {
		return "", err
	}
	if me.ID == "" {
		return "", p.client.Doubt(a, fmt.Errorf("it names no account"))
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.accountID = me.ID
	return me.ID, nil
}

func (p *Publisher) present(s *status, key string) post.Found {
	p.own.Add(s.ID, key)
	r := s.receipt()
	r.Found = true
	return post.Found{State: post.Present, Receipt: r}
}

// search is one look for one post.
type search struct {
	p      *Publisher
	key    string
	text   string
	media  int
	from   time.Time // of the intent, by our clock; zero searches all there is
	unlike []status  // candidates whose HTML says something else
}

// in looks through one page, newest first. older reports that it reached what
// was there before the intent.
func (s *search) in(page []status, shift time.Duration) (found *status, older bool) {
	for i := range page {
		c := &page[i]
		if !s.from.IsZero() && c.CreatedAt.Before(s.from.Add(shift-clockSlack)) {
			return nil, true
		}
		if c.InReplyToID != nil || len(c.Media) != s.media || s.p.own.ByAnother(c.ID, s.key) {
			continue
		}
		if publish.Bare(plain(c.Content)) == s.text {
			return c, false
		}
		s.unlike = append(s.unlike, *c)
	}
	return nil, false
}

// sources decides by what the candidates were written as. A candidate that
// cannot be read leaves it undecided: servers render Markdown and shorten links
// each in their own way.
func (s *search) sources(ctx context.Context) (post.Found, error) {
	if len(s.unlike) > maxSources {
		return post.Found{State: post.Undecidable}, nil
	}
	state := post.Absent
	for i := range s.unlike {
		var source struct {
			Text string `json:"text"`
		}
		a, err := s.p.ask(ctx, "/api/v1/statuses/"+url.PathEscape(s.unlike[i].ID)+"/source", &source)
		switch {
		case a == nil:
			return post.Found{}, err
		case a.Status == http.StatusNotFound && s.gone(ctx, s.unlike[i].ID):
		case err != nil:
			state = post.Undecidable
		case publish.Bare(source.Text) == s.text:
			return s.p.present(&s.unlike[i], s.key), nil
		}
	}
	return post.Found{State: state}, nil
}

// gone reports whether a status has been deleted since it was listed, which
// tells a server without sources from one without the status.
func (s *search) gone(ctx context.Context, id string) bool {
	var c status
	a, _ := s.p.ask(ctx, "/api/v1/statuses/"+url.PathEscape(id), &c)
	return a != nil && a.Status == http.StatusNotFound
}

// plain takes the tags off a status's HTML, with white space where a line ends.
func plain(content string) string {
	var b strings.Builder
	for {
		text, rest, ok := strings.Cut(content, "<")
		b.WriteString(text)
		if !ok {
			return html.UnescapeString(b.String())
		}
		tag, after, ok := strings.Cut(rest, ">")
		if !ok {
			return html.UnescapeString(b.String())
		}
		if strings.HasPrefix(tag, "br") || strings.HasPrefix(tag, "/p") {
			b.WriteByte('\n')
		}
		content = after
	}
}
