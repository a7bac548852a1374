// Package youtube publishes films to a channel on YouTube, by resumable uploads.
//
// The address of an upload is the checkpoint: YouTube says there how much it has,
// and once it has all of it which film it has become, so that no film goes out
// twice.
package youtube

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/postroom/postroom/limits"
	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/publish"
)

// API is where YouTube answers.
const API = "https://youtube.googleapis.com"

// Config says what a YouTube connection is like.
type Config struct {
	Connection post.ConnectionID
	Tokens     publish.Tokens     // scopes youtube.upload youtube.readonly
	Category   string             // the number of a category, "22" (people and blogs) when ""
	ForKids    bool               // films are made for children
	API        string             // [API] when ""
	Media      *publish.MediaRoom // gives the films
	Timeout    time.Duration      // of one call, or without progress of a film; 60 s when 0
	Now        func() time.Time   // time.Now when nil
	Transport  http.RoundTripper  // instead of the network, for tests
}

// A Publisher posts to one channel.
type Publisher struct {
	config Config
	api    string
	client *publish.Client
	rules  publish.Rules
}

// New returns a publisher. It calls nobody.
func New(c Config) (*Publisher, error) {
	if c.API == "" {
		c.API = API
	}
	if c.Category == "" {
		c.Category = "22"
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if err := publish.CheckServer(c.API, false); err != nil {
		return nil, fmt.Errorf("youtube %s: api: %w, like %s", c.Connection, err, API)
	}
	if c.Tokens == nil {
		return nil, fmt.Errorf("youtube %s: want a token", c.Connection)
	}
	if _, err := strconv.ParseUint(c.Category, 10, 16); err != nil {
		return nil, fmt.Errorf("youtube %s: category: want a number like 22", c.Connection)
	}
	table, _ := limits.PlatformByKey("youtube")
	return &Publisher{
		config: c, api: strings.TrimSuffix(c.API, "/"), rules: publish.Rules{Limits: table, Media: c.Media},
		client: publish.NewClient(publish.ClientOptions{Transport: c.Transport, Timeout: c.Timeout, Now: c.Now}),
	}, nil
}

// settings are what platform_settings may say under "youtube" (CONTRACT §5.3).
type settings struct {
	Privacy string `json:"privacy"`
	Title   string `json:"title"`
}

func settingsOf(c *post.Content) (settings, error) {
	all := struct {
		YouTube settings `json:"youtube"`
	}{settings{Privacy: "public"}}
	if len(c.Settings) > 0 {
		if err := json.Unmarshal(c.Settings, &all); err != nil {
			return all.YouTube, fmt.Errorf(`an object like {"youtube": {"privacy": "unlisted", "title": "…"}}`)
		}
	}
	switch all.YouTube.Privacy {
	case "":
		all.YouTube.Privacy = "public"
	case "public", "unlisted", "private":
	default:
		return all.YouTube, fmt.Errorf("privacy public, unlisted or private, not %q", all.YouTube.Privacy)
	}
	return all.YouTube, nil
}

const (
	mostTitle   = 100 // characters
	cutTitle    = 70  // of the text, for a film without a title (CONTRACT §5.3)
	wrongTitle  = "<>"
	codeTooLong = "TITLE_TOO_LONG"
)

// title is what a film is called: as the settings or the post say, else how its
// text begins.
func title(c *post.Content, s *settings, text string) string {
	if s.Title != "" {
		return s.Title
	}
	if c.Title != "" {
		return c.Title
	}
	line := strings.Map(func(r rune) rune {
		if strings.ContainsRune(wrongTitle, r) {
			return -1
		}
		return r
	}, strings.Join(strings.Fields(text), " "))
	if utf8.RuneCountInString(line) <= cutTitle {
		return line
	}
	cut := string([]rune(line)[:cutTitle])
	if at := strings.LastIndexByte(cut, ' '); at > cutTitle/2 {
		cut = cut[:at]
	}
	return cut
}

// Validate checks c against the limits of YouTube.
func (p *Publisher) Validate(c *post.Content) []post.Problem {
	problems := p.rules.Validate(c)
	s, err := settingsOf(c)
	if err != nil {
		problems = append(problems, post.Problem{
			Platform: "youtube", Field: "platform_settings", Code: publish.CodeSettingInvalid, Want: err.Error(), Hint: "correct it, or take it out",
		})
	}
	called := title(c, &s, publish.Compose(c, &p.rules.Limits))
	wrong := func(code, want string) {
		problems = append(problems, post.Problem{Platform: "youtube", Field: "title", Code: code, Got: post.Shorten(called), Want: want, Hint: "change the title"})
	}
	switch {
	case utf8.RuneCountInString(called) > mostTitle:
		wrong(codeTooLong, fmt.Sprintf("a title of at most %d characters", mostTitle))
	case strings.ContainsAny(called, wrongTitle):
		wrong(publish.CodeInvalid, "a title without < and >")
	case called == "":
		wrong(publish.CodeInvalid, "a title")
	}
	return problems
}

// Pace returns what YouTube last said of its rate limit.
func (p *Publisher) Pace() publish.Pace { return p.client.Pace() }

// state is the checkpoint of a post.
type state struct {
	Session string    `json:"session,omitempty"` // open to whoever has it
	Begun   bool      `json:"begun,omitempty"`   // bytes were sent there
	Till    time.Time `json:"till,omitzero"`     // when YouTube forgets it
}

// sessionLife is less than the week for which YouTube keeps an upload.
const sessionLife = 6 * 24 * time.Hour

// video is what we read of one.
type video struct {
	ID string `json:"id"`
}

func permalink(id string) string { return "https://www.youtube.com/watch?v=" + url.QueryEscape(id) }

// Publish uploads the film, or what is left of it.
func (p *Publisher) Publish(ctx context.Context, d post.Delivery, save publish.Save) (post.Receipt, error) {
	s, err := settingsOf(&d.Content)
	if err != nil {
		return post.Receipt{}, &post.Failure{Class: post.ClassInvalid, Sent: post.SentNot, Message: "platform_settings: " + err.Error()}
	}
	if p.config.Media == nil {
		return post.Receipt{}, publish.NoMediaRoom()
	}
	if len(d.Content.Media) == 0 {
		return post.Receipt{}, &post.Failure{Class: post.ClassInvalid, Sent: post.SentNot, Message: "YouTube takes no post without a film"}
	}
	film, err := p.config.Media.Ready(ctx, d.Content.Media[0], &p.rules.Limits.Media)
	if err != nil {
		return post.Receipt{}, err
	}
	defer film.Close()
	var st state
	if json.Unmarshal(d.Post.State, &st) != nil || !st.Begun && !st.Till.After(p.config.Now()) {
		st = state{}
	}
	from := int64(0)
	if st.Begun {
		v, next, err := p.ask(ctx, st.Session, film.Size)
		if err != nil {
			return post.Receipt{}, err
		}
		if v.ID != "" {
			return post.Receipt{RemoteID: v.ID, URL: permalink(v.ID), PublishedAt: p.config.Now().UTC(), Found: true}, nil
		}
		if next == film.Size {
			return post.Receipt{}, notDone()
		}
		from = next
	}
	if st.Session == "" {
		if st.Session, err = p.begin(ctx, &d.Content, &s, film); err != nil {
			return post.Receipt{}, publish.Unsent(err)
		}
		st.Till = p.config.Now().Add(sessionLife)
	}
	if !st.Begun {
		st.Begun = true
		if err := publish.SaveState(save, st); err != nil {
			return post.Receipt{}, err
		}
	}
	return p.send(ctx, st.Session, film, from, save)
}

// begin asks for an upload. Nothing is published before the bytes are there.
func (p *Publisher) begin(ctx context.Context, c *post.Content, s *settings, film *publish.MediaFile) (string, error) {
	text := publish.Compose(c, &p.rules.Limits)
	r := publish.Request{Method: http.MethodPost, URL: p.api + "/upload/youtube/v3/videos?uploadType=resumable&part=snippet,status"}
	if err := r.AsJSON(map[string]any{
		"snippet": map[string]any{"title": title(c, s, text), "description": text, "categoryId": p.config.Category},
		"status":  map[string]any{"privacyStatus": s.Privacy, "selfDeclaredMadeForKids": p.config.ForKids},
	}); err != nil {
		return "", err
	}
	r.Header = http.Header{"X-Upload-Content-Type": {film.Type}, "X-Upload-Content-Length": {strconv.FormatInt(film.Size, 10)}}
	a, err := p.client.DoAs(ctx, p.config.Tokens, r)
	if err != nil {
		return "", err
	}
	if a.Status != http.StatusOK {
		return "", p.refusal(a)
	}
	session := a.Header.Get("Location")
	if !publish.IsOf(session, p.api, "googleapis.com") { // the token goes there
		return "", p.client.Doubt(a, errors.New("it names no upload"))
	}
	return session, nil
}

// statusResume is what YouTube answers to an upload that is not complete.
const statusResume = http.StatusPermanentRedirect // 308, "Resume Incomplete"

// send uploads the film from a byte on. The address may turn the last byte into a
// film, whatever the answer says.
func (p *Publisher) send(ctx context.Context, session string, film *publish.MediaFile, from int64, alive publish.Save) (post.Receipt, error) {
	a, err := p.client.DoAs(ctx, p.config.Tokens, publish.Request{
		Method: http.MethodPut, URL: session, Type: film.Type, Stream: io.NewSectionReader(film, from, film.Size-from), Size: film.Size - from, Alive: alive,
		Header: http.Header{"Content-Range": {fmt.Sprintf("bytes %d-%d/%d", from, film.Size-1, film.Size)}},
	})
	if err != nil {
		return post.Receipt{}, err
	}
	if a.Status == statusResume && a.Header.Get("Location") == "" {
		return post.Receipt{}, &post.Failure{Class: post.ClassServer, Sent: post.Refused, Status: a.Status, Message: "YouTube wants more of the film: it is sent again from there"}
	}
	if a.Status != http.StatusOK && a.Status != http.StatusCreated {
		return post.Receipt{}, p.refusal(a)
	}
	var v video
	if err := a.Decode(&v); err != nil {
		return post.Receipt{}, p.client.Doubt(a, err)
	}
	if v.ID == "" {
		return post.Receipt{}, p.client.Doubt(a, errors.New("it names no film"))
	}
	return post.Receipt{RemoteID: v.ID, URL: permalink(v.ID), PublishedAt: a.At.UTC()}, nil
}

// notDone is the failure of a film that YouTube has whole and says nothing more of yet.
func notDone() *post.Failure {
	return &post.Failure{Class: post.ClassServer, Sent: post.SentMaybe, Message: "YouTube has all of the film, and has not made a video of it yet"}
}

// ask asks an upload how far it is: what film it has become, or which byte is
// wanted next. What has been sent to an upload that is gone may be live.
func (p *Publisher) ask(ctx context.Context, session string, size int64) (v video, next int64, err error) {
	total := "*" // of media that are not in the room, the size is not known beforehand
	if size > 0 {
		total = strconv.FormatInt(size, 10)
	}
	a, err := p.client.DoAs(ctx, p.config.Tokens, publish.Request{
		Method: http.MethodPut, URL: session, Body: []byte{}, Header: http.Header{"Content-Range": {"bytes */" + total}},
	})
	if err != nil {
		return video{}, 0, err
	}
	switch {
	case a.Status == http.StatusOK || a.Status == http.StatusCreated:
		if err := a.Decode(&v); err != nil || v.ID == "" {
			return video{}, 0, p.client.Doubt(a, errors.Join(err, errors.New("it names no film")))
		}
		return v, 0, nil
	case a.Status == statusResume && a.Header.Get("Location") == "":
		_, last, _ := strings.Cut(a.Header.Get("Range"), "-")
		if n, err := strconv.ParseInt(last, 10, 64); err == nil && n >= 0 && (size == 0 || n < size) {
			next = n + 1
		}
		return video{}, next, nil
	}
	f := p.refusal(a)
	if a.Status == http.StatusNotFound || a.Status == http.StatusGone {
		f.Class, f.Sent, f.Message = post.ClassServer, post.SentMaybe, "YouTube has forgotten the upload, and does not say whether it was complete: look at the channel"
	}
	return video{}, 0, f
}

// Lookup asks the upload what has become of it.
func (p *Publisher) Lookup(ctx context.Context, d post.Delivery) (post.Found, error) {
	var st state
	if json.Unmarshal(d.Post.State, &st) != nil || !st.Begun {
		return post.Found{State: post.Absent}, nil // no byte was ever sent
	}
	size := d.Content.Media[0].Pin.Size
	v, next, err := p.ask(ctx, st.Session, size)
	if f, ok := errors.AsType[*post.Failure](err); ok && (f.Status == http.StatusNotFound || f.Status == http.StatusGone) {
		return post.Found{State: post.Undecidable}, nil
	}
	if err != nil {
		return post.Found{}, err
	}
	switch {
	case v.ID == "" && size > 0 && next == size:
		return post.Found{}, notDone()
	case v.ID == "":
		return post.Found{State: post.Absent}, nil
	}
	return post.Found{State: post.Present, Receipt: post.Receipt{RemoteID: v.ID, URL: permalink(v.ID), PublishedAt: p.config.Now().UTC(), Found: true}}, nil
}

// Check asks whose channel it is.
func (p *Publisher) Check(ctx context.Context) (post.Identity, error) {
	a, err := p.client.DoAs(ctx, p.config.Tokens, publish.Request{Method: http.MethodGet, URL: p.api + "/youtube/v3/channels?part=snippet&mine=true"})
	if err != nil {
		return post.Identity{}, err
	}
	if a.Status != http.StatusOK {
		return post.Identity{}, p.refusal(a)
	}
	var got struct {
		Items []struct {
			ID      string `json:"id"`
			Snippet struct {
				Title string `json:"title"`
				URL   string `json:"customUrl"`
			} `json:"snippet"`
		} `json:"items"`
	}
	if err := a.Decode(&got); err != nil {
		return post.Identity{}, p.client.Doubt(a, err)
	}
	if len(got.Items) == 0 {
		return post.Identity{}, &post.Failure{Class: post.ClassAuth, Sent: post.Refused, Scope: post.ScopeConnection, Message: "the Google account has no YouTube channel"}
	}
	c := &got.Items[0]
	name := c.Snippet.URL
	if name == "" {
		name = c.Snippet.Title
	}
	return post.Identity{Username: name, DisplayName: c.Snippet.Title, ProfileURL: "https://www.youtube.com/channel/" + url.PathEscape(c.ID)}, nil
}

// refusal classifies an answer by its reason (PLATFORMS §2.8).
func (p *Publisher) refusal(a *publish.Answer) *post.Failure {
	f := p.client.Refusal(a)
	var said struct {
		Error struct {
			Message string `json:"message"`
			Errors  []struct {
				Reason string `json:"reason"`
			} `json:"errors"`
		} `json:"error"`
	}
	if a.Decode(&said) != nil || len(said.Error.Errors) == 0 {
		return f
	}
	reason := said.Error.Errors[0].Reason
	f.Message = p.client.Shown(said.Error.Message + " (" + reason + ")")
	switch reason {
	case "quotaExceeded", "dailyLimitExceeded":
		f.Class, f.Scope, f.After = post.ClassRate, post.ScopeConnection, untilMidnight(a.At)
	case "rateLimitExceeded", "userRateLimitExceeded":
		f.Class, f.Scope, f.After = post.ClassRate, post.ScopeConnection, max(f.After, time.Minute)
	case "uploadLimitExceeded":
		f.Class, f.Scope, f.After = post.ClassRate, post.ScopeConnection, 24*time.Hour
	case "authError", "forbidden", "insufficientPermissions", "youtubeSignupRequired":
		f.Class, f.Scope = post.ClassAuth, post.ScopeConnection
	case "invalidTitle", "invalidDescription", "invalidTags", "mediaBodyRequired", "invalidCategoryId":
		f.Class, f.Scope = post.ClassInvalid, post.ScopePost
	}
	return f
}

// untilMidnight is how long quotas still hold: they begin anew at midnight in
// California.
func untilMidnight(now time.Time) time.Duration {
	zone, err := time.LoadLocation("America/Los_Angeles")
	if err != nil {
		return 24 * time.Hour
	}
	at := now.In(zone)
	return time.Date(at.Year(), at.Month(), at.Day()+1, 0, 1, 0, 0, zone).Sub(now)
}
