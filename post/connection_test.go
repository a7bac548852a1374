package post_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/postroom/postroom/post"
)

func TestConnectionIDIsSplitAtItsFirstDash(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		id       post.ConnectionID
		platform post.Platform
		raw      string
	}{
		{"twitter-123456", "twitter", "123456"},
		{"telegram--1001234567890", "telegram", "-1001234567890"},
		{"bluesky-did:plc:abc", "bluesky", "did:plc:abc"},
		{"linkedin-urn-li-person", "linkedin", "urn-li-person"},
	} {
		if c.id.Platform() != c.platform || c.id.Raw() != c.raw {
			t.Errorf("%s: got %q and %q", c.id, c.id.Platform(), c.id.Raw())
		}
		if err := c.id.Check(); err != nil {
			t.Error(err)
		}
	}
}

func TestConnectionIDsThatAreNone(t *testing.T) {
	t.Parallel()
	for _, id := range []post.ConnectionID{"", "twitter", "-123", "twitter-", "Twitter-123", "twit1er-123", "twitter-a b", "twitter-ä", "twitter-a/b", "twitter-\x00", "twitter_123"} {
		if err := id.Check(); err == nil {
			t.Errorf("%q is taken", id)
		}
	}
}

func FuzzConnectionIDCheck(f *testing.F) {
	for _, s := range []string{"twitter-123456", "bluesky-did:plc:abc", "telegram--100", "x", "", "a-%41", "twitter-\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		id := post.ConnectionID(s)
		if id.Check() != nil {
			return
		}
		// What is taken can be put together again, stands in a header, a URL and
		// a file name, and resolves to itself.
		if string(id.Platform())+"-"+id.Raw() != s {
			t.Errorf("%q is not %q and %q", s, id.Platform(), id.Raw())
		}
		if i := strings.IndexFunc(s, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`/\?#"'<>,;|*`, r) }); i >= 0 {
			t.Errorf("%q has %q in it", s, s[i])
		}
		if got, err := post.NewDirectory([]post.ConnectionID{id}).Resolve(" " + strings.ToUpper(s)); err != nil || got != id {
			t.Errorf("%q resolves to %q, %v", s, got, err)
		}
	})
}

func TestPlatformByName(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		want  post.Platform
		known bool
	}{
		{"twitter", "twitter", true}, {" X ", "twitter", true}, {"X (Twitter)", "twitter", true},
		{"Blue Sky", "bluesky", true}, {"IG", "instagram", true}, {"Mastodon", "mastodon", true},
		{"MySpace", "myspace", false}, {"", "", false},
	} {
		if got, known := post.PlatformByName(c.name); got != c.want || known != c.known {
			t.Errorf("%q: got %q, %v", c.name, got, known)
		}
	}
}

func TestResolve(t *testing.T) {
	t.Parallel()
	d := post.NewDirectory([]post.ConnectionID{"twitter-123456", "mastodon-acme", "linkedin-1", "linkedin-2", "youtube-UCaB", "youtube-UCab"})
	for _, c := range []struct {
		rule, name string
		want       post.ConnectionID
		hint       string // of the error
	}{
		{"an id", "twitter-123456", "twitter-123456", ""},
		{"an id in another case, with spaces", " Mastodon-ACME ", "mastodon-acme", ""},
		{"a platform connected once", "Twitter", "twitter-123456", ""},
		{"an alias of one", "x", "twitter-123456", ""},
		{"a platform connected twice", "linkedin", "", "the account has 2 linkedin connections: name the one you mean"},
		{"a platform that is not connected", "Threads", "", "the account has no threads connection: add one to the config, or remove it here"},
		{"a misspelled platform", "mastadon", "", "did you mean mastodon?"},
		{"a misspelled id", "twitter-123465", "", "did you mean twitter-123456?"},
		{"nothing like it", "carrier pigeon", "", "use a connection id or the name of a platform that is connected once"},
		{"nothing at all", "", "", "use a connection id or the name of a platform that is connected once"},
		{"ids that differ in case alone, one of them", "youtube-UCab", "youtube-UCab", ""},
		{"ids that differ in case alone, the other", "youtube-UCaB", "youtube-UCaB", ""},
		{"ids that differ in case alone, neither", "youtube-ucab", "", "they differ in upper and lower case alone: write the one you mean as it is here"},
	} {
		got, err := d.Resolve(c.name)
		if got != c.want || (err != nil) != (c.hint != "") {
			t.Errorf("%s: got %q, %v", c.rule, got, err)
			continue
		}
		var re *post.ResolveError
		if err != nil && (!errors.As(err, &re) || re.Hint != c.hint || re.Want == "") {
			t.Errorf("%s: got %+v", c.rule, err)
		}
	}
}

func TestResolveErrorListsWhatThereIs(t *testing.T) {
	t.Parallel()
	_, err := post.NewDirectory([]post.ConnectionID{"twitter-1", "mastodon-2"}).Resolve("orkut")
	const want = `platform "orkut": want a connection of this account: twitter-1, mastodon-2 (use a connection id or the name of a platform that is connected once)`
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	var many []post.ConnectionID
	for _, c := range "abcdefghijklmnopq" {
		many = append(many, post.ConnectionID("twitter-"+string(c)))
	}
	if _, err := post.NewDirectory(many).Resolve("orkut"); err == nil || !strings.Contains(err.Error(), "twitter-l, … (17 in all)") || strings.Contains(err.Error(), "twitter-m") {
		t.Errorf("a long list: %v", err)
	}
	if _, err := post.NewDirectory(nil).Resolve("orkut"); err == nil || !strings.Contains(err.Error(), "(none)") {
		t.Errorf("no connections: %v", err)
	}
}

func TestNearest(t *testing.T) {
	t.Parallel()
	words := []string{"scheduled_time", "content", "link", "id"}
	for _, c := range []struct{ rule, name, want string }{
		{"the word itself", "content", "content"},
		{"in any case", "CONTENT", "content"},
		{"a letter missing", "contnt", "content"},
		{"a letter too many", "contentt", "content"},
		{"another letter", "contemt", "content"},
		{"two neighbours swapped are one edit", "lnik", "link"},
		{"two edits of a long word", "shceduled_tme", "scheduled_time"},
		{"three are too many", "shceduled_tm", ""},
		{"more than a third of the letters are too many", "lonq", ""},
		{"one edit of a short word", "it", "id"},
		{"two of a short word are too many", "xx", ""},
		{"nothing is near nothing", "", ""},
	} {
		if got := post.Nearest(c.name, words); got != c.want {
			t.Errorf("%s: %q: got %q, want %q", c.rule, c.name, got, c.want)
		}
	}
	if got := post.Nearest("cat", []string{"bat", "car", "cut"}); got != "bat" {
		t.Errorf("of equally near words: got %q, want the first", got)
	}
}
