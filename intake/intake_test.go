package intake_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/postroom/postroom/intake"
	"github.com/postroom/postroom/limits"
	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/publish/sandbox"
	"github.com/postroom/postroom/scheduler"
	"github.com/postroom/postroom/store"
)

var monday = time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)

// stages lets intake use the store's stages.
type stages struct{ *store.Store }

func (s stages) Stage(ctx context.Context, account post.AccountID) (intake.Stage, error) {
	return s.Store.Stage(ctx, account)
}

// A desk takes files for the account acme, which has twitter-1 and linkedin-2.
type desk struct {
	t       testing.TB
	store   *store.Store
	intake  *intake.Intake
	account intake.Account
	reports string
	now     time.Time
}

func newDesk(t testing.TB) *desk {
	t.Helper()
	return newDeskIn(t, t.TempDir())
}

func newDeskIn(t testing.TB, dir string) *desk {
	t.Helper()
	d := &desk{t: t, reports: filepath.Join(dir, "reports"), now: monday}
	var err error
	d.store, err = store.Open(filepath.Join(dir, "postroom.db"), store.Options{Now: func() time.Time { return d.now }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.store.Close(); err != nil {
			t.Error(err)
		}
	})
	conns := []post.ConnectionID{"twitter-1", "linkedin-2"}
	d.account = intake.Account{ID: "acme", Zone: time.UTC, Rules: scheduler.DefaultRules(), Directory: post.NewDirectory(conns), Validators: map[post.ConnectionID]intake.Validator{}}
	d.plan("unlimited")
	for _, c := range conns {
		p, err := sandbox.New(sandbox.Config{Connection: c, Dir: filepath.Join(dir, "outbox")})
		if err != nil {
			t.Fatal(err)
		}
		d.account.Validators[c] = p
	}
	d.intake = intake.New(stages{d.store}, d.reports, slog.New(slog.DiscardHandler))
	return d
}

func (d *desk) plan(key string) {
	p, ok := limits.PlanByKey(key)
	if !ok {
		d.t.Fatalf("no plan %s", key)
	}
	d.account.Plan = p
}

func (d *desk) request(name, text string) intake.Request {
	return intake.Request{
		Account: d.account, Name: name, Place: intake.PlaceOf("", name), Report: "acme/" + name,
		File: strings.NewReader(text), Size: int64(len(text)), Now: d.now,
	}
}

// take imports a file and files it, and wants these counts.
func (d *desk) take(name, text string, want post.Counts) intake.Result {
	d.t.Helper()
	return d.takeRequest(d.request(name, text), want)
}

func (d *desk) takeRequest(req intake.Request, want post.Counts) intake.Result {
	d.t.Helper()
	res, err := d.intake.Import(d.t.Context(), req)
	if err != nil {
		d.t.Fatalf("%s: %v", req.Name, err)
	}
	if res.Outcome == intake.Taken {
		if err := d.intake.Filed(d.t.Context(), res.Import, "archive/"+req.Name); err != nil {
			d.t.Fatal(err)
		}
	}
	got := res.Import.Counts
	got.Posts, got.Warnings = 0, 0
	if got != want {
		d.t.Errorf("%s: counts %+v, want %+v (%v)", req.Name, got, want, res.Problems)
	}
	return res
}

// statuses returns the status of every platform post by text and connection.
func (d *desk) statuses() map[string]post.Status {
	d.t.Helper()
	all := map[string]post.Status{}
	for cursor := ""; ; {
		gs, next, err := d.store.Groups(d.t.Context(), post.Filter{}, cursor, 100)
		if err != nil {
			d.t.Fatal(err)
		}
		for i := range gs {
			for k := range gs[i].Posts {
				name := gs[i].Text + " @" + string(gs[i].Posts[k].Connection)
				if old, twice := all[name]; twice && old != post.StatusCancelled && gs[i].Posts[k].Status != post.StatusCancelled {
					d.t.Errorf("P5: %q waits twice", name)
				}
				if all[name] == 0 || all[name] == post.StatusCancelled {
					all[name] = gs[i].Posts[k].Status
				}
			}
		}
		if next == "" {
			return all
		}
		cursor = next
	}
}

const header = "external_id,content,platforms,scheduled_time\n"

// rows returns a file of rows N, each for an hour of its own.
func rows(ns ...int) string {
	var b strings.Builder
	b.WriteString(header)
	for _, n := range ns {
		fmt.Fprintf(&b, "id-%d,text %d,twitter-1,%s\n", n, n, monday.Add(24*time.Hour+time.Duration(n)*time.Hour).Format("2006-01-02T15:04:05Z"))
	}
	return b.String()
}

func TestP5_TheSameBytesComeInOnce(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.take("a.csv", rows(1, 2), post.Counts{Rows: 2, Accepted: 2})
	for _, name := range []string{"a.csv", "renamed.csv"} {
		res := d.take(name, rows(1, 2), post.Counts{Rows: 2, Accepted: 2})
		if res.Outcome != intake.Duplicate {
			t.Errorf("%s: %v, want a duplicate", name, res.Outcome)
		}
	}
	if got := d.statuses(); len(got) != 2 {
		t.Errorf("%d posts, want 2: %v", len(got), got)
	}
}

func TestP5_ARenamedCopyWithOtherBytesPostsNothingTwice(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.take("a.csv", rows(1, 2), post.Counts{Rows: 2, Accepted: 2})
	// Another tool wrote it: CRLF, another order of rows, and one row more.
	again := strings.ReplaceAll(rows(3, 2, 1), "\n", "\r\n")
	d.take("copy of a.csv", again, post.Counts{Rows: 3, Accepted: 1, Unchanged: 2})
	if got := d.statuses(); len(got) != 3 {
		t.Errorf("%d posts, want 3: %v", len(got), got)
	}
}

func TestP5_AnotherAccountMayPostTheSame(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.take("a.csv", rows(1), post.Counts{Rows: 1, Accepted: 1})
	d.account.ID = "other"
	d.take("a.csv", rows(1), post.Counts{Rows: 1, Accepted: 1})
}

func TestARevisionIsADifference(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.take("plan.csv", rows(1, 2, 3), post.Counts{Rows: 3, Accepted: 3})
	edited := strings.Replace(rows(1, 2, 4), "text 2", "text two", 1)
	res := d.take("plan.csv", edited, post.Counts{Rows: 3, Accepted: 2, Updated: 1, Unchanged: 1, Removed: 1})
	if res.Import.Counts.Updated != 1 {
		t.Errorf("counts %+v, want one updated", res.Import.Counts)
	}
	want := map[string]post.Status{
		"text 1 @twitter-1": post.StatusScheduled, "text 2 @twitter-1": post.StatusCancelled,
		"text two @twitter-1": post.StatusScheduled, "text 4 @twitter-1": post.StatusScheduled,
		"text 3 @twitter-1": post.StatusScheduled, // rows that are gone are left alone unless the folder says otherwise
	}
	got := d.statuses()
	for text, status := range want {
		if got[text] != status {
			t.Errorf("%s is %v, want %v", text, got[text], status)
		}
	}
	if len(got) != len(want) {
		t.Errorf("posts %v", got)
	}
}

func TestRemovedRowsAreCancelledWhereTheFolderSaysSo(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.take("plan.csv", rows(1, 2, 3, 4, 5, 6, 7, 8, 9), post.Counts{Rows: 9, Accepted: 9})
	req := d.request("plan.csv", rows(1, 2, 3, 4, 5, 6, 7, 8))
	req.CancelRemoved = true
	d.takeRequest(req, post.Counts{Rows: 8, Unchanged: 8, Removed: 1, Cancelled: 1})
	if got := d.statuses()["text 9 @twitter-1"]; got != post.StatusCancelled {
		t.Errorf("the removed row's post is %v", got)
	}
}

// Who goes on with a plan for weeks takes out of it what is out.
func TestRowsThatAreOutDoNotKeepARemovedOneFromBeingCancelled(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	var all []int
	for n := range 40 {
		all = append(all, n)
	}
	d.take("plan.csv", rows(all...), post.Counts{Rows: 40, Accepted: 40})
	d.publish(monday.Add(24*time.Hour + 24*time.Hour + time.Minute)) // 0 to 24
	mirror := func(text string) intake.Request {
		req := d.request("plan.csv", text)
		req.CancelRemoved = true
		return req
	}
	d.takeRequest(mirror(rows(slices.Concat(all[20:30], all[31:])...)), post.Counts{Rows: 19, Unchanged: 19, Removed: 21, Cancelled: 1})
	if got := d.statuses()["text 30 @twitter-1"]; got != post.StatusCancelled {
		t.Errorf("the post of the row that is gone is %s", got)
	}
	// Most of what waits is rather a mistake, however much is out.
	d.takeRequest(mirror(rows(20, 21, 22, 23, 24, 25)), post.Counts{Rows: 6, Unchanged: 6, Removed: 13})
	if got := d.statuses()["text 39 @twitter-1"]; got != post.StatusScheduled {
		t.Errorf("a post of many that are gone at once is %s", got)
	}
}

// A row that is gone is compared with the whole plan, not with what of it was given
// back last.
func TestRowsAreRemovedAfterRejectedOnesCameBack(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	whole := rows(1, 2, 3, 4, 5, 6, 7, 8, 9)
	d.take("plan.csv", strings.Replace(whole, "twitter-1", "twiter-1", 1), post.Counts{Rows: 9, Accepted: 8, Rejected: 1})
	d.take("plan.csv.rejected.csv", rows(1), post.Counts{Rows: 1, Accepted: 1})
	req := d.request("plan.csv", rows(1, 2, 3, 4, 5, 6, 7, 8))
	req.CancelRemoved = true
	d.takeRequest(req, post.Counts{Rows: 8, Unchanged: 8, Removed: 1, Cancelled: 1})
}

// The report of a revision takes the place of the one that said what became of its
// rows.
func TestTheReportOfARevisionSaysWhatBecameOfUnchangedRows(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	text := rows(1, 2)
	refresh := func() (n int) {
		n, err := d.intake.Refresh(t.Context(), func(string) (intake.Original, error) { return original{strings.NewReader(text)}, nil },
			func(post.AccountID) *time.Location { return time.UTC }, d.now, 100)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	d.take("plan.csv", text, post.Counts{Rows: 2, Accepted: 2})
	d.publish(monday.Add(72 * time.Hour))
	refresh()
	text = rows(2, 1)
	d.take("plan.csv", text, post.Counts{Rows: 2, Unchanged: 2})
	refresh()
	got, err := os.ReadFile(filepath.Join(d.reports, "acme", "plan.csv.report.csv"))
	if err != nil || bytes.Count(got, []byte(",published,")) != 2 {
		t.Errorf("%v\n%s", err, got)
	}
	// Nothing has become of these.
	d.take("new.csv", rows(80, 81), post.Counts{Rows: 2, Accepted: 2})
	if n := refresh(); n != 0 {
		t.Errorf("%d reports written again", n)
	}
}

// A row that is gone when another has a mistake is not forgotten when that is mended.
func TestARowThatWasSparedForAMistakeIsCancelledOnceItIsMended(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	mirror := func(text string) intake.Request {
		req := d.request("plan.csv", text)
		req.CancelRemoved = true
		return req
	}
	typo := func(text, more string) string { return strings.Replace(text, "twitter-1", "twiter-1"+more, 1) }
	d.takeRequest(mirror(rows(1, 2, 3, 4, 5, 6, 7, 8, 9)), post.Counts{Rows: 9, Accepted: 9})
	d.takeRequest(mirror(typo(rows(1, 2, 3, 4, 5, 6, 7, 8), "")), post.Counts{Rows: 8, Unchanged: 7, Rejected: 1, Removed: 2})
	d.takeRequest(mirror(typo(rows(1, 2, 3, 4, 5, 6, 7, 8), "1")), post.Counts{Rows: 8, Unchanged: 7, Rejected: 1, Removed: 2})
	d.takeRequest(mirror(rows(1, 2, 3, 4, 5, 6, 7, 8)), post.Counts{Rows: 8, Unchanged: 8, Removed: 1, Cancelled: 1})
	d.takeRequest(mirror(rows(8, 7, 6, 5, 4, 3, 2, 1)), post.Counts{Rows: 8, Unchanged: 8})
}

func TestP2_RowsGivenBackTwiceStillBelongToTheirFile(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	typo := func(n int, text string) string { return strings.Replace(text, "twitter-1", "twiter-1", n) }
	d.take("plan.csv", typo(2, rows(1, 2, 3)), post.Counts{Rows: 3, Accepted: 1, Rejected: 2})
	d.take("plan.csv.rejected.csv", typo(1, rows(1, 2)), post.Counts{Rows: 2, Accepted: 1, Rejected: 1})
	d.take("plan.csv.rejected (1).csv.rejected fixed.csv", rows(1), post.Counts{Rows: 1, Accepted: 1})
	// The row changes its post, and brings no other.
	edited := strings.Replace(rows(1, 2, 3), "text 1", "text one", 1)
	d.take("plan.csv", edited, post.Counts{Rows: 3, Accepted: 1, Updated: 1, Unchanged: 2})
	if got := d.statuses()["text 1 @twitter-1"]; got != post.StatusCancelled {
		t.Errorf("the post that the edited row brought first is %s", got)
	}
}

func TestASecondRowWithTheSameIDIsRejected(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	text := rows(1, 2) + "id-1,something else,twitter-1," + monday.Add(90*time.Hour).Format(time.RFC3339) + "\n"
	res := d.take("twice.csv", text, post.Counts{Rows: 3, Accepted: 2, Rejected: 1})
	if len(res.Problems) == 0 || res.Problems[0].Line != 4 {
		t.Errorf("problems %v, want line 4", res.Problems)
	}
}

func TestP6_RejectedRowsLeaveTheOthersAlone(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	text := rows(1) + "id-8,no such platform,twiter-1,2026-04-01T10:00:00Z\nid-9,impossible date,twitter-1,2026-02-30T10:00:00Z\n" + "id-10,past,twitter-1,2020-01-01T10:00:00Z\n"
	res := d.take("mixed.csv", text, post.Counts{Rows: 4, Accepted: 1, Held: 1, Rejected: 2})
	for _, p := range res.Problems {
		if p.Code == "" || p.File != "mixed.csv" || p.Line == 0 || p.Want == "" && p.Hint == "" {
			t.Errorf("a problem says too little: %+v", p)
		}
	}
	rejected, err := os.ReadFile(filepath.Join(d.reports, "acme", "mixed.csv.rejected.csv"))
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(bytes.TrimSpace(rejected), []byte("\n")); n != 2 {
		t.Errorf("the rejected file has %d rows, want 2:\n%s", n, rejected)
	}
	// The rejected file, mended, is a continuation of its original.
	mended := strings.NewReplacer("twiter-1", "twitter-1", "2026-02-30", "2026-03-30").Replace(string(rejected))
	d.take("mixed.csv.rejected.csv", mended, post.Counts{Rows: 2, Accepted: 2})
	if got := d.statuses(); len(got) != 4 {
		t.Errorf("posts %v, want 4", got)
	}
}

func TestAFileWithoutAUsableRowStoresNothing(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"only a header":   header,
		"no row is right": header + "id-1,text,twiter-1,2026-04-01T10:00:00Z\n",
		"not a table":     "%PDF-1.7\n\x00\x01\x02",
		"empty":           "",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t)
			res, err := d.intake.Import(t.Context(), d.request("bad.csv", text))
			if err != nil {
				t.Fatal(err)
			}
			if res.Outcome != intake.Nothing && res.Outcome != intake.Unusable || len(res.Problems) == 0 || len(res.Reports) == 0 {
				t.Errorf("outcome %v, problems %v, reports %v", res.Outcome, res.Problems, res.Reports)
			}
			if got := d.statuses(); len(got) != 0 {
				t.Errorf("posts %v", got)
			}
		})
	}
}

func TestP6_TheQuotaIsHeldAgainstTheStoreAndEarlierRows(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	one := 1
	d.account.Plan = limits.Plan{Key: "own", Name: "Own", Monthly: &one}
	d.take("a.csv", rows(1, 2), post.Counts{Rows: 2, Accepted: 1, Rejected: 1})
	res, err := d.intake.Import(t.Context(), d.request("b.csv", rows(3)))
	if err != nil {
		t.Fatal(err)
	}
	if res.Outcome != intake.Nothing || !slices.ContainsFunc(res.Problems, func(p post.Problem) bool { return p.Line == 2 && p.Limit != nil && p.Severity != post.SeverityWarning }) {
		t.Errorf("%v %+v, want one limit error", res.Outcome, res.Problems)
	}
}

// P6: a revision that moves a row within its month frees what it takes.
func TestP6_AnUpdateDoesNotCountTwice(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	two := 2
	d.account.Plan = limits.Plan{Key: "own", Name: "Own", Monthly: &two}
	d.take("a.csv", rows(1, 2), post.Counts{Rows: 2, Accepted: 2})
	d.take("a.csv", strings.Replace(rows(1, 2), "text 1", "text one", 1), post.Counts{Rows: 2, Accepted: 1, Updated: 1, Unchanged: 1})
}

func TestCheckStoresNothingAndForecastsTheImport(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	req := d.request("a.csv", rows(1, 2)+"id-3,x,twiter-1,2026-04-01T10:00:00Z\n")
	checked, err := d.intake.Check(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	if got := d.statuses(); len(got) != 0 {
		t.Errorf("check stored %v", got)
	}
	res, err := d.intake.Import(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	if checked.Import.Counts != res.Import.Counts || len(checked.Problems) != len(res.Problems) {
		t.Errorf("check said %+v %v, the import %+v %v", checked.Import.Counts, checked.Problems, res.Import.Counts, res.Problems)
	}
}

// P5: after a crash between the seal and the filing, the file is still in the
// inbox. It is filed then, and brings nothing twice.
func TestP5_AnUnfiledImportIsFiledAndNotRepeated(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	req := d.request("a.csv", rows(1, 2))
	first, err := d.intake.Import(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(d.reports); err != nil {
		t.Fatal(err)
	}
	again := d.take("a.csv", rows(1, 2), post.Counts{Rows: 2, Accepted: 2})
	if again.Outcome != intake.Taken || again.Import.ID != first.Import.ID {
		t.Errorf("%v %v, want the same import taken", again.Outcome, again.Import.ID)
	}
	if _, err := os.Stat(filepath.Join(d.reports, "acme", "a.csv.report.csv")); err != nil {
		t.Errorf("the report was not written again: %v", err)
	}
	if got := d.statuses(); len(got) != 2 {
		t.Errorf("posts %v, want 2", got)
	}
}

// A restless file changes between the first reading and the second.
type restless struct {
	first, then string
	reads       atomic.Int32 // of several goroutines
	after       int
}

func (r *restless) ReadAt(p []byte, off int64) (int, error) {
	s := r.first
	if int(r.reads.Add(1)) > r.after {
		s = r.then
	}
	if off >= int64(len(s)) {
		return 0, io.EOF
	}
	n := copy(p, s[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func TestP3_AFileThatChangesWhileItIsReadIsNotTaken(t *testing.T) {
	t.Parallel()
	first := rows(1, 2, 3)
	for _, then := range []string{strings.Replace(first, "text 2", "TEXT 2", 1), strings.Repeat("\x00", len(first)), first[:len(first)/2]} {
		for after := 1; after < 6; after++ {
			d := newDesk(t)
			req := d.request("a.csv", first)
			f := &restless{first: first, then: then, after: after}
			req.File = f
			res, err := d.intake.Import(t.Context(), req)
			if err != nil {
				if !errors.Is(err, intake.ErrChanged) && !errors.Is(err, io.ErrUnexpectedEOF) {
					t.Errorf("after %d reads: %v", after, err)
				}
				if got := d.statuses(); len(got) != 0 {
					t.Errorf("after %d reads: not taken, and yet posts %v", after, got)
				}
				continue
			}
			// It was read whole before it changed, or was never what it should be.
			if res.Outcome == intake.Taken && int(f.reads.Load()) > after {
				t.Errorf("after %d of %d reads it changed and was taken", after, f.reads.Load())
			}
		}
	}
}

func TestP3_AFileWhoseNameLeadsElsewhereNowIsNotTaken(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	req := d.request("a.csv", rows(1, 2))
	req.Same = func() bool { return false }
	if _, err := d.intake.Import(t.Context(), req); !errors.Is(err, intake.ErrChanged) {
		t.Errorf("got %v, want ErrChanged", err)
	}
	if got := d.statuses(); len(got) != 0 {
		t.Errorf("not taken, and yet posts %v", got)
	}
	req.Same = func() bool { return true }
	if _, err := d.intake.Import(t.Context(), req); err != nil {
		t.Error(err)
	}
}

// TestP4_EveryRowHasItsLines imports random files in random revisions: each row
// has one line in the report for each of its platforms, the counts add up, and
// check foretells them.
func TestP4_EveryRowHasItsLines(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(t.TempDir(), "")
		if err != nil {
			t.Fatal(err)
		}
		d := newDeskIn(t, dir)
		d.plan(rapid.SampledFrom([]string{"starter", "unlimited"}).Draw(rt, "plan"))
		for range rapid.IntRange(1, 3).Draw(rt, "revisions") {
			ns := rapid.SliceOfN(rapid.IntRange(0, 40), 1, 30).Draw(rt, "rows")
			var b strings.Builder
			b.WriteString(header)
			platforms, at := map[int]int{}, 2 // by physical line
			for _, n := range ns {
				conns := rapid.SampledFrom([]string{"twitter-1", "twitter-1;linkedin-2", "linkedin-2", "nobody-9", ""}).Draw(rt, "platforms")
				due := monday.Add(time.Duration(rapid.IntRange(-100, 4000).Draw(rt, "hours")) * time.Hour)
				text := rapid.SampledFrom([]string{"hello", "line\nbreak", "=1+1", `"quoted"`, "", "ключ"}).Draw(rt, "text")
				w := csv.NewWriter(&b)
				id := ""
				if n < 20 {
					id = fmt.Sprint(n)
				}
				if err := w.Write([]string{id, text, conns, due.Format(time.RFC3339)}); err != nil {
					t.Fatal(err)
				}
				w.Flush()
				platforms[at] = strings.Count(conns, ";") + 1
				at += 1 + strings.Count(text, "\n")
			}
			req := d.request("plan.csv", b.String())
			checked, err := d.intake.Check(t.Context(), req)
			if err != nil {
				rt.Fatal(err)
			}
			res, err := d.intake.Import(t.Context(), req)
			if err != nil {
				rt.Fatal(err)
			}
			if res.Outcome == intake.Duplicate {
				continue
			}
			c := res.Import.Counts
			if c != checked.Import.Counts {
				rt.Fatalf("check said %+v, the import %+v", checked.Import.Counts, c)
			}
			if c.Rows != len(ns) || c.Rows != c.Accepted+c.Held+c.Rejected+c.Unchanged {
				rt.Fatalf("%d rows are %+v", len(ns), c)
			}
			if res.Outcome == intake.Taken {
				if err := d.intake.Filed(t.Context(), res.Import, "archive/plan.csv"); err != nil {
					rt.Fatal(err)
				}
			}
			got := reportLines(t, filepath.Join(d.reports, "acme", "plan.csv.report.csv"))
			if len(got) != len(ns) {
				rt.Fatalf("%d rows have lines, want %d", len(got), len(ns))
			}
			for line, want := range platforms {
				if got[line] != want && got[line] != 1 {
					rt.Fatalf("line %d has %d lines, want %d", line, got[line], want)
				}
			}
		}
	})
}

// reportLines returns how many lines of a report each row has, by its line.
func reportLines(t testing.TB, path string) map[int]int {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	recs, err := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(b, []byte("\ufeff")))).ReadAll()
	if err != nil {
		t.Fatalf("%v\n%s", err, b)
	}
	at := slices.Index(recs[0], "line")
	if at < 0 {
		t.Fatalf("the report has the columns %q", recs[0])
	}
	lines := map[int]int{}
	for _, r := range recs[1:] {
		var n int
		if _, err := fmt.Sscan(r[at], &n); err != nil {
			t.Fatal(err)
		}
		lines[n]++
	}
	return lines
}

// TestP9_TheSameInputGivesTheSamePlan imports the same files into two stores.
func TestP9_TheSameInputGivesTheSamePlan(t *testing.T) {
	t.Parallel()
	var plans [2]string
	for i := range plans {
		d := newDesk(t)
		d.take("a.csv", strings.ReplaceAll(rows(1, 1, 2, 2, 3), "id-", ""), post.Counts{Rows: 5, Accepted: 3, Rejected: 2})
		same := header + strings.Repeat(",same hour,twitter-1;linkedin-2,2026-03-04T10:00:00Z\n", 20)
		d.take("b.csv", same, post.Counts{Rows: 20, Accepted: 20})
		b, err := os.ReadFile(filepath.Join(d.reports, "acme", "b.csv.report.csv"))
		if err != nil {
			t.Fatal(err)
		}
		var due []string
		recs, err := csv.NewReader(bytes.NewReader(b)).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		at := slices.Index(recs[0], "postroom_scheduled_time")
		for _, r := range recs[1:] {
			due = append(due, r[at])
		}
		plans[i] = strings.Join(due, "\n")
	}
	if plans[0] != plans[1] {
		t.Errorf("one plan\n%s\nand another\n%s", plans[0], plans[1])
	}
}
