package api

import (
	"bytes"
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/postroom/postroom/post"
)

// createdBody answers create-post. Posts and Warnings are additions of ours (A4,
// A7).
type createdBody struct {
	Success     bool          `json:"success"`
	PostGroupID post.ID       `json:"postGroupId"`
	Posts       []createdPost `json:"posts,omitempty"`
	Warnings    []issue       `json:"warnings,omitempty"`
}

type createdPost struct {
	Platform   post.Platform     `json:"platform"`
	PlatformID post.ConnectionID `json:"platformId"`
	Status     string            `json:"status"`
}

// createPost stores a new group: a draft, or scheduled when a time is given
// (CONTRACT §2.1).
func (a *API) createPost(c *call) (any, error) {
	body, err := c.body()
	if err != nil {
		return nil, err
	}
	return c.once(body, http.StatusOK, func(once *post.Once) (any, error) {
		f, err := parseFields(body)
		if err != nil {
			return nil, err
		}
		g, err := c.newGroup(f)
		if err != nil {
			return nil, err
		}
		issues, err := c.lookOver(&g)
		if err != nil {
			return nil, err
		}
		answer := func(g *post.Group) createdBody {
			b := createdBody{Success: true, PostGroupID: g.ID}
			if c.set.StrictCompat {
				return b
			}
			b.Warnings = issues
			for i := range g.Posts {
				p := &g.Posts[i]
				b.Posts = append(b.Posts, createdPost{p.Connection.Platform(), p.Connection, p.Status.String()})
			}
			return b
		}
		if once != nil {
			once.Answer = func(g *post.Group) []byte {
				var b bytes.Buffer
				if encodeJSON(&b, answer(g)) != nil {
					return nil // a created body has a form in JSON
				}
				return b.Bytes()
			}
		}
		conns := make([]post.ConnectionID, len(g.Posts))
		for i := range g.Posts {
			conns[i] = g.Posts[i].Connection
		}
		store := func(caps []post.Cap) error { return a.Store.CreateOnce(c.Context(), &g, caps, c.who(), once) }
		if g.ScheduledAt.IsZero() {
			err = store(nil)
		} else {
			err = c.spaced(conns, g.ScheduledAt, nil, func(at time.Time) error {
				scheduleFor(&g, at)
				return c.withRoom(conns, at, nil, store)
			})
		}
		if err != nil {
			return nil, err
		}
		return answer(&g), nil
	})
}

// newGroup reads the group that a body asks for, in the contract's order of
// checks (CONTRACT §2.1).
func (c *call) newGroup(f fields) (g post.Group, err error) {
	text, ok := f.text("content")
	if !ok || strings.TrimSpace(text) == "" {
		return g, errBadRequest("Content is required")
	}
	conns, err := c.platforms(f)
	if err != nil {
		return g, err
	}
	at, err := f.when()
	if err != nil {
		return g, err
	}
	settings, err := c.platformSettings(f, conns)
	if err != nil {
		return g, err
	}
	alts, err := c.altTexts(f)
	if err != nil {
		return g, err
	}
	if refused := c.account.Plan.Available(conns); refused != nil {
		return g, refused // of drafts too, and before D3: what the plan lacks cannot be connected
	}
	for _, id := range conns {
		if !c.set.AllowUnknownConnections && c.account.connection(id) == nil {
			return g, c.noConnection(id)
		}
	}
	g = post.Group{Account: c.account.ID, AltTexts: alts, Content: post.Content{Text: text, Settings: settings}}
	for _, id := range conns {
		g.Posts = append(g.Posts, post.Post{Connection: id, Status: post.StatusDraft})
	}
	if !at.IsZero() {
		scheduleFor(&g, notPast(at, c.now))
	}
	return g, nil
}

// scheduleFor gives a new group its time.
func scheduleFor(g *post.Group, at time.Time) {
	g.RequestedAt, g.ScheduledAt = at, at
	for i := range g.Posts {
		g.Posts[i].Status, g.Posts[i].DueAt = post.StatusScheduled, at
	}
}

// notPast is at, or this second when at has passed: it then goes out at the next
// tick (CONTRACT §2.1).
func notPast(at, now time.Time) time.Time {
	if at.After(now) {
		return at
	}
	return now.UTC().Truncate(time.Second)
}

// strictConnection is the form that the contract has for the id of a connection. It
// has no place for the colons of Bluesky's, which its own answers hold (CONTRACT §0.2,
// §12 D2): [post.ConnectionID.Check] has.
var strictConnection = regexp.MustCompile(`^[a-z]+-[a-zA-Z0-9_-]+$`)

// platforms reads the compound ids a group is for: a list, or a text that holds
// one. Repeats are dropped.
func (c *call) platforms(f fields) ([]post.ConnectionID, error) {
	if f.absent("platforms") {
		return nil, errBadRequest("Platforms are required")
	}
	v := f["platforms"]
	if s, ok := asText(v); ok {
		if v = json.RawMessage(s); !json.Valid(v) {
			return nil, errBadRequest("Invalid platforms JSON format")
		}
	}
	var each []json.RawMessage
	if v = bytes.TrimSpace(v); v[0] != '[' || json.Unmarshal(v, &each) != nil {
		return nil, errBadRequest("Platforms must be an array")
	}
	if len(each) == 0 {
		return nil, errBadRequest("At least one platform is required")
	}
	if len(each) > mostConnections {
		return nil, &Error{Status: http.StatusBadRequest, Text: "At most 50 platforms are possible in one post", Code: "TOO_MANY_PLATFORMS"}
	}
	var conns []post.ConnectionID
	for _, e := range each {
		id := post.ConnectionID(asJavaScript(e))
		if id.Check() != nil || c.set.StrictCompat && !strictConnection.MatchString(string(id)) {
			err := errBadRequest("Invalid platform ID format: " + string(id))
			err.Code = "INVALID_PLATFORM_ID"
			return nil, err
		}
		if !slices.Contains(conns, id) {
			conns = append(conns, id)
		}
	}
	return conns, nil
}

// mostConnections is how many posts a stored group may have.
const mostConnections = 50

// noConnection refuses a connection that the account does not have, and names those
// that may be meant (CONTRACT §0.2, §12 D3).
func (c *call) noConnection(id post.ConnectionID) error {
	text := "Platform connection not found: " + string(id)
	var same, all []string
	for i := range c.account.Connections {
		other := c.account.Connections[i].ID
		all = append(all, string(other))
		if other.Platform() == id.Platform() {
			same = append(same, string(other))
		}
	}
	if len(same) == 0 {
		same = all
	}
	message := text + ": the account has no connections"
	if n := len(same); n > 0 {
		message = text + ": want " + strings.Join(same[:min(n, mostNamed)], ", ")
		if n > mostNamed {
			message += " or another that platform-connections lists"
		}
	}
	return &Error{Status: http.StatusBadRequest, Text: text, Code: "CONNECTION_NOT_FOUND", Message: message}
}

const mostNamed = 5 // connections in one message

// defaultSettings are stored with a post for what it does not say itself
// (CONTRACT §5.3). Telegram's key is an addition: the original drops it.
var defaultSettings = map[post.Platform]map[string]any{
	"tiktok": {
		"viewerSetting": "PUBLIC_TO_EVERYONE", "allowComments": true, "allowDuet": false, "allowStitch": false,
		"commercialContent": false, "brandOrganic": false, "brandedContent": false,
	},
	"instagram": {"videoType": "REELS"},
	"youtube":   {"privacy": "public", "title": ""},
	"threads":   {"replyControl": ""},
	"telegram":  {},
}

// insteadOf are names that the contract's samples use for the opposite of a
// setting of TikTok.
var insteadOf = map[string]string{"disableDuet": "allowDuet", "disableStitch": "allowStitch", "disableComment": "allowComments"}

// platformSettings reads what a post says of its platforms' settings, over the
// defaults, one level deep. Platforms that are not known are dropped, and so are
// values that are not objects.
func (c *call) platformSettings(f fields, conns []post.ConnectionID) (json.RawMessage, error) {
	given, err := c.givenSettings(f)
	if err != nil {
		return nil, err
	}
	merged := map[post.Platform]map[string]any{}
	for _, id := range conns {
		p := id.Platform()
		defaults, known := defaultSettings[p]
		if !known || merged[p] != nil {
			continue
		}
		all := make(map[string]any, len(defaults))
		for k, v := range defaults {
			all[k] = v
		}
		var own map[string]any
		if json.Unmarshal(given[string(p)], &own) == nil {
			for k, v := range own {
				if to, ok := insteadOf[k]; ok && p == "tiktok" {
					if off, is := v.(bool); is {
						all[to] = !off
					}
					continue
				}
				all[k] = v
			}
		}
		if len(all) > 0 {
			merged[p] = all
		}
	}
	if len(merged) == 0 {
		return nil, nil
	}
	return json.Marshal(merged)
}

// givenSettings reads platformSettings: an object, or a text that holds one.
func (c *call) givenSettings(f fields) (fields, error) {
	v := f["platformSettings"]
	if len(v) == 0 || !c.set.StrictCompat && (string(v) == "null" || string(v) == `""`) {
		return nil, nil // D15: typed clients write null for nothing, and forms ""
	}
	if s, ok := asText(v); ok {
		if v = bytes.TrimSpace([]byte(s)); !json.Valid(v) {
			return nil, errBadRequest("Invalid platformSettings JSON")
		}
	}
	var given fields
	if v[0] != '{' || json.Unmarshal(v, &given) != nil {
		return nil, errBadRequest("platformSettings must be an object")
	}
	return given, nil
}
