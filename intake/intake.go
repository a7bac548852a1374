package intake

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/postroom/postroom/importer"
	"github.com/postroom/postroom/limits"
	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/report"
	"github.com/postroom/postroom/scheduler"
)

// A Store is what intake needs of one. Every method reads or writes in one step
// of its own; only a stage spans several, and nobody sees it before its seal.
type Store interface {
	Stage(ctx context.Context, account post.AccountID) (Stage, error)
	Import(ctx context.Context, id post.ID) (post.Import, error)
	ImportByDigest(ctx context.Context, account post.AccountID, digest post.Digest) (post.Import, bool, error)
	LatestImport(ctx context.Context, account post.AccountID, lineage string) (post.Import, bool, error)
	MarkFiled(ctx context.Context, id post.ID, archive, report string) error
	Rows(ctx context.Context, imp post.ID, from, most int) ([]post.Row, error)
	MatchKeys(ctx context.Context, account post.AccountID, lineage string, sorted []uint64) ([]post.Match, error)
	MissingKeys(ctx context.Context, imp post.ID, sorted []uint64) ([]post.Match, error)
	HasImports(ctx context.Context, account post.AccountID, but string) (bool, error)
	MatchWords(ctx context.Context, account post.AccountID, but string, sorted []uint64) ([]post.Match, error)
	MatchTwins(ctx context.Context, account post.AccountID, sorted []uint64) ([]post.Match, error)
	Taken(ctx context.Context, account post.AccountID, from, to time.Time, fn func(c post.ConnectionID, due time.Time, first bool) error) error
	Usage(ctx context.Context, account post.AccountID) (post.Usage, error)
	Group(ctx context.Context, id post.ID) (post.Group, error)
	EachGroup(ctx context.Context, imp post.ID, fn func(*post.Group) error) error
	Dirty(ctx context.Context, most int) ([]post.DirtyImport, error)
	Clean(ctx context.Context, id post.ID, changes uint64) error
}

// A Stage holds a file's groups out of sight until Seal makes them live in one
// step. Add keeps nothing of what it is given, and sets the ids.
type Stage interface {
	Add(r *post.Row, g *post.Group) error
	Prepare(ctx context.Context) error
	Seal(ctx context.Context, s post.Seal) (post.Import, error)
	Discard() error
}

// A Validator checks content against the limits of one connection.
type Validator interface {
	Validate(*post.Content) []post.Problem
}

// A Pinner takes media into the room. ref is what a row says: a URL, or a path
// that means something to the Pinner. An error says why it was not taken; one that
// is a *post.Failure and retryable may pass, and one that wraps [ErrSettling] keeps
// the whole file for later. Pin is called by several goroutines at a time.
type Pinner interface {
	Pin(ctx context.Context, ref string) (post.Pin, error)
	Put(ctx context.Context, name string, r io.Reader) (post.Pin, error) // takes what came inside the file
}

// An Account is what intake must know of one to take its files.
type Account struct {
	ID         post.AccountID
	Zone       *time.Location // of times written without one
	DateOrder  string         // "dmy", "mdy" or "" to reject what is ambiguous
	Plan       limits.Plan
	Rules      scheduler.Rules
	Directory  *post.Directory
	Validators map[post.ConnectionID]Validator
	Duplicates time.Duration // how near two posts with the same words are told of; 0 for never
}

// Defaults are what an inbox folder's defaults.yaml says.
type Defaults struct {
	Platforms     []post.ConnectionID // of rows that name none
	Profiles      importer.Profiles   // what other tools call the account's connections
	Status        post.Status         // of rows that name none; 0 schedules them
	Sheet         string              // of a workbook; "" finds it
	CancelRemoved bool                // cancel what waits of rows that a new revision lacks
	Calendar      Calendar
}

// A Request is one file to take.
type Request struct {
	Account Account
	Defaults
	Name   string // as dropped, without its folder: it stands in every message
	Place  Place
	Report string // the report's name without its endings, relative to the room's reports folder
	File   io.ReaderAt
	Size   int64
	Pin    func(path string, data []byte) error // keeps a picture that came inside a file, in the room's media folder
	Media  Pinner                               // takes the media that rows name; nil leaves them as they are
	// Approve arms a draft that a report marks, or with keep false only says whether
	// it could. An error that is an *[Unapproved] is about this post alone. nil
	// takes no reports.
	Approve func(ctx context.Context, g *post.Group, id post.ID, keep bool) error
	// Progress, unless nil, is told now and then how many rows are read for the
	// first time, and then how many are stored, of how many.
	Progress func(storing bool, done, of int)
	Same     func() bool // whether the name still leads to File, unchanged; nil when nobody writes there
	Now      time.Time
	Limits   Caps
}

// Caps bound what one file may hold; a zero field means the reader's default.
type Caps struct {
	Bytes int64
	Rows  int
}

// An Outcome says what became of a file, and so where the original goes.
type Outcome uint8

const (
	Taken     Outcome = iota + 1 // stored: archive it
	Duplicate                    // the same bytes are stored already: archive it
	Nothing                      // read, but no row could be used: reject it
	Unusable                     // could not be read at all: reject it
	Approved                     // a report that came back, with what to approve: archive it
)

// String returns a word for logs.
func (o Outcome) String() string {
	return [...]string{"", "taken", "duplicate", "nothing usable", "unusable", "approved"}[min(int(o), 5)]
}

// A Result is what became of a file.
type Result struct {
	Outcome   Outcome            `json:"outcome"`
	Import    post.Import        `json:"import"` // of a duplicate: the import that has it
	Problems  []post.Problem     `json:"problems,omitempty"`
	Omitted   int                `json:"problems_omitted,omitempty"` // problems beyond the first thousand
	Quotas    []limits.QuotaLine `json:"quotas,omitempty"`
	Changes   *Changes           `json:"changes,omitempty"`   // of a revision: what it does to the earlier ones
	Approvals *Approvals         `json:"approvals,omitempty"` // of a report that came back
	Reports   []string           `json:"reports,omitempty"`   // paths of what was written
}

// MarshalText writes the word.
func (o Outcome) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// mostProblems is how many a Result carries; the reports carry them all.
const mostProblems = 1000

// ErrChanged is returned when a file changed while it was read: somebody still
// writes to it, and it must be taken again later.
var ErrChanged = errors.New("the file changed while it was read")

// ErrSettling is returned when a row names a file that is still being written, still
// comes over the network, or is not there yet: the calendar must be taken again later.
var ErrSettling = errors.New("media is not all there")

// An Intake takes files for one room.
type Intake struct {
	store   Store
	reports string // folder
	log     *slog.Logger

	taking sync.Mutex // one file is planned at a time: plans see what earlier files took

	refreshing sync.Mutex
	setbacks   map[post.ID]setback // reports that could not be written; of refreshing
}

// New returns an intake that stores in s and writes reports below the folder
// reports.
func New(s Store, reports string, log *slog.Logger) *Intake {
	return &Intake{store: s, reports: reports, log: log, setbacks: map[post.ID]setback{}}
}

// Import takes a file: reads, plans and stores it, and writes its report. When
// it returns without an error and Outcome is Taken, every row that the report
// calls accepted is on disk; the caller moves the original away and then calls
// [Intake.Filed].
//
// A file whose digest is stored already brings nothing. If that import was never
// filed, because the process died in between, its report is written again and
// the outcome is Taken, so that the caller files it now.
//
// The error is [ErrChanged], [ErrSettling], or that of the store, the reader or the
// disk; then nothing was stored.
func (in *Intake) Import(ctx context.Context, req Request) (Result, error) {
	return in.take(ctx, req, true)
}

// Check does what Import does and stores nothing: the report and the forecast
// are what an import at this moment would give.
func (in *Intake) Check(ctx context.Context, req Request) (Result, error) {
	return in.take(ctx, req, false)
}

// Filed records where the original of an import was put.
func (in *Intake) Filed(ctx context.Context, imp post.Import, archive string) error {
	return in.store.MarkFiled(ctx, imp.ID, archive, imp.Report)
}

// attempts is how often a file is planned anew when the store moved on between
// plan and seal.
const attempts = 4

func (in *Intake) take(ctx context.Context, req Request, keep bool) (Result, error) {
	if most := req.Limits.bytes(); req.Size > most {
		return in.refuse(req, post.Digest{}, []post.Problem{tooLarge(req.Name, req.Size, most)})
	}
	if !keep {
		req.Report += ".check"
	}
	j := &job{in: in, req: req, keep: keep}
	res, done, err := j.meet(ctx)
	if done || err != nil {
		return res, err
	}
	if err := j.survey(ctx); err != nil {
		return Result{}, err
	}
	if j.count() == 0 {
		return in.refuse(req, j.digest, append(j.src.Notes(), post.Problem{File: req.Name, Want: "at least one row below the header", Hint: "add rows and drop the file again", Code: "NO_ROWS"}))
	}
	if err := j.fetch(ctx); err != nil {
		return Result{}, err
	}
	if keep {
		in.taking.Lock()
		defer in.taking.Unlock()
	}
	for n := 1; ; n++ {
		res, err := j.attempt(ctx)
		switch {
		case err == nil:
			return res, nil
		case errors.Is(err, post.ErrDuplicate):
			res, _, err := in.known(ctx, req, j.digest, keep)
			return res, err
		case !j.again(ctx, n, err):
			return Result{}, err
		}
	}
}

// again reports whether a file is to be planned anew after the n-th attempt: the
// store moved on between plan and seal.
func (j *job) again(ctx context.Context, n int, err error) bool {
	var full *post.CapExceeded
	if n >= attempts || !errors.As(err, &full) && !errors.Is(err, post.ErrConflict) {
		return false
	}
	j.in.log.InfoContext(ctx, "planning again", "file", j.req.Name, "err", err)
	return true
}

// meet hashes the file and looks it over, right behind the hash: all that is read of
// it is read between two equal hashes. done is true for a file that ends here: one
// that is stored already, or that cannot be read.
func (j *job) meet(ctx context.Context) (res Result, done bool, err error) {
	t := newTrail(j.req.File)
	j.req.File = t
	var hashing errgroup.Group
	hashing.Go(func() (err error) {
		j.digest, err = t.hash(ctx, j.req.Size)
		return err
	})
	again, err := j.looksKnown(ctx)
	var unread error
	if err == nil && !again {
		unread = j.open(ctx)
	}
	if herr := hashing.Wait(); herr != nil {
		return Result{}, false, fmt.Errorf("read %s: %w", j.req.Name, herr)
	}
	if err != nil {
		return Result{}, false, err
	}
	if res, done, err = j.in.known(ctx, j.req, j.digest, j.keep); done || err != nil {
		return res, done, err
	}
	if again {
		unread = j.open(ctx)
	}
	if u := unusable(unread); u != nil {
		res, err = j.in.refuse(j.req, j.digest, u)
		return res, true, err
	}
	if unread != nil {
		return Result{}, false, unread
	}
	if c, ok := j.src.(csvSource); ok && c.Report() {
		res, err = j.approve(ctx, c.File)
		return res, true, err
	}
	return Result{}, false, nil
}

// looksKnown reports whether the file may well be one that is stored already, which
// its hash alone tells: it is as long as the revision before it.
func (j *job) looksKnown(ctx context.Context) (bool, error) {
	imp, found, err := j.in.store.LatestImport(ctx, j.req.Account.ID, j.req.Place.Lineage)
	return found && imp.Size == j.req.Size, err
}

// attempt compares, plans, writes and seals once. A changed row that the plan has
// no room for must not take away what it brought earlier: it is left out, and the
// rest is planned without the room that its post has.
func (j *job) attempt(ctx context.Context) (Result, error) {
	j.refused = nil
	for {
		if err := j.arrange(ctx); err != nil {
			return Result{}, err
		}
		if j.refuseChanges() {
			continue
		}
		if j.extends != nil && !j.news() {
			return Result{}, nil
		}
		return j.write(ctx)
	}
}

// arrange compares and plans.
func (j *job) arrange(ctx context.Context) error {
	if err := j.compare(ctx); err != nil {
		return fmt.Errorf("compare %s with earlier files: %w", j.req.Name, err)
	}
	if j.unseen() { // the store has moved on since fetch
		if err := j.look(ctx); err != nil {
			return err
		}
		if err := j.compare(ctx); err != nil {
			return fmt.Errorf("compare %s with earlier files: %w", j.req.Name, err)
		}
	}
	if err := j.plan(ctx); err != nil {
		return fmt.Errorf("plan %s: %w", j.req.Name, err)
	}
	return nil
}

// known handles a file whose bytes are stored already. done is false for a file
// that is new.
func (in *Intake) known(ctx context.Context, req Request, digest post.Digest, keep bool) (res Result, done bool, err error) {
	imp, found, err := in.store.ImportByDigest(ctx, req.Account.ID, digest)
	if err != nil || !found {
		return Result{}, false, err
	}
	if imp.Archive == "" && keep {
		res, err := in.finish(ctx, req, imp)
		return res, true, err
	}
	again := post.Problem{
		File: req.Name, Severity: post.SeverityWarning, Code: "ALREADY_IMPORTED",
		Want: fmt.Sprintf("the same bytes were imported on %s as %s: nothing was imported again", imp.TakenAt.In(req.Account.Zone).Format("2006-01-02 15:04 MST"), imp.Name),
		Hint: "to post it once more, change the rows you mean",
	}
	res = Result{Outcome: Duplicate, Import: imp, Problems: []post.Problem{again}}
	res.Reports, err = report.WriteNotice(in.base(req.Report+".again"), report.Notice{
		File: req.Name, Title: "Already imported", Problems: res.Problems, At: req.Now, Zone: req.Account.Zone, Import: &imp,
	})
	return res, true, err
}

// refuse reports a file of which nothing can be used.
func (in *Intake) refuse(req Request, digest post.Digest, problems []post.Problem) (Result, error) {
	res := Result{Outcome: Unusable, Problems: problems, Import: post.Import{
		Account: req.Account.ID, Name: req.Name, Lineage: req.Place.Lineage, Digest: digest, Size: req.Size, TakenAt: req.Now, Report: req.Report,
	}}
	var err error
	res.Reports, err = report.WriteNotice(in.base(req.Report), report.Notice{
		File: req.Name, Title: "This file could not be used", Problems: problems, At: req.Now, Zone: req.Account.Zone,
	})
	return res, err
}

// base returns the path of a report without its endings.
func (in *Intake) base(name string) string {
	return filepath.Join(in.reports, filepath.FromSlash(name))
}

// unix returns the Unix second of at, and 0 for no time.
func unix(at time.Time) int64 {
	if at.IsZero() {
		return 0
	}
	return at.Unix()
}
