package api

import (
	"context"
	"log/slog"
	"net/http"
	"path"
	"regexp"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/postroom/postroom/limits"
	"github.com/postroom/postroom/post"
)

// Prefix is where the API lives; every route is below it.
const Prefix = "/api/v1"

// A Store is what the API needs of one. Every method is one step, and what it
// changes is durable when it returns. Errors wrap those of package post.
type Store interface {
	APIKey(ctx context.Context, id string) (post.APIKey, error)

	Group(ctx context.Context, id post.ID) (post.Group, error)
	List(ctx context.Context, q post.Query) (ids []post.ID, total int, err error)
	GroupsByID(ctx context.Context, ids []post.ID) ([]post.Group, error)
	Log(ctx context.Context, group post.ID) ([]post.LogEntry, error)
	Usage(ctx context.Context, account post.AccountID) (post.Usage, error)
	Taken(ctx context.Context, account post.AccountID, from, to time.Time, fn func(c post.ConnectionID, due time.Time, first bool) error) error
	Connections(ctx context.Context) ([]post.ConnectionState, error)

	Answered(ctx context.Context, account post.AccountID, key [32]byte) (post.Answered, bool, error)
	CreateOnce(ctx context.Context, g *post.Group, caps []post.Cap, who string, once *post.Once) error
	Arrange(ctx context.Context, id post.ID, was *post.Group, to post.Status, at time.Time, caps []post.Cap, who string) (post.Group, error)
	ArrangeDescribed(ctx context.Context, id post.ID, alts []string, was *post.Group, to post.Status, at time.Time, caps []post.Cap, who string) (post.Group, error)
	Delete(ctx context.Context, id post.ID, who string) (post.Group, error)

	NewID() post.ID
	AddJob(ctx context.Context, j post.Job, once *post.Once) error
	PutJob(ctx context.Context, j post.Job) error
	Job(ctx context.Context, id post.ID) (post.Job, error)
	OpenJobs(ctx context.Context) ([]post.Job, error)

	AddUpload(ctx context.Context, group post.ID, m post.Media, most int) (post.Group, error)
	Describe(ctx context.Context, group post.ID, alts []string) (post.Group, error)
	Upload(ctx context.Context, id post.ID) (post.Group, post.Media, error)
	FillUpload(ctx context.Context, id post.ID, pin post.Pin) (post.Group, error)

	Webhooks(ctx context.Context, account post.AccountID) ([]post.Webhook, error)
	AddWebhook(ctx context.Context, w *post.Webhook, most int) error
	EditWebhook(ctx context.Context, account post.AccountID, id post.ID, fn func(*post.Webhook)) (post.Webhook, error)
	DeleteWebhook(ctx context.Context, account post.AccountID, id post.ID) error

	Told() <-chan struct{}
	DueWebhooks(ctx context.Context) (due []post.Webhook, next time.Time, err error)
	NextNotice(ctx context.Context, account post.AccountID, id post.ID) (post.Webhook, post.Notice, bool, error)
	Delivered(ctx context.Context, account post.AccountID, id post.ID, n post.Notice, ok bool) (post.Webhook, error)
}

// An Account is what the API must know of one: its plan and its connections, as
// configured.
type Account struct {
	ID          post.AccountID
	Plan        limits.Plan
	Connections []Connection

	// MinInterval is how far apart posts on one connection are scheduled at least; 0
	// leaves times as they are given (CONTRACT §2.2).
	MinInterval time.Duration
}

// A Connection is one of an account's, with what is known of whose it is. Empty
// texts are not known.
type Connection struct {
	ID           post.ConnectionID
	Username     string
	DisplayName  string
	ProfileURL   string
	ImageURL     string
	TokenExpires time.Time // zero when the token does not end

	// Login says in place of TokenExpires how it stands with a connection that people
	// log in to: until when it sends, zero when that is not known, or that it cannot
	// until a person logs in again. nil for others.
	Login func() (ends time.Time, ended bool)

	// Validate checks content against the limits of the connection, without a
	// network.
	Validate func(*post.Content) []post.Problem

	// Check asks the platform who the credentials belong to.
	Check func(context.Context) (post.Identity, error)
}

// connection returns the account's connection of that id, or nil.
func (a *Account) connection(id post.ConnectionID) *Connection {
	for i := range a.Connections {
		if a.Connections[i].ID == id {
			return &a.Connections[i]
		}
	}
	return nil
}

// Config is what an API is made of. Store, Account, Now and Log must be set.
type Config struct {
	Store   Store
	Account func(post.AccountID) (Account, bool) // as configured at this moment
	Now     func() time.Time
	Log     *slog.Logger

	// Uploads is a folder of the API's own, where files lie until they are taken.
	// Take takes one: it fills in what became of the job. A job whose Take was cut
	// off is taken again at the next start, so it must do no harm twice.
	Uploads string
	Take    func(ctx context.Context, path string, j *post.Job) error

	// Media keeps the media of posts. MediaKey is what its URLs are signed with, the
	// same after a restart.
	Media    Shelf
	MediaKey func() ([]byte, error)

	// Vault seals the secrets of webhooks. Call sends one delivery to a URL that a
	// caller named, and returns the status of the answer; its errors show no more of
	// the URL than its host. It must follow no redirect, and reach no address that a
	// stranger may not have called from here.
	Vault Vault
	Call  func(ctx context.Context, url string, h http.Header, body []byte) (status int, err error)

	// Settings may change while the API serves.
	Settings func() Settings
}

// Settings are what an operator may decide. The zero value restores nothing of
// the vendor's quirks and lets no browser of another origin in.
type Settings struct {
	// StrictCompat drops every addition of ours from answers, and restores the
	// quirks of the original that a test of conformance may look for (CONTRACT
	// §0, §12).
	StrictCompat bool

	// AllowUnknownConnections takes posts for connections that the account does
	// not have; they fail when they are due (CONTRACT §0.2).
	AllowUnknownConnections bool

	// Origins are the web sites whose scripts may use the API, like
	// https://desk.example.org; "*" lets all in (CONTRACT §0).
	Origins []string

	// AllowPrivateWebhooks lets webhooks call addresses of this machine and the
	// networks around it, on any port (CONTRACT §12 D11).
	AllowPrivateWebhooks bool

	// PublicURL is where clients reach the server, without a slash at the end; "" for
	// the host that they call (CONTRACT §2.9, item 4).
	PublicURL string

	MaxUpload int64 // bytes of one calendar; 0 for 64 MiB
	MaxMedia  int64 // bytes of one picture or film; 0 for 4 GiB
}

// An API answers requests. Its methods may be called at the same time.
type API struct {
	Config
	mux     *http.ServeMux
	flight  flight
	doorman doorman
	spacing sync.Mutex    // of accounts that want their posts apart
	queued  chan struct{} // there may be a job to do
}

// New makes an API of its parts.
func New(c Config) *API {
	if c.Settings == nil {
		c.Settings = func() Settings { return Settings{} }
	}
	a := &API{Config: c, mux: http.NewServeMux(), queued: make(chan struct{}, 1)}

	a.route("POST /create-post", a.createPost, "Failed to create post group")
	a.route("PUT /update-post/{id}", a.updatePost, "Failed to update post")
	a.route("GET /get-post/{id}", a.getPost, "Failed to fetch post group")
	a.route("DELETE /delete-post/{id}", a.deletePost, "Failed to delete post group")
	a.route("GET /list-posts", a.listPosts, "Failed to list posts")
	a.route("GET /post-logs/{id}", a.postLogs, "Failed to get post logs")
	a.route("GET /platform-connections", a.platformConnections, "Failed to fetch platform connections")
	a.route("POST /test-connection/{id}", a.testConnection, "Failed to test connection")

	a.route("POST /get-upload-url", a.getUploadURL, "Failed to create upload URL")
	a.direct("PUT "+uploadsPath+"{id}", a.putUpload, "Failed to store media file")
	a.direct("GET "+uploadsPath+"{id}/{sig}/{folder}/{name}", a.getUpload, "Failed to read media file")

	a.route("GET /webhooks", a.listWebhooks, "Failed to list webhooks")
	a.route("POST /webhooks", a.createWebhook, "Failed to create webhook")
	a.route("PATCH /webhooks/{id}", a.updateWebhook, "Failed to update webhook")
	a.route("DELETE /webhooks/{id}", a.deleteWebhook, "Failed to delete webhook")
	a.route("POST /webhooks/{id}/regenerate-secret", a.regenerateSecret, "Failed to regenerate secret")

	a.route("POST /validate-post", a.validatePost, "Failed to validate post")
	a.route("GET /limits", a.showLimits, "Failed to read limits")
	a.route("POST /bulk/import", a.bulkImport, "Failed to import the file")
	a.route("GET /bulk/jobs/{id}", a.getJob, "Failed to fetch the job")
	a.route("GET /bulk/jobs/{id}/results.csv", a.jobResults, "Failed to fetch the job")
	a.route("POST /bulk/reschedule", a.bulkReschedule, "Failed to reschedule posts")
	a.route("POST /bulk/delete", a.bulkDelete, "Failed to delete posts")
	a.route("POST /bulk/schedule-drafts", a.bulkScheduleDrafts, "Failed to schedule drafts")

	a.mux.HandleFunc("GET "+Prefix+"/openapi.json", a.serveOpenAPI)
	a.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		a.writeError(w, r, errNotFound("Not found"), "")
	})
	return a
}

// route adds a handler for a pattern below the prefix. An error that is not ours
// to show is answered with failed (CONTRACT §2: each route has its own words).
func (a *API) route(pattern string, h handler, failed string) {
	method, path, _ := strings.Cut(pattern, " ")
	a.mux.HandleFunc(method+" "+Prefix+path, func(w http.ResponseWriter, r *http.Request) {
		answer, err := a.serve(w, r, h)
		if err != nil {
			a.writeError(w, r, err, failed)
			return
		}
		if f, ok := answer.body.(file); ok {
			f.write(w)
			return
		}
		writeJSON(w, answer.status(), answer.body)
	})
}

var repeatedSlash = regexp.MustCompile("//+")

// ServeHTTP answers one request. Paths are taken as the original's server takes
// them: with a slash at the end or without, and with double ones.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	if a.crossOrigin(w, r) {
		return
	}
	if p := r.URL.EscapedPath(); path.Clean(p) != p {
		slashed := strings.TrimSuffix(repeatedSlash.ReplaceAllString(p, "/"), "/")
		u, err := r.URL.Parse(slashed)
		if err != nil || path.Clean(p) != slashed { // the mux would send a caller with dots in its path elsewhere
			a.writeError(w, r, errNotFound("Not found"), "")
			return
		}
		u.RawQuery = r.URL.RawQuery
		r = r.Clone(r.Context())
		r.URL = u
	}
	a.mux.ServeHTTP(w, r)
}

// Run does what the API answers for later, until ctx ends: jobs, and telling
// webhooks.
func (a *API) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return a.doJobs(ctx) })
	g.Go(func() error { return a.deliver(ctx) })
	return g.Wait()
}

// crossOrigin says to a browser whether a script of another site may use the API,
// and reports whether that was all it asked.
func (a *API) crossOrigin(w http.ResponseWriter, r *http.Request) (done bool) {
	origin := r.Header.Get("Origin")
	if origin == "" {
		return false
	}
	for _, o := range a.Settings().Origins {
		if o != "*" && !strings.EqualFold(o, origin) {
			continue
		}
		h := w.Header()
		h.Add("Vary", "Origin")
		h.Set("Access-Control-Allow-Origin", origin)
		if r.Method != http.MethodOptions || r.Header.Get("Access-Control-Request-Method") == "" {
			return false
		}
		h.Set("Access-Control-Allow-Methods", "GET, POST, PUT, PATCH, DELETE")
		h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, Idempotency-Key, "+strings.Join(ownHeaders, ", "))
		h.Set("Access-Control-Max-Age", "600")
		w.WriteHeader(http.StatusNoContent)
		return true
	}
	return false
}
