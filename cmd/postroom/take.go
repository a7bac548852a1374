package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/postroom/postroom/inbox"
	"github.com/postroom/postroom/intake"
	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/report"
)

// A taker takes the files of the inbox for a room.
type taker struct {
	room    *room
	fetches *fetches // of a daemon; else nil

	mu    sync.Mutex
	waits map[string]wait // for the media of calendars, by their paths
}

// A wait is for the media of a calendar that cannot be taken yet.
type wait struct {
	since time.Time // when it was first to be taken
	seen  time.Time // when it last was
	size  int64
	mod   time.Time
}

// waitKept is how long after it was last to be taken a calendar counts as the same
// one. It may have been taken out of the inbox, and come back for another try.
const waitKept = time.Hour

// since returns when a file was first to be taken, and whether that is now. What a
// file waited for that lay there before it, or that was gone for a while, is forgotten.
func (t *taker) since(f inbox.File) (at time.Time, first bool) {
	now := t.room.now()
	t.mu.Lock()
	defer t.mu.Unlock()
	for path, w := range t.waits {
		other := path == f.Path && (w.size != f.Size || !w.mod.Equal(f.ModTime))
		if other || now.Sub(w.seen).Abs() > waitKept {
			t.forget(path)
		}
	}
	if t.waits == nil {
		t.waits = map[string]wait{}
	}
	w, again := t.waits[f.Path]
	if !again {
		w = wait{since: now, size: f.Size, mod: f.ModTime}
	}
	w.seen = now
	t.waits[f.Path] = w
	return w.since, !again
}

// taken forgets what a file waited for.
func (t *taker) taken(path string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.forget(path)
}

// forget is called with the lock held.
func (t *taker) forget(path string) {
	delete(t.waits, path)
	if t.fetches != nil {
		t.fetches.forget(path)
	}
}

// newlineStill is how long a file must be still whose last row lacks only its
// line ending (DESIGN §4).
const newlineStill = time.Minute

// Whole implements inbox.Handler.
func (t *taker) Whole(f inbox.File) (ok bool, why string, still time.Duration) {
	if f.Size > t.room.config().Inbox.MaxBytes {
		return true, "", 0 // to be refused, without reading it
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	ok, missing, newline, err := intake.Whole(ctx, f.Name, f.Body, f.Size)
	switch {
	case err != nil:
		return false, "it cannot be read: " + err.Error(), 0
	case newline:
		return false, missing, newlineStill
	}
	return ok, missing, 0
}

// Take implements inbox.Handler.
func (t *taker) Take(ctx context.Context, f inbox.File) (inbox.Result, error) {
	r := t.room
	req, hold, err := r.request(f.Folder, f.Name, f.Body, f.Size)
	if err != nil {
		return inbox.Result{}, err
	}
	if hold != "" {
		return inbox.Result{Disposition: inbox.Hold, Why: hold}, nil
	}
	req.Same = f.Same
	req.Approve = r.approver("inbox, " + f.Name)
	since, first := t.since(f)
	most := fetchHold
	if !first {
		most = fetchAgain
	}
	waiting, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	req.Media = &pinner{
		media: r.media, dir: filepath.Dir(f.Path), settle: r.config().Inbox.Settle, since: since, now: r.now,
		fetches: t.fetches, calendar: f.Path, hold: waiting.Done(),
	}
	res, err := r.take(ctx, req)
	switch {
	case errors.Is(err, intake.ErrChanged):
		return inbox.Result{Disposition: inbox.Retry, Why: "it changed while it was read"}, nil
	case errors.Is(err, intake.ErrSettling):
		return inbox.Result{Disposition: inbox.Retry, Why: "its media: " + err.Error()}, nil
	}
	t.taken(f.Path)
	if err != nil {
		return inbox.Result{}, err
	}
	out := inbox.Result{Disposition: inbox.Archive, Folder: path.Join(string(req.Account.ID), req.Now.In(req.Account.Zone).Format("2006-01"))}
	switch res.Outcome {
	case intake.Taken:
		out.Filed = func(ctx context.Context, to string) error {
			rel, err := filepath.Rel(r.dir, to)
			if err != nil {
				return err
			}
			return r.filed(ctx, res.Import, filepath.ToSlash(rel))
		}
	case intake.Nothing, intake.Unusable:
		out.Disposition = inbox.Reject
	}
	return out, nil
}

// Changed implements inbox.Handler: a file that was taken is written on, so what
// was read may be half of it. Its posts that still wait are held for a person.
// When the same name comes again whole, that is a new revision and nothing is
// held.
func (t *taker) Changed(ctx context.Context, f inbox.File) error {
	if f.Again {
		return nil
	}
	r := t.room
	imps, err := r.importsOf(ctx, f)
	if err != nil || len(imps) == 0 {
		return err
	}
	digest, err := intake.Digest(ctx, f.Body, f.Size)
	if err != nil {
		return err
	}
	held := 0
	for i := range imps {
		if intake.SameFile(&imps[i], digest) {
			continue
		}
		n, err := r.store.HoldImport(ctx, imps[i].ID, "the file went on changing after it was taken: drop it again when it is complete", "inbox")
		if err != nil {
			return err
		}
		held += n
	}
	if held > 0 {
		r.log.Warn("a file changed after it was taken: its waiting posts are held", "file", f.Name, "held", held)
	}
	return nil
}

// importsOf finds the imports whose original is a file: where it was archived,
// also those that laid out its series further, or still in the inbox.
func (r *room) importsOf(ctx context.Context, f inbox.File) ([]post.Import, error) {
	rel, err := filepath.Rel(r.dir, f.Path)
	if err != nil {
		return nil, err
	}
	rel = filepath.ToSlash(rel)
	req, hold, err := r.request(f.Folder, f.Name, f.Body, f.Size)
	if err != nil {
		return nil, err
	}
	var found []post.Import
	for cursor := ""; ; {
		imps, next, err := r.store.Imports(ctx, "", cursor, 100)
		if err != nil {
			return nil, err
		}
		for _, imp := range imps {
			unfiled := imp.Archive == "" && hold == "" && imp.Account == req.Account.ID && imp.Report == req.Report
			if imp.Archive == rel || unfiled {
				found = append(found, imp)
			}
		}
		if next == "" {
			return found, nil
		}
		cursor = next
	}
}

// take takes a file and says in the log what became of it.
func (r *room) take(ctx context.Context, req intake.Request) (intake.Result, error) {
	start := r.now()
	res, err := r.intake.Import(ctx, req)
	if err != nil {
		return res, err
	}
	c := res.Import.Counts
	if res.Outcome == intake.Duplicate {
		c = post.Counts{}
		if err := r.cameBack(&res.Import, req.File, req.Size); err != nil {
			r.log.WarnContext(ctx, "no copy of a calendar kept for its series", "file", req.Name, "err", err)
		}
	}
	r.onTake(res.Outcome.String(), c, r.now().Sub(start))
	if res.Approvals != nil {
		r.log.Info("report taken", "file", req.Name, "account", req.Account.ID, "approved", res.Approvals.Approved, "already", res.Approvals.Already,
			"left", res.Approvals.Left, "refused", res.Approvals.Refused, "report", req.Report)
		return res, nil
	}
	r.log.Info("file "+res.Outcome.String(), "file", req.Name, "account", req.Account.ID, "rows", c.Rows, "accepted", c.Accepted,
		"held", c.Held, "rejected", c.Rejected, "unchanged", c.Unchanged, "report", req.Report)
	return res, nil
}

// request makes ready to take a file that was dropped in folder, below the
// inbox: ACCOUNT, ACCOUNT/CONNECTION, or nothing when there is one account. hold
// says why a person must look first.
func (r *room) request(folder, name string, body io.ReaderAt, size int64) (req intake.Request, hold string, err error) {
	all := r.accounts("")
	parts := strings.FieldsFunc(folder, func(c rune) bool { return c == '/' })
	account := all[0]
	switch {
	case len(parts) == 0 && len(all) > 1:
		var names []string
		for _, a := range all {
			names = append(names, "inbox/"+string(a.ID)+"/")
		}
		return req, "it lies in inbox/ itself, and there are several accounts: move it to one of " + strings.Join(names, ", "), nil
	case len(parts) > 0 && len(r.accounts(post.AccountID(parts[0]))) == 1:
		account = r.accounts(post.AccountID(parts[0]))[0]
		parts = parts[1:]
	case len(parts) > 0 && len(all) > 1:
		var names []string
		for _, a := range all {
			names = append(names, string(a.ID))
		}
		hint := "the config has " + strings.Join(names, ", ")
		if near := post.Nearest(parts[0], names); near != "" {
			hint = "did you mean " + near + "?"
		}
		return req, fmt.Sprintf("there is no account %q: %s", parts[0], hint), nil
	}
	req = intake.Request{
		Account: account, Name: name, Place: intake.PlaceOf(path.Join(parts...), name),
		Report: path.Join(append(append([]string{string(account.ID)}, parts...), report.SafeName(name))...),
		File:   body, Size: size, Now: r.now().UTC().Truncate(time.Second),
		Pin:    r.pin,
		Media:  &pinner{media: r.media, dir: filepath.Join(r.dir, "inbox", filepath.FromSlash(folder)), now: r.now},
		Limits: intake.Caps{Bytes: r.config().Inbox.MaxBytes, Rows: r.config().Inbox.MaxRows},
	}
	hold, err = r.applyDefaults(&req, folder, parts)
	return req, hold, err
}

// applyDefaults puts what the folders' defaults.yaml and the folder's name say
// into a request.
func (r *room) applyDefaults(req *intake.Request, folder string, parts []string) (hold string, err error) {
	dirs := []string{filepath.Join(r.dir, "inbox")}
	for _, p := range strings.FieldsFunc(folder, func(c rune) bool { return c == '/' }) {
		dirs = append(dirs, filepath.Join(dirs[len(dirs)-1], p))
	}
	d, err := loadDefaults(dirs...)
	var bad *ConfigError
	if errors.As(err, &bad) {
		return "its folder's settings have mistakes: " + bad.Error(), nil
	}
	if err != nil {
		return "", err
	}
	ids, err := d.Platforms(req.Account.Directory)
	if errors.As(err, &bad) {
		return "its folder's settings have mistakes: " + bad.Error(), nil
	}
	if err != nil {
		return "", err
	}
	profiles, err := d.Profiles(req.Account.Directory)
	if errors.As(err, &bad) {
		return "its folder's settings have mistakes: " + bad.Error(), nil
	}
	if err != nil {
		return "", err
	}
	if len(parts) > 0 {
		id, err := req.Account.Directory.Resolve(parts[len(parts)-1])
		switch {
		case err == nil:
			ids = []post.ConnectionID{id}
		case len(ids) == 0:
			return fmt.Sprintf("the folder %q is no connection of account %s: %v", parts[len(parts)-1], req.Account.ID, err), nil
		}
	}
	if d.Timezone != nil {
		req.Account.Zone = d.Timezone
	}
	if d.DateOrder != "" {
		req.Account.DateOrder = d.DateOrder
	}
	cfg := r.accountConfig(req.Account.ID)
	if cfg == nil { // a reload came between
		return fmt.Sprintf("the config has no account %s any more: put it back", req.Account.ID), nil
	}
	req.Account.Rules = cfg.Rules(d.Stagger)
	req.Defaults = intake.Defaults{Platforms: ids, Profiles: profiles, Status: d.Status, Sheet: d.Sheet, CancelRemoved: d.CancelRemoved, Calendar: d.Calendar}
	return "", nil
}
