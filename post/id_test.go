package post_test

import (
	"encoding/json"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/postroom/postroom/post"
)

func TestMakeIDLaysOutSecondsMachineAndCounter(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 9, 0, 0, 999, time.UTC)
	id := post.MakeID(at, [5]byte{0xa1, 0xa2, 0xa3, 0xa4, 0xa5}, 0xff010203)
	if got, want := id.String(), "69a40010"+"a1a2a3a4a5"+"010203"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := id.Time(); !got.Equal(at.Truncate(time.Second)) || got.Location() != time.UTC {
		t.Errorf("made at %v, want %v", got, at)
	}
}

func TestAddCarriesIntoTheSecondsAndKeepsTheMachine(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rule string
		from string
		n    uint64
		want string
	}{
		{"nothing", "69a40010a1a2a3a4a5000001", 0, "69a40010a1a2a3a4a5000001"},
		{"one", "69a40010a1a2a3a4a5000001", 1, "69a40010a1a2a3a4a5000002"},
		{"over a byte", "69a40010a1a2a3a4a500ffff", 1, "69a40010a1a2a3a4a5010000"},
		{"over the counter", "69a40010a1a2a3a4a5ffffff", 1, "69a40011a1a2a3a4a5000000"},
		{"over the counter more than once", "69a40010a1a2a3a4a5000005", 3 << 24, "69a40013a1a2a3a4a5000005"},
	} {
		id, err := post.ParseID(c.from)
		if err != nil {
			t.Fatal(err)
		}
		if got := id.Add(c.n).String(); got != c.want {
			t.Errorf("%s: got %s, want %s", c.rule, got, c.want)
		}
	}
}

func TestIDsAscend(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		at := time.Unix(rapid.Int64Range(0, 4_000_000_000).Draw(t, "at"), 0)
		id := post.MakeID(at, [5]byte{1, 2, 3, 4, 5}, rapid.Uint32().Draw(t, "counter"))
		a, b := rapid.Uint64Range(0, 1<<28).Draw(t, "a"), rapid.Uint64Range(0, 1<<28).Draw(t, "b")
		less := func(x, y post.ID) bool { return slices.Compare(x[:], y[:]) < 0 }
		if got := less(id.Add(a), id.Add(b)); got != (a < b) {
			t.Fatalf("%s + %d and + %d: in order %v", id, a, b, got)
		}
		if id.Add(a).Add(b) != id.Add(a+b) {
			t.Fatalf("%s: %d then %d is not %d", id, a, b, a+b)
		}
	})
}

func TestParseIDWants24HexDigits(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"", "507f1f77bcf86cd79943901", "507f1f77bcf86cd7994390111", "507f1f77bcf86cd79943901g", "pg_507f1f77bcf86cd799439", strings.Repeat("ä", 12)} {
		if id, err := post.ParseID(bad); err == nil || !id.IsZero() {
			t.Errorf("%q: got %v, %v", bad, id, err)
		}
	}
	if id, err := post.ParseID("507F1F77BCF86CD799439011"); err != nil || id.String() != "507f1f77bcf86cd799439011" {
		t.Errorf("upper case: got %v, %v", id, err)
	}
}

func TestZeroIDIsEmptyText(t *testing.T) {
	t.Parallel()
	type box struct {
		ID post.ID `json:"id"`
	}
	for _, id := range []post.ID{{}, post.MakeID(time.Unix(1_772_355_600, 0), [5]byte{9}, 7)} {
		b, err := json.Marshal(box{id})
		if err != nil {
			t.Fatal(err)
		}
		var back box
		if err := json.Unmarshal(b, &back); err != nil || back.ID != id {
			t.Errorf("%s: got %v, %v", b, back.ID, err)
		}
		if id.IsZero() && string(b) != `{"id":""}` {
			t.Errorf("zero: got %s", b)
		}
	}
	if err := json.Unmarshal([]byte(`{"id":"x"}`), new(box)); err == nil {
		t.Error("a bad id was read without an error")
	}
}

func FuzzParseID(f *testing.F) {
	f.Add("507f1f77bcf86cd799439011")
	f.Add("507F1F77BCF86CD799439011")
	f.Add("")
	f.Add("zz")
	f.Fuzz(func(t *testing.T, s string) {
		id, err := post.ParseID(s)
		if err != nil {
			if !id.IsZero() || !strings.Contains(err.Error(), "24 hex digits") {
				t.Errorf("%q: got %v, %v", s, id, err)
			}
			return
		}
		if got := id.String(); got != strings.ToLower(s) {
			t.Errorf("%q: printed as %q", s, got)
		}
		if id.Add(5).Time().Before(id.Time()) && id.Time().Unix() < 1<<32-1 {
			t.Errorf("%q: Add goes back in time", s)
		}
	})
}

func TestALogShowsAnIDAsItsText(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	log := slog.New(slog.NewJSONHandler(&b, nil))
	log.Info("x", "post", post.MakeID(time.Unix(1, 0), [5]byte{2}, 3), "none", post.ID{})
	if got, want := b.String(), `"post":"000000010200000000000003","none":""`; !strings.Contains(got, want) {
		t.Errorf("got %s, want %s", got, want)
	}
}
