// Package telegram publishes to a channel or a chat through a bot of Telegram's
// Bot API.
//
// The API takes no idempotency key and shows no history, so a message whose
// answer was lost stays in doubt until a person looks: there is no look-up, and
// nothing is ever sent again by itself. It cuts no threads; a text too long for a
// caption follows its media as a reply.
package telegram

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/postroom/postroom/limits"
	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/publish"
)

// DefaultServer is Telegram's own. A server of one's own takes larger files.
const DefaultServer = "https://api.telegram.org"

// Config says what a Telegram connection is like. Token is a function so that no
// print of the config shows it.
type Config struct {
	Connection post.ConnectionID
	Server     string             // DefaultServer when ""
	Token      func() string      // of the bot, like 123456:ABC-DEF
	Chat       string             // @channel, or the number of a channel, group or person
	Media      *publish.MediaRoom // nil for connections without media
	Timeout    time.Duration      // of one call, 60 s when 0
	Now        func() time.Time   // time.Now when nil
	Transport  http.RoundTripper  // instead of the network, for tests
}

// A Publisher posts to one chat.
type Publisher struct {
	config Config
	rules  publish.Rules
	client *publish.Client

	mu   sync.Mutex
	chat string // where the chat is now: a group that grows gets another number
}

var (
	tokenForm = regexp.MustCompile(`^[0-9]+:[A-Za-z0-9_-]+$`)
	chatForm  = regexp.MustCompile(`^(@[A-Za-z][A-Za-z0-9_]{3,}|-?[0-9]{1,19})$`)
)

// New returns a publisher. It calls nobody.
func New(c Config) (*Publisher, error) {
	if c.Server == "" {
		c.Server = DefaultServer
	}
	c.Server = strings.TrimSuffix(c.Server, "/")
	if err := publish.CheckServer(c.Server, false); err != nil {
		return nil, fmt.Errorf("telegram %s: server: %w, like %s", c.Connection, err, DefaultServer)
	}
	if c.Token == nil || !tokenForm.MatchString(c.Token()) {
		return nil, fmt.Errorf("telegram %s: bot_token: want the token of a bot as BotFather gave it, digits, a colon and letters", c.Connection)
	}
	if !chatForm.MatchString(c.Chat) {
		return nil, fmt.Errorf("telegram %s: chat: want @channelname, or a number like -1001234567890", c.Connection)
	}
	table, _ := limits.PlatformByKey("telegram")
	return &Publisher{
		config: c, chat: c.Chat, rules: publish.Rules{Limits: table, Media: c.Media},
		client: publish.NewClient(publish.ClientOptions{
			Transport: c.Transport, Timeout: c.Timeout, Now: c.Now, Secrets: func() []string { return []string{c.Token()} },
		}),
	}, nil
}

// Validate checks c against Telegram's limits, which count the text without its
// marks.
func (p *Publisher) Validate(c *post.Content) []post.Problem {
	s, err := settingsOf(c)
	plain := *c
	plain.Text, plain.Variants, plain.Link = p.message(c, &s).text, nil, ""
	problems := p.rules.Validate(&plain)
	if err != nil {
		problems = append(problems, post.Problem{
			Platform: "telegram", Field: "platform_settings", Code: publish.CodeSettingInvalid, Want: err.Error(), Hint: "correct it, or take it out",
		})
	}
	if len(c.Media) > 1 {
		for _, m := range c.Media {
			if publish.MediaType(m.URL) == "image/gif" {
				problems = append(problems, post.Problem{
					Platform: "telegram", Field: "media_url", Code: publish.CodeMediaType, Got: post.Shorten(m.URL),
					Want: "a GIF by itself: Telegram takes none in an album", Hint: "take it out, or post it alone",
				})
			}
		}
	}
	return problems
}

// Pace returns what the server last said of its rate limit, which Telegram does
// not say.
func (p *Publisher) Pace() publish.Pace { return p.client.Pace() }

// message is a text as it is sent.
type message struct {
	text     string
	entities []entity
	mode     string // parse_mode; "" with entities
}

// message returns what a post says, its marks turned into entities.
func (p *Publisher) message(c *post.Content, s *settings) message {
	text := publish.Compose(c, &p.rules.Limits)
	if s.ParseMode != "" {
		return message{text: text, mode: s.ParseMode}
	}
	plain, entities := parseMarks(text)
	return message{text: plain, entities: entities}
}

// Publish sends the message, or its media and then, where it is too long for a
// caption, its text.
func (p *Publisher) Publish(ctx context.Context, d post.Delivery, save publish.Save) (post.Receipt, error) {
	s, err := settingsOf(&d.Content)
	if err != nil {
		return post.Receipt{}, &post.Failure{Class: post.ClassInvalid, Sent: post.SentNot, Message: "platform_settings: " + err.Error()}
	}
	m := p.message(&d.Content, &s)
	texts := []string{m.text}
	caption := limits.TextLimit{Max: p.rules.Limits.Text.Caption, Count: limits.TextUTF16}
	if len(d.Content.Media) > 0 && !publish.Fits(m.text, caption) {
		texts = []string{"", m.text}
	}
	return publish.SendParts(ctx, &d, texts, save, func(ctx context.Context, at int, text string, before []post.Part) (post.Receipt, error) {
		part := m
		if text == "" {
			part = message{}
		}
		c := newCall(&s)
		if at > 0 {
			c.replyTo(before[at-1].RemoteID)
		}
		if at == 0 && len(d.Content.Media) > 0 {
			if err := c.media(ctx, p, d.Content.Media, part, &s); err != nil {
				return post.Receipt{}, err
			}
			defer c.close()
		} else {
			c.message(part, &s)
		}
		return p.send(ctx, c, save)
	})
}

// sent is what we read of a Message.
type sent struct {
	ID   int64 `json:"message_id"`
	Date int64 `json:"date"` // Unix seconds
	Chat struct {
		ID       int64  `json:"id"`
		Username string `json:"username"`
	} `json:"chat"`
}

func (s *sent) receipt() post.Receipt {
	r := post.Receipt{RemoteID: strconv.FormatInt(s.ID, 10), PublishedAt: time.Unix(s.Date, 0).UTC()}
	switch number, private := strings.CutPrefix(strconv.FormatInt(s.Chat.ID, 10), "-100"); {
	case s.Chat.Username != "":
		r.URL = fmt.Sprintf("https://t.me/%s/%d", s.Chat.Username, s.ID)
	case private:
		r.URL = fmt.Sprintf("https://t.me/c/%s/%d", number, s.ID)
	}
	return r
}

// answer is the envelope of all answers.
type answer struct {
	OK          bool            `json:"ok"`
	Result      json.RawMessage `json:"result"`
	Description string          `json:"description"`
	Parameters  struct {
		RetryAfter int64 `json:"retry_after"` // seconds
		MigrateTo  int64 `json:"migrate_to_chat_id"`
	} `json:"parameters"`
}

// send makes a call that publishes, a second time only when the first was refused
// because the chat has moved.
func (p *Publisher) send(ctx context.Context, c *call, alive publish.Save) (post.Receipt, error) {
	for again := false; ; again = true {
		r, err := c.request(p.currentChat())
		if err != nil {
			return post.Receipt{}, err
		}
		r.Alive = alive
		a, err := p.do(ctx, r)
		if err != nil {
			return post.Receipt{}, err
		}
		var got answer
		if a.Status != http.StatusOK {
			if moved := a.Decode(&got) == nil && got.Parameters.MigrateTo != 0; moved && !again {
				p.mu.Lock()
				p.chat = strconv.FormatInt(got.Parameters.MigrateTo, 10)
				p.mu.Unlock()
				continue
			}
			return post.Receipt{}, p.refusal(a)
		}
		first, err := firstMessage(a)
		if err != nil {
			return post.Receipt{}, p.client.Doubt(a, err)
		}
		return first.receipt(), nil
	}
}

// firstMessage reads the message that was made, or the first of an album.
func firstMessage(a *publish.Answer) (sent, error) {
	var got answer
	if err := a.Decode(&got); err != nil {
		return sent{}, err
	}
	var all []sent
	if json.Unmarshal(got.Result, &all) != nil {
		var one sent
		if err := json.Unmarshal(got.Result, &one); err != nil {
			return sent{}, err
		}
		all = []sent{one}
	}
	if !got.OK || len(all) == 0 || all[0].ID == 0 || all[0].Date == 0 {
		return sent{}, errors.New("it names no message")
	}
	return all[0], nil
}

func (p *Publisher) currentChat() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.chat
}

// do calls a method; r.URL is its name.
func (p *Publisher) do(ctx context.Context, r publish.Request) (*publish.Answer, error) {
	r.Method, r.URL = http.MethodPost, p.config.Server+"/bot"+p.config.Token()+"/"+r.URL
	return p.client.Do(ctx, r)
}

// withoutRights are words of a 400 that says what the bot may not do.
var withoutRights = []string{"not enough rights", "need administrator rights", "have no rights", "CHAT_WRITE_FORBIDDEN", "CHAT_ADMIN_REQUIRED"}

// refusal classifies an answer. The words of some are all that tells them apart:
// the API has no codes for them.
func (p *Publisher) refusal(a *publish.Answer) *post.Failure {
	f := p.client.Refusal(a)
	var got answer
	if a.Status >= 500 || a.Decode(&got) != nil {
		return f
	}
	if got.Parameters.RetryAfter > 0 && f.Class == post.ClassRate {
		f.After = min(time.Duration(min(got.Parameters.RetryAfter, 1<<20))*time.Second, 24*time.Hour)
	}
	if a.Status == http.StatusNotFound {
		f.Class, f.Scope, f.Message = post.ClassAuth, post.ScopeConnection, "Telegram does not know the bot: is the token right?"
	}
	if a.Status != http.StatusBadRequest {
		return f
	}
	for _, words := range withoutRights {
		if strings.Contains(got.Description, words) {
			f.Class, f.Scope = post.ClassAuth, post.ScopeConnection
		}
	}
	switch {
	case strings.Contains(got.Description, "chat not found"):
		f.Scope = post.ScopeConnection
	case strings.Contains(got.Description, "file is too big"):
		f.Class = post.ClassLarge
	}
	return f
}

// get calls a method that changes nothing and reads its result.
func (p *Publisher) get(ctx context.Context, method string, in map[string]any, result any) error {
	r := publish.Request{URL: method}
	if err := r.AsJSON(in); err != nil {
		return err
	}
	a, err := p.do(ctx, r)
	if err != nil {
		return err
	}
	if a.Status != http.StatusOK {
		return p.refusal(a)
	}
	var got answer
	if err := a.Decode(&got); err != nil {
		return p.client.Doubt(a, err)
	}
	if err := json.Unmarshal(got.Result, result); err != nil {
		return p.client.Doubt(a, err)
	}
	return nil
}

// Check asks who the bot is, and whether it may post to the chat.
func (p *Publisher) Check(ctx context.Context) (post.Identity, error) {
	var bot struct {
		ID       int64  `json:"id"`
		Username string `json:"username"`
	}
	if err := p.get(ctx, "getMe", map[string]any{}, &bot); err != nil {
		return post.Identity{}, err
	}
	var chat struct {
		Type      string `json:"type"`
		Title     string `json:"title"`
		Username  string `json:"username"`
		FirstName string `json:"first_name"`
	}
	at := p.currentChat()
	if err := p.get(ctx, "getChat", map[string]any{"chat_id": at}, &chat); err != nil {
		return post.Identity{}, err
	}
	if chat.Type != "private" {
		var member struct {
			Status string `json:"status"`
			Post   *bool  `json:"can_post_messages"`
			Send   *bool  `json:"can_send_messages"`
		}
		if err := p.get(ctx, "getChatMember", map[string]any{"chat_id": at, "user_id": bot.ID}, &member); err != nil {
			return post.Identity{}, err
		}
		refused := func(rights *bool) bool { return rights != nil && !*rights }
		channel := chat.Type == "channel" && member.Status != "creator" && (member.Status != "administrator" || refused(member.Post))
		if channel || member.Status == "left" || member.Status == "kicked" || member.Status == "restricted" && refused(member.Send) {
			return post.Identity{}, &post.Failure{
				Class: post.ClassAuth, Sent: post.Refused, Scope: post.ScopeConnection,
				Message: fmt.Sprintf("@%s may not post to %s: make it an administrator who may post messages", bot.Username, at),
			}
		}
	}
	who := post.Identity{Username: "@" + bot.Username, DisplayName: chat.Title + chat.FirstName}
	if chat.Username != "" {
		who.ProfileURL = "https://t.me/" + chat.Username
	}
	return who, nil
}
