package samples_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom/intake"
	"github.com/postroom/postroom/limits"
	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/publish/sandbox"
	"github.com/postroom/postroom/samples"
	"github.com/postroom/postroom/scheduler"
	"github.com/postroom/postroom/store"
)

var update = flag.Bool("update", false, "write expected/ anew")

// stages lets intake use the store's stages.
type stages struct{ *store.Store }

func (s stages) Stage(ctx context.Context, account post.AccountID) (intake.Stage, error) {
	return s.Store.Stage(ctx, account)
}

// accounts are those of the room that `postroom init` makes.
func accounts(t *testing.T, dir string) map[string]intake.Account {
	t.Helper()
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]intake.Account{}
	for name, a := range map[string]struct {
		plan  string
		conns []post.ConnectionID
	}{
		"acme":    {"pro", []post.ConnectionID{"twitter-123456", "linkedin-ABC123", "threads-17841400000000001", "bluesky-acme.example", "mastodon-acme"}},
		"blossom": {"starter", []post.ConnectionID{"linkedin-XYZ789", "bluesky-blossom.example", "mastodon-blossom"}},
	} {
		plan, ok := limits.PlanByKey(a.plan)
		if !ok {
			t.Fatalf("no plan %s", a.plan)
		}
		account := intake.Account{
			ID: post.AccountID(name), Zone: zone, Plan: plan, Rules: scheduler.DefaultRules(),
			Directory: post.NewDirectory(a.conns), Validators: map[post.ConnectionID]intake.Validator{},
		}
		for _, c := range a.conns {
			p, err := sandbox.New(sandbox.Config{Connection: c, Dir: filepath.Join(dir, "outbox")})
			if err != nil {
				t.Fatal(err)
			}
			account.Validators[c] = p
		}
		all[name] = account
	}
	return all
}

// A newcomer's room takes the samples one after another; what each brings is
// written down in expected/.
func TestSamplesDoWhatTheySay(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	now := samples.Reference
	s, err := store.Open(filepath.Join(dir, "postroom.db"), store.Options{Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	in := intake.New(stages{s}, filepath.Join(dir, "reports"), slog.New(slog.DiscardHandler))
	all := accounts(t, dir)
	for _, sample := range samples.All() {
		account := all[sample.Account]
		text, err := sample.Render(now, account.Zone)
		if err != nil {
			t.Fatal(err)
		}
		res, err := in.Import(t.Context(), intake.Request{
			Account: account, Name: sample.Name, Place: intake.PlaceOf(sample.Account, sample.Name),
			Report: sample.Account + "/" + sample.Name, File: bytes.NewReader(text), Size: int64(len(text)), Now: now,
		})
		if err != nil {
			t.Fatalf("%s: %v", sample.Name, err)
		}
		c := res.Import.Counts
		if c.Rows != c.Accepted+c.Held+c.Rejected+c.Unchanged {
			t.Errorf("P4: %s: %+v does not add up", sample.Name, c)
		}
		got := describe(t, sample, res, filepath.Join(dir, "reports", sample.Account, sample.Name+".report.csv"))
		path := filepath.Join("expected", strings.TrimSuffix(sample.Name, ".csv")+".txt")
		if *update {
			if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s: got\n%s\nwant\n%s", sample.Name, got, want)
		}
	}
}

// columns are those of the report that are the same every time: ids are not.
var columns = []string{"line", "status", "scheduled_time", "local_time", "moved_by", "why", "platform", "error_code", "error", "hint"}

// describe writes what an import brought, for a person to read and approve.
func describe(t *testing.T, s samples.Sample, res intake.Result, report string) string {
	t.Helper()
	text, err := os.ReadFile(report)
	if err != nil {
		t.Fatal(err)
	}
	r := csv.NewReader(bytes.NewReader(text))
	if header, _, _ := bytes.Cut(text, []byte("\n")); bytes.Contains(header, []byte(";")) {
		r.Comma = ';' // as in the calendar itself
	}
	rows, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	at := map[string]int{}
	for i, name := range rows[0] {
		// What the calendar calls by the same name stands before it.
		at[strings.TrimPrefix(name, "postroom_")] = i
	}
	var b strings.Builder
	c := res.Import.Counts
	fmt.Fprintf(&b, "%s\n\n%d rows: %d accepted, %d held, %d rejected\n\n", s.Shows, c.Rows, c.Accepted, c.Held, c.Rejected)
	for _, p := range res.Problems {
		if p.Line == 0 {
			fmt.Fprintf(&b, "%s\n\n", p) // of the whole file
		}
	}
	for _, row := range rows[1:] {
		var cells []string
		for _, name := range columns {
			i, ok := at[name]
			if !ok {
				t.Fatalf("%s has no column %s", report, name)
			}
			if row[i] != "" {
				cells = append(cells, row[i])
			}
		}
		fmt.Fprintln(&b, strings.Join(cells, " | "))
	}
	return b.String()
}
