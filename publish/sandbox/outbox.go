package sandbox

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/postroom/postroom/post"
)

// A Record is one published post, or one part of a thread, as its .json has it.
type Record struct {
	ID          string            `json:"id"`
	Key         string            `json:"key"` // the idempotency key
	Account     post.AccountID    `json:"account"`
	Connection  post.ConnectionID `json:"connection"`
	Part        int               `json:"part,omitempty"`        // of a thread, from 1; 0 for a single post
	InReplyTo   string            `json:"in_reply_to,omitempty"` // id of the part before
	Text        string            `json:"text"`                  // as published
	DueAt       time.Time         `json:"due_at,omitzero"`       // the slot
	PublishedAt time.Time         `json:"published_at"`

	// The rest goes with the first part only.
	Title        string          `json:"title,omitempty"`
	Link         string          `json:"link,omitempty"`
	FirstComment string          `json:"first_comment,omitempty"`
	Labels       []string        `json:"labels,omitempty"`
	Media        []post.Media    `json:"media,omitempty"`
	Files        []string        `json:"files,omitempty"` // the media that was pinned, beside the record
	Settings     json.RawMessage `json:"platform_settings,omitzero"`
}

func (p *Publisher) record(d *post.Delivery, at int, text string, before []post.Part) *Record {
	r := &Record{
		ID: d.Post.PartKey(at), Key: d.Post.PartKey(at), Account: d.Post.Account, Connection: d.Post.Connection,
		Text: text, DueAt: d.Post.SlotAt, PublishedAt: p.config.Now().UTC(),
	}
	if len(before) > 0 {
		r.InReplyTo = before[len(before)-1].RemoteID
		return r
	}
	c := &d.Content
	r.Title, r.Link, r.FirstComment, r.Labels, r.Media, r.Settings = c.Title, c.Link, c.FirstComment, c.Labels, c.Media, c.Settings
	return r
}

// folder returns the folder of the record below the outbox, with slashes.
func (r *Record) folder() string {
	return folderName(string(r.Account)) + "/" + folderName(string(r.Connection))
}

func (r *Record) jsonName() string { return r.folder() + "/" + folderName(r.Key) + ".json" }
func (r *Record) textName() string { return r.folder() + "/" + folderName(r.Key) + ".txt" }

// write puts the record into the outbox, unless its key is there already, and
// returns the receipt of what is there. The .json appears whole, by a rename;
// the .txt follows, and is made up for at the next call if it could not.
func (p *Publisher) write(r *Record) (post.Receipt, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	old, ok, err := p.read(r.jsonName())
	if err != nil {
		return post.Receipt{}, err
	}
	if ok {
		r = old
	} else {
		body, err := json.MarshalIndent(r, "", "  ")
		if err != nil {
			return post.Receipt{}, err
		}
		if err := p.root.MkdirAll(r.folder(), 0o777); err != nil {
			return post.Receipt{}, err
		}
		if err := p.replace(r.jsonName(), bytes.NewReader(append(body, '\n'))); err != nil {
			return post.Receipt{}, err
		}
	}
	if _, err := p.root.Stat(r.textName()); errors.Is(err, fs.ErrNotExist) {
		if err := p.replace(r.textName(), bytes.NewReader(r.page())); err != nil {
			return post.Receipt{}, err
		}
	}
	return p.receipt(r), nil
}

// putMedia puts the media of a record that was pinned beside it, as the platform
// would be given it. The error is a *post.Failure.
func (p *Publisher) putMedia(ctx context.Context, r *Record) error {
	for i := range r.Media {
		if p.config.Media == nil || r.Media[i].Pin.IsZero() {
			continue
		}
		f, err := p.config.Media.Ready(ctx, r.Media[i], &p.rules.Limits.Media)
		if err != nil {
			return err
		}
		name := fmt.Sprintf("%s.%d%s", folderName(r.Key), i+1, path.Ext(f.Name))
		err = p.root.MkdirAll(r.folder(), 0o777)
		if err == nil {
			err = p.replace(r.folder()+"/"+name, f)
		}
		if err := errors.Join(err, f.Close()); err != nil {
			return unwritten(err)
		}
		r.Files = append(r.Files, name)
	}
	return nil
}

// read returns the record stored under name, and false when there is none.
func (p *Publisher) read(name string) (*Record, bool, error) {
	body, err := p.root.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	var r Record
	if err := json.Unmarshal(body, &r); err != nil {
		return nil, false, fmt.Errorf("%s: %w", name, err)
	}
	return &r, true, nil
}

// replace makes name hold body, whole and durably, inside the outbox.
func (p *Publisher) replace(name string, body io.Reader) error {
	temp := name + ".tmp"
	f, err := p.root.Create(temp)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, body)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(err, p.root.Remove(temp))
	}
	if err := p.root.Rename(temp, name); err != nil {
		return err
	}
	return p.syncFolder(name)
}

// page is the record for people.
func (r *Record) page() []byte {
	var b strings.Builder
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&b, "%-14s%s\n", name+":", value)
		}
	}
	line("Connection", string(r.Connection))
	line("Published", r.PublishedAt.Format(time.RFC3339))
	if r.Part > 0 {
		line("Part", fmt.Sprint(r.Part))
	}
	line("Reply to", r.InReplyTo)
	line("Title", r.Title)
	line("Link", r.Link)
	for _, m := range r.Media {
		line("Media", m.URL)
		line("  alt text", m.Alt)
	}
	line("First comment", r.FirstComment)
	line("Labels", strings.Join(r.Labels, ", "))
	return []byte(b.String() + "\n" + r.Text + "\n")
}

func (p *Publisher) receipt(r *Record) post.Receipt {
	return post.Receipt{RemoteID: r.ID, URL: p.fileURL(r.textName()), PublishedAt: r.PublishedAt}
}

// fileURL returns the file: URL of a name in the outbox.
func (p *Publisher) fileURL(name string) string {
	path := filepath.ToSlash(filepath.Join(p.abs, filepath.FromSlash(name)))
	if !strings.HasPrefix(path, "/") {
		path = "/" + path // C:/…
	}
	return (&url.URL{Scheme: "file", Path: path}).String()
}

// folderName makes an id a name that every file system takes and no two ids
// share: what is not a letter, digit, _ or - is written as %XX, and so is a dot
// in front.
func folderName(id string) string {
	var b strings.Builder
	for i := 0; i < len(id); i++ {
		switch c := id[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '_', c == '-', c == '.' && i > 0:
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}
