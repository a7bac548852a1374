// Package tiktok publishes films to an account on TikTok, by its Content Posting
// API.
//
// TikTok hands out a publish id before the first byte is sent, and can be asked
// what became of it: the id is the checkpoint, so that no film goes out twice.
package tiktok

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/postroom/postroom/limits"
	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/publish"
)

// API is where TikTok answers.
const API = "https://open.tiktokapis.com"

// Config says what a TikTok connection is like.
type Config struct {
	Connection post.ConnectionID
	Tokens     publish.Tokens     // scopes user.info.basic video.publish
	API        string             // [API] when ""
	Media      *publish.MediaRoom // gives the films
	Timeout    time.Duration      // of one call, 60 s when 0
	Now        func() time.Time   // time.Now when nil
	Transport  http.RoundTripper  // instead of the network, for tests
}

// A Publisher posts to one account.
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
	if err := publish.CheckServer(c.API, false); err != nil {
		return nil, fmt.Errorf("tiktok %s: api: %w, like %s", c.Connection, err, API)
	}
	if c.Tokens == nil {
		return nil, fmt.Errorf("tiktok %s: want a token", c.Connection)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	table, _ := limits.PlatformByKey("tiktok")
	return &Publisher{
		config: c, api: strings.TrimSuffix(c.API, "/"), rules: publish.Rules{Limits: table, Media: c.Media},
		client: publish.NewClient(publish.ClientOptions{Transport: c.Transport, Timeout: c.Timeout, Now: c.Now}),
	}, nil
}

// settings are what platform_settings may say under "tiktok" (CONTRACT §5.3). The
// disable names are those of the documented samples, and mean the opposite of the
// allow names.
type settings struct {
	ViewerSetting     string `json:"viewerSetting"`
	AllowComments     *bool  `json:"allowComments"`
	AllowDuet         *bool  `json:"allowDuet"`
	AllowStitch       *bool  `json:"allowStitch"`
	DisableComment    *bool  `json:"disableComment"`
	DisableDuet       *bool  `json:"disableDuet"`
	DisableStitch     *bool  `json:"disableStitch"`
	CommercialContent bool   `json:"commercialContent"`
	BrandOrganic      bool   `json:"brandOrganic"`
	BrandedContent    bool   `json:"brandedContent"`
}

// viewers are who may see a film.
var viewers = []string{"PUBLIC_TO_EVERYONE", "MUTUAL_FOLLOW_FRIENDS", "FOLLOWER_OF_CREATOR", "SELF_ONLY"}

// errNoViewer is in the contract's words (CONTRACT §6.1).
var errNoViewer = errors.New("TikTok requires selecting who can view your post")

func settingsOf(c *post.Content) (settings, error) {
	all := struct {
		TikTok settings `json:"tiktok"`
	}{settings{ViewerSetting: "PUBLIC_TO_EVERYONE"}}
	if len(c.Settings) > 0 {
		if err := json.Unmarshal(c.Settings, &all); err != nil {
			return all.TikTok, fmt.Errorf(`an object like {"tiktok": {"viewerSetting": "SELF_ONLY"}}`)
		}
	}
	s := all.TikTok
	switch {
	case s.ViewerSetting == "":
		return s, errNoViewer
	case !slices.Contains(viewers, s.ViewerSetting):
		return s, fmt.Errorf("viewerSetting one of %s, not %q", strings.Join(viewers, ", "), s.ViewerSetting)
	case s.CommercialContent && !s.BrandOrganic && !s.BrandedContent:
		return s, errors.New("commercialContent with brandOrganic or brandedContent")
	}
	return s, nil
}

// off reports whether something is not allowed: it is off unless the settings say
// otherwise, or on where on is the default.
func off(allow, disable *bool, on bool) bool {
	switch {
	case allow != nil:
		return !*allow
	case disable != nil:
		return *disable
	}
	return !on
}

// Validate checks c against the limits of TikTok.
func (p *Publisher) Validate(c *post.Content) []post.Problem {
	problems := p.rules.Validate(c)
	if _, err := settingsOf(c); err != nil {
		code, hint := publish.CodeSettingInvalid, "correct it, or take it out"
		if errors.Is(err, errNoViewer) {
			code, hint = publish.CodeSettingMissing, "give viewerSetting"
		}
		problems = append(problems, post.Problem{Platform: "tiktok", Field: "platform_settings", Code: code, Want: err.Error(), Hint: hint})
	}
	return problems
}

// Pace returns what TikTok last said of its rate limit.
func (p *Publisher) Pace() publish.Pace { return p.client.Pace() }

// state is the checkpoint of a post.
type state struct {
	ID     string    `json:"publish_id,omitempty"`
	Upload string    `json:"upload_url,omitempty"` // open to whoever has it, for an hour
	Till   time.Time `json:"till,omitzero"`        // when the upload ends
}

// uploadLife is less than the hour for which TikTok takes an upload.
const uploadLife = 50 * time.Minute

// Publish sends the film, or goes on with an upload that an earlier attempt has
// begun, and waits until TikTok has published it.
func (p *Publisher) Publish(ctx context.Context, d post.Delivery, save publish.Save) (post.Receipt, error) {
	s, err := settingsOf(&d.Content)
	if err != nil {
		return post.Receipt{}, &post.Failure{Class: post.ClassInvalid, Sent: post.SentNot, Message: "platform_settings: " + err.Error()}
	}
	var st state
	if json.Unmarshal(d.Post.State, &st) != nil {
		st = state{}
	}
	if st.ID != "" {
		got, err := p.status(ctx, st.ID)
		switch {
		case err != nil:
			return post.Receipt{}, publish.Unsent(err)
		case got.Status == "FAILED":
			return post.Receipt{}, p.failed(got, save)
		case got.Status != "PROCESSING_UPLOAD": // all of it is there
			return p.wait(ctx, st.ID)
		}
	}
	if p.config.Media == nil {
		return post.Receipt{}, publish.NoMediaRoom()
	}
	if len(d.Content.Media) == 0 {
		return post.Receipt{}, &post.Failure{Class: post.ClassInvalid, Sent: post.SentNot, Message: "TikTok takes no post without a film"}
	}
	film, err := p.config.Media.Ready(ctx, d.Content.Media[0], &p.rules.Limits.Media)
	if err != nil {
		return post.Receipt{}, err
	}
	defer film.Close()
	if st.ID == "" || !st.Till.After(p.config.Now()) {
		if st, err = p.begin(ctx, &d.Content, &s, film.Size); err != nil {
			return post.Receipt{}, publish.Unsent(err)
		}
		if err := publish.SaveState(save, st); err != nil {
			return post.Receipt{}, err
		}
	}
	err = p.upload(ctx, st.Upload, film, save)
	if f, ok := errors.AsType[*post.Failure](err); ok && ended(f) {
		return p.anew(ctx, st.ID, film.Size, f, save)
	}
	if err != nil {
		return post.Receipt{}, err
	}
	return p.wait(ctx, st.ID)
}

// ended reports whether a place to upload to takes nothing more: it has had all, or its
// hour is over. Whose token it is does not matter there, as none goes with the bytes.
func ended(f *post.Failure) bool {
	return f.Status == http.StatusForbidden || f.Status == http.StatusNotFound || f.Status == http.StatusGone || f.Status == http.StatusRequestedRangeNotSatisfiable
}

// anew drops an upload that was refused with f, for the next attempt to begin another,
// unless TikTok has the whole film.
func (p *Publisher) anew(ctx context.Context, id string, size int64, f *post.Failure, save publish.Save) (post.Receipt, error) {
	f.Class, f.Scope = post.ClassServer, post.ScopePost
	switch got, err := p.status(ctx, id); {
	case err != nil || got.Status == "PROCESSING_UPLOAD" && got.Bytes >= size: // it has all, and has not begun with it
		f.Sent = post.SentMaybe
		return post.Receipt{}, f
	case got.Status != "PROCESSING_UPLOAD" && got.Status != "FAILED":
		return p.wait(ctx, id)
	}
	if err := publish.SaveState(save, state{}); err != nil {
		return post.Receipt{}, err
	}
	f.Message = "TikTok takes no more of the film at this address, and it is uploaded anew: " + f.Message
	return post.Receipt{}, f
}

// begin asks for a publish id. Nothing is published before the bytes are there.
func (p *Publisher) begin(ctx context.Context, c *post.Content, s *settings, size int64) (state, error) {
	var creator struct {
		Privacy []string `json:"privacy_level_options"`
	}
	if err := p.call(ctx, "/v2/post/publish/creator_info/query/", map[string]any{}, &creator); err != nil {
		return state{}, err
	}
	if len(creator.Privacy) > 0 && !slices.Contains(creator.Privacy, s.ViewerSetting) {
		return state{}, &post.Failure{Class: post.ClassInvalid, Sent: post.SentNot, Message: fmt.Sprintf(
			"TikTok does not let this account post for %s: it allows %s (an app that TikTok has not audited only SELF_ONLY)", s.ViewerSetting, strings.Join(creator.Privacy, ", "))}
	}
	chunk, chunks := chunksOf(size)
	info := map[string]any{
		"title": publish.Compose(c, &p.rules.Limits), "privacy_level": s.ViewerSetting,
		"disable_comment": off(s.AllowComments, s.DisableComment, true), "disable_duet": off(s.AllowDuet, s.DisableDuet, false), "disable_stitch": off(s.AllowStitch, s.DisableStitch, false),
	}
	if s.CommercialContent {
		info["brand_organic_toggle"], info["brand_content_toggle"] = s.BrandOrganic, s.BrandedContent
	}
	var got struct {
		ID     string `json:"publish_id"`
		Upload string `json:"upload_url"`
	}
	if err := p.call(ctx, "/v2/post/publish/video/init/", map[string]any{
		"post_info":   info,
		"source_info": map[string]any{"source": "FILE_UPLOAD", "video_size": size, "chunk_size": chunk, "total_chunk_count": chunks},
	}, &got); err != nil {
		return state{}, err
	}
	if got.ID == "" || publish.CheckUpload(got.Upload) != nil {
		return state{}, &post.Failure{Class: post.ClassServer, Sent: post.SentNot, Message: "TikTok began no upload"}
	}
	return state{ID: got.ID, Upload: got.Upload, Till: p.config.Now().Add(uploadLife)}, nil
}

// The sizes of chunks: a file of up to 64 MB goes in one, and of a larger one the
// last chunk takes what is left.
const (
	mostChunk  = 64 << 20
	usualChunk = 32 << 20
)

func chunksOf(size int64) (chunk, chunks int64) {
	if size <= mostChunk {
		return size, 1
	}
	return usualChunk, size / usualChunk
}

// upload sends the bytes. Before the last chunk nothing can be live; after it the
// film may be, whatever the answer says.
func (p *Publisher) upload(ctx context.Context, to string, film *publish.MediaFile, alive publish.Save) error {
	chunk, chunks := chunksOf(film.Size)
	for i := range chunks {
		first := i * chunk
		last := first + chunk - 1
		if i == chunks-1 {
			last = film.Size - 1
		}
		a, err := p.client.Do(ctx, publish.Request{
			Method: http.MethodPut, URL: to, Type: film.Type, Stream: io.NewSectionReader(film, first, last-first+1), Size: last - first + 1, Alive: alive,
			Header: http.Header{"Content-Range": {fmt.Sprintf("bytes %d-%d/%d", first, last, film.Size)}},
		})
		if err == nil && (a.Status < 200 || a.Status > 299) {
			err = p.client.Refusal(a)
		}
		switch {
		case i == chunks-1:
			return err
		case err != nil:
			return publish.Unsent(err)
		}
		if err := publish.StillAlive(alive); err != nil {
			return err
		}
	}
	return nil
}

// outcome is what became of a publish id.
type outcome struct {
	Status string        `json:"status"`
	Reason string        `json:"fail_reason"`
	Bytes  int64         `json:"uploaded_bytes"`
	Posts  []json.Number `json:"publicaly_available_post_id"` // so spelled
}

func (p *Publisher) status(ctx context.Context, id string) (outcome, error) {
	var got outcome
	err := p.call(ctx, "/v2/post/publish/status/fetch/", map[string]string{"publish_id": id}, &got)
	return got, err
}

// The waits between questions what became of a film.
const (
	firstWait = 2 * time.Second
	mostWait  = 20 * time.Second
)

// wait asks until the film is published. A film that is still processed when the
// time is over is in doubt.
func (p *Publisher) wait(ctx context.Context, id string) (post.Receipt, error) {
	for pause := firstWait; ; pause = min(2*pause, mostWait) {
		got, err := p.status(ctx, id)
		switch f, failed := errors.AsType[*post.Failure](err); {
		case failed:
			f.Sent = post.SentMaybe
			if f.Class != post.ClassAuth && f.Class != post.ClassTimeout {
				f.Class = post.ClassServer
			}
			return post.Receipt{}, f
		case got.Status == "FAILED":
			return post.Receipt{}, refusedFilm(got)
		case got.Status == "PUBLISH_COMPLETE":
			return p.receipt(ctx, id, &got), nil
		}
		if err := publish.Pause(ctx, pause); err != nil {
			return post.Receipt{}, &post.Failure{Class: post.ClassTimeout, Sent: post.SentMaybe, Message: "TikTok is still processing the film", Err: err}
		}
	}
}

// receipt names the post where it is public, else the publish id.
func (p *Publisher) receipt(ctx context.Context, id string, o *outcome) post.Receipt {
	r := post.Receipt{RemoteID: id, PublishedAt: p.config.Now().UTC()}
	if len(o.Posts) == 0 {
		return r
	}
	r.RemoteID = o.Posts[0].String()
	if who, err := p.whoAmI(ctx); err == nil && who.Username != "" {
		r.URL = "https://www.tiktok.com/@" + url.PathEscape(who.Username) + "/video/" + r.RemoteID
	}
	return r
}

// refusedFilm is the failure of a film that TikTok took and did not publish.
func refusedFilm(o outcome) *post.Failure {
	f := &post.Failure{Class: post.ClassInvalid, Sent: post.Refused, Message: "TikTok did not publish the film: " + o.Reason}
	if o.Reason == "internal" || o.Reason == "internal_error" {
		f.Class = post.ClassServer
	}
	return f
}

// failed drops the checkpoint of a film that was not published: the next attempt
// begins anew.
func (p *Publisher) failed(o outcome, save publish.Save) error {
	if err := publish.SaveState(save, state{}); err != nil {
		return err
	}
	return refusedFilm(o)
}

// Lookup asks what became of the publish id.
func (p *Publisher) Lookup(ctx context.Context, d post.Delivery) (post.Found, error) {
	var st state
	if json.Unmarshal(d.Post.State, &st) != nil || st.ID == "" {
		return post.Found{State: post.Absent}, nil // nothing was ever begun
	}
	got, err := p.status(ctx, st.ID)
	if err != nil {
		return post.Found{}, err
	}
	switch got.Status {
	case "PUBLISH_COMPLETE":
		r := p.receipt(ctx, st.ID, &got)
		r.Found = true
		return post.Found{State: post.Present, Receipt: r}, nil
	case "PROCESSING_UPLOAD", "FAILED":
		return post.Found{State: post.Absent}, nil
	}
	return post.Found{}, &post.Failure{Class: post.ClassServer, Sent: post.SentMaybe, Message: "TikTok is still processing the film"}
}

// who is whose account it is.
type who struct {
	Username string `json:"creator_username"`
	Nickname string `json:"creator_nickname"`
}

func (p *Publisher) whoAmI(ctx context.Context) (who, error) {
	var w who
	err := p.call(ctx, "/v2/post/publish/creator_info/query/", map[string]any{}, &w)
	return w, err
}

// Check asks whose account it is.
func (p *Publisher) Check(ctx context.Context) (post.Identity, error) {
	w, err := p.whoAmI(ctx)
	if err != nil {
		return post.Identity{}, err
	}
	if w.Username == "" {
		return post.Identity{}, &post.Failure{Class: post.ClassServer, Sent: post.SentMaybe, Message: "TikTok names nobody"}
	}
	return post.Identity{Username: "@" + w.Username, DisplayName: w.Nickname, ProfileURL: "https://www.tiktok.com/@" + url.PathEscape(w.Username)}, nil
}

// call makes a call of the API, and reads its data into v. The error is a
// *post.Failure.
func (p *Publisher) call(ctx context.Context, path string, body, v any) error {
	r := publish.Request{Method: http.MethodPost, URL: p.api + path}
	if err := r.AsJSON(body); err != nil {
		return err
	}
	r.Type = "application/json; charset=UTF-8"
	a, err := p.client.DoAs(ctx, p.config.Tokens, r)
	if err != nil {
		return err
	}
	var said struct {
		Data  json.RawMessage `json:"data"`
		Error struct {
			Code    string `json:"code"`
			Message string `json:"message"`
		} `json:"error"`
	}
	decodeErr := a.Decode(&said)
	if a.Status >= 200 && a.Status <= 299 && said.Error.Code == "ok" {
		if err := json.Unmarshal(said.Data, v); err != nil {
			return p.client.Doubt(a, err)
		}
		return nil
	}
	if a.Status >= 200 && a.Status <= 299 && said.Error.Code == "" {
		return p.client.Doubt(a, errors.Join(decodeErr, errors.New("it says neither ok nor what is wrong")))
	}
	return p.refusal(a, said.Error.Code, said.Error.Message)
}

// refusal classifies an error by its code: HTTP 200 may be an error too
// (PLATFORMS §2.7).
func (p *Publisher) refusal(a *publish.Answer, code, message string) *post.Failure {
	f := p.client.Refusal(a)
	if code == "" {
		return f
	}
	f.Class, f.Scope, f.Message = post.ClassInvalid, post.ScopePost, p.client.Shown(strings.TrimSpace(message+" ("+code+")"))
	if a.Status < 500 {
		f.Sent = post.Refused
	}
	switch code {
	case "access_token_invalid", "scope_not_authorized", "scope_permission_missed":
		f.Class, f.Scope = post.ClassAuth, post.ScopeConnection
	case "rate_limit_exceeded":
		f.Class, f.Scope, f.After = post.ClassRate, post.ScopeConnection, max(f.After, time.Minute)
	case "spam_risk_too_many_posts", "spam_risk_too_many_pending_share":
		f.Class, f.Scope, f.After = post.ClassRate, post.ScopeConnection, 6*time.Hour
	case "spam_risk_user_banned_from_posting", "reached_active_user_cap", "unaudited_client_can_only_post_to_private_accounts":
		f.Class, f.Scope = post.ClassAuth, post.ScopeConnection
	case "internal_error", "internal":
		f.Class = post.ClassServer
	}
	return f
}
