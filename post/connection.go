package post

import (
	"fmt"
	"strings"
)

// Platform is a kind of network, by its key in the PostPost contract: "twitter",
// "mastodon" (CONTRACT §0.2), or one of ours: "webhook", "sandbox".
type Platform string

// AccountID names one customer: a plan and its connections. It is the key under
// `accounts` in the config.
type AccountID string

// ConnectionID names one authorised account on one platform: the platform's key,
// a dash and a raw id, such as "twitter-123456" or "bluesky-did:plc:abc".
type ConnectionID string

// Platform returns what stands before the first dash.
func (c ConnectionID) Platform() Platform {
	p, _, _ := strings.Cut(string(c), "-")
	return Platform(p)
}

// Raw returns what stands after the first dash (CONTRACT §0.2).
func (c ConnectionID) Raw() string {
	_, raw, _ := strings.Cut(string(c), "-")
	return raw
}

// Check reports whether c has the form key-raw: a lower-case key, a dash and at
// least one of A-Z a-z 0-9 _ : . % - (the PostPost form, widened to what real
// Bluesky ids hold).
func (c ConnectionID) Check() error {
	key, raw, ok := strings.Cut(string(c), "-")
	if !ok || key == "" || raw == "" || strings.Trim(key, "abcdefghijklmnopqrstuvwxyz") != "" || strings.ContainsFunc(raw, notRaw) {
		return fmt.Errorf("connection id %q: want PLATFORM-ID, like twitter-123456", string(c))
	}
	return nil
}

func notRaw(r rune) bool {
	switch {
	case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
		return false
	}
	return !strings.ContainsRune("_:.%-", r)
}

// platformAliases are the short and old names by which people call a platform
// in a calendar, beside the platform's own key.
var platformAliases = map[string]Platform{
	"x": "twitter", "tweet": "twitter", "twitter/x": "twitter", "x/twitter": "twitter", "x (twitter)": "twitter",
	"li": "linkedin", "linked in": "linkedin",
	"ig": "instagram", "insta": "instagram",
	"fb": "facebook", "facebook page": "facebook", "facebook pages": "facebook",
	"yt": "youtube", "you tube": "youtube",
	"bsky": "bluesky", "blue sky": "bluesky",
	"masto": "mastodon", "fediverse": "mastodon",
	"tg": "telegram", "tik tok": "tiktok", "tt": "tiktok",
	"pin": "pinterest",
}

// PlatformByName reads a platform as people write it: its key or a common alias,
// in any case. Unknown names come back lower-cased as they are, with false.
func PlatformByName(name string) (Platform, bool) {
	n := strings.ToLower(strings.TrimSpace(name))
	if p, ok := platformAliases[n]; ok {
		return p, true
	}
	_, ok := knownPlatforms[Platform(n)]
	return Platform(n), ok
}

var knownPlatforms = map[Platform]bool{
	"twitter": true, "linkedin": true, "instagram": true, "threads": true, "tiktok": true, "youtube": true,
	"facebook": true, "bluesky": true, "mastodon": true, "telegram": true, "pinterest": true,
	"webhook": true, "sandbox": true, "discord": true, "slack": true, "nostr": true, "matrix": true,
	"wordpress": true, "postpost": true,
}

// A Directory resolves what people write in a platforms column to the
// connections of one account.
type Directory struct {
	ids   []ConnectionID
	lower map[string][]ConnectionID // by lower-case id: raw ids may differ in case alone
}

// NewDirectory makes a directory of the connections of an account.
func NewDirectory(ids []ConnectionID) *Directory {
	d := &Directory{ids: ids, lower: make(map[string][]ConnectionID, len(ids))}
	for _, id := range ids {
		n := strings.ToLower(string(id))
		d.lower[n] = append(d.lower[n], id)
	}
	return d
}

// IDs returns the connections the directory was made of.
func (d *Directory) IDs() []ConnectionID { return d.ids }

// Resolve finds the connection meant by name: a connection id, in any case where
// that leaves no doubt, or the name of a platform of which the account has
// exactly one. The error is a [ResolveError]: it says what is wanted, and
// suggests the nearest name.
func (d *Directory) Resolve(name string) (ConnectionID, error) {
	name = strings.TrimSpace(name)
	n := strings.ToLower(name)
	same := d.lower[n]
	for _, id := range same {
		if len(same) == 1 || string(id) == name {
			return id, nil
		}
	}
	if len(same) > 1 {
		return "", &ResolveError{Name: name, Want: "one of " + join(same), Hint: "they differ in upper and lower case alone: write the one you mean as it is here"}
	}
	var found []ConnectionID
	p, known := PlatformByName(n)
	for _, id := range d.ids {
		if id.Platform() == p {
			found = append(found, id)
		}
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		return "", &ResolveError{Name: name, Want: "one of " + join(found), Hint: fmt.Sprintf("the account has %d %s connections: name the one you mean", len(found), p)}
	case known:
		return "", &ResolveError{Name: name, Want: "a connection of this account: " + join(d.ids), Hint: fmt.Sprintf("the account has no %s connection: add one to the config, or remove it here", p)}
	}
	e := &ResolveError{Name: name, Want: "a connection of this account: " + join(d.ids)}
	if near := d.nearest(n); near != "" {
		e.Hint = fmt.Sprintf("did you mean %s?", near)
	} else {
		e.Hint = "use a connection id or the name of a platform that is connected once"
	}
	return "", e
}

// ResolveError says why a name in a platforms column names no connection.
type ResolveError struct{ Name, Want, Hint string }

func (e *ResolveError) Error() string {
	return fmt.Sprintf("platform %q: want %s (%s)", e.Name, e.Want, e.Hint)
}

func (d *Directory) nearest(name string) string {
	var words []string
	for _, id := range d.ids {
		words = append(words, string(id), string(id.Platform()))
	}
	return Nearest(name, words)
}

// Nearest returns the word that takes the fewest single-letter edits to become
// name, whatever its case (a swap of neighbours counts as one edit), or "" when
// all need too many: more than two, or than a third of name's letters, or than
// one where that is none.
func Nearest(name string, words []string) string {
	best, bestAt := "", min(2, max(1, len(name)/3))+1
	for _, w := range words {
		if n := edits(strings.ToLower(name), strings.ToLower(w)); n < bestAt {
			best, bestAt = w, n
		}
	}
	return best
}

// edits is the optimal string alignment distance between a and b.
func edits(a, b string) int {
	if d := len(a) - len(b); d > 2 || d < -2 {
		return 3
	}
	prev2, prev, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(prev[j]+1, row[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], prev2[j-2]+1)
			}
		}
		prev2, prev, row = prev, row, prev2
	}
	return prev[len(b)]
}

func join(ids []ConnectionID) string {
	if len(ids) == 0 {
		return "(none)"
	}
	var b strings.Builder
	for i, id := range ids {
		if i == 12 {
			fmt.Fprintf(&b, ", … (%d in all)", len(ids))
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(string(id))
	}
	return b.String()
}
