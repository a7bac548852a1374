package slack

import (
	"context"
	"strings"
	"unicode/utf8"

	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/publish"
)

// message is the body of a call. Text alone is what a message says; beside blocks
// it is what notifications show.
type message struct {
	Text   string  `json:"text,omitempty"`
	Blocks []block `json:"blocks,omitempty"`
}

// block is a section with a text, or an image.
type block struct {
	Type     string `json:"type"`
	Text     *words `json:"text,omitempty"`
	ImageURL string `json:"image_url,omitempty"`
	Alt      string `json:"alt_text,omitempty"`
}

type words struct {
	Type string `json:"type"`
	Text string `json:"text"`
}

const maxSection = 3000 // characters of the text of one section

// message writes c for Slack: films as links below the text, pictures as blocks
// under it.
func (p *Publisher) message(ctx context.Context, c *post.Content) (*message, error) {
	if len(c.Media) > 0 && p.config.Media == nil {
		return nil, publish.NoMediaRoom()
	}
	lines := []string{}
	if text := publish.Compose(c, &p.rules.Limits); text != "" {
		lines = append(lines, escape(text))
	}
	var pictures []block
	for _, m := range c.Media {
		link, err := p.config.Media.Link(ctx, m, &p.rules.Limits.Media)
		switch {
		case err != nil:
			return nil, err
		case strings.HasPrefix(publish.MediaType(link), "video/"):
			lines = append(lines, "<"+escape(link)+">")
			continue
		}
		alt := m.Alt
		if alt == "" {
			alt = "picture" // Slack refuses a picture without
		}
		pictures = append(pictures, block{Type: "image", ImageURL: link, Alt: alt})
	}
	out := &message{Text: strings.Join(lines, "\n")}
	if len(pictures) == 0 {
		return out, nil
	}
	for _, text := range sections(out.Text) {
		out.Blocks = append(out.Blocks, block{Type: "section", Text: &words{Type: "mrkdwn", Text: text}})
	}
	out.Blocks = append(out.Blocks, pictures...)
	if out.Text == "" {
		out.Text = pictures[0].Alt
	}
	return out, nil
}

var escaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

// escape writes text so that Slack shows it as it is: these three characters are
// all that it asks for.
func escape(text string) string { return escaper.Replace(text) }

// sections cuts escaped text into pieces of at most maxSection characters, at a
// line, else at a space, else between characters; none is empty.
func sections(text string) []string {
	var out []string
	for text = strings.TrimSpace(text); text != ""; {
		cut := cutAt(text)
		if piece := strings.TrimSpace(text[:cut]); piece != "" {
			out = append(out, piece)
		}
		text = strings.TrimSpace(text[cut:])
	}
	return out
}

// cutAt returns where the first piece of text ends, in bytes.
func cutAt(text string) int {
	if utf8.RuneCountInString(text) <= maxSection {
		return len(text)
	}
	end := 0
	for range maxSection {
		_, size := utf8.DecodeRuneInString(text[end:])
		end += size
	}
	for _, mark := range []string{"\n", " "} {
		if at := strings.LastIndex(text[:end], mark); at > end/2 {
			return at
		}
	}
	// An entity is never cut in two; the longest is &amp;.
	if at := strings.LastIndexByte(text[:end], '&'); at >= end-len("&amp") && !strings.Contains(text[at:end], ";") {
		return at
	}
	return end
}
