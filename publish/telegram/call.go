package telegram

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/publish"
)

// call is one call that publishes, before it is written.
type call struct {
	method string
	fields map[string]any
	files  map[string]*publish.MediaFile // by field
}

func newCall(s *settings) *call {
	c := &call{fields: map[string]any{}, files: map[string]*publish.MediaFile{}}
	c.flag("disable_notification", s.Silent)
	c.flag("protect_content", s.Protect)
	return c
}

func (c *call) flag(name string, on bool) {
	if on {
		c.fields[name] = true
	}
}

// replyTo makes it a reply to a message of the same chat.
func (c *call) replyTo(id string) {
	c.fields["reply_parameters"] = map[string]json.Number{"message_id": json.Number(id)}
}

// message makes it a text.
func (c *call) message(m message, s *settings) {
	c.method = "sendMessage"
	m.into(c.fields, "text", "entities")
	if s.NoPreview {
		c.fields["link_preview_options"] = map[string]bool{"is_disabled": true}
	}
}

// into writes the text into the fields of those names.
func (m *message) into(fields map[string]any, text, entities string) {
	if m.text == "" {
		return
	}
	fields[text] = m.text
	if len(m.entities) > 0 {
		fields[entities] = m.entities
	}
	if m.mode != "" {
		fields["parse_mode"] = m.mode
	}
}

// media makes it a picture, a film or an album with m as its caption. The files
// are open until close. The error is a *post.Failure of a post that was not sent.
func (c *call) media(ctx context.Context, p *Publisher, media []post.Media, m message, s *settings) error {
	if p.config.Media == nil {
		return publish.NoMediaRoom()
	}
	var album []map[string]any
	for i, ref := range media {
		file, err := p.config.Media.Ready(ctx, ref, &p.rules.Limits.Media)
		if err != nil {
			c.close()
			return err
		}
		kind := kindOf(file.Type, len(media) == 1)
		if len(media) == 1 {
			c.method = "send" + strings.ToUpper(kind[:1]) + kind[1:]
			c.files[kind] = file
			m.into(c.fields, "caption", "caption_entities")
			c.flag("show_caption_above_media", s.AboveMedia)
			return nil
		}
		name := fmt.Sprintf("file%d", i)
		c.files[name] = file
		item := map[string]any{"type": kind, "media": "attach://" + name}
		if i == 0 { // its caption is that of the album
			m.into(item, "caption", "caption_entities")
			if s.AboveMedia {
				item["show_caption_above_media"] = true
			}
		}
		album = append(album, item)
	}
	c.method, c.fields["media"] = "sendMediaGroup", album
	return nil
}

// kindOf names what a file is to Telegram.
func kindOf(mime string, alone bool) string {
	switch {
	case strings.HasPrefix(mime, "video/"):
		return "video"
	case mime == "image/gif" && alone:
		return "animation"
	}
	return "photo"
}

func (c *call) close() {
	for _, f := range c.files {
		f.Close() // it was only read
	}
}

// request writes the call for a chat: as JSON, or with files as a form. It can be
// written anew. The error is a *post.Failure of a post that was not sent.
func (c *call) request(chat string) (publish.Request, error) {
	c.fields["chat_id"] = chat
	r := publish.Request{URL: c.method}
	if len(c.files) == 0 {
		return r, r.AsJSON(c.fields)
	}
	form := publish.NewForm()
	for _, name := range slices.Sorted(maps.Keys(c.fields)) {
		text, ok := c.fields[name].(string)
		if !ok { // everything else goes as JSON
			body, err := json.Marshal(c.fields[name])
			if err != nil {
				return r, notWritten(err)
			}
			text = string(body)
		}
		form.Field(name, text)
	}
	for _, name := range slices.Sorted(maps.Keys(c.files)) {
		if _, err := c.files[name].Seek(0, io.SeekStart); err != nil {
			return r, notWritten(err)
		}
		form.File(name, c.files[name])
	}
	form.Send(&r)
	return r, nil
}

func notWritten(err error) error {
	return &post.Failure{Class: post.ClassInvalid, Sent: post.SentNot, Message: fmt.Sprintf("the message cannot be written: %v", err)}
}
