package mastodon

import (
	"context"
	"net/url"
	"time"

	"github.com/postroom/postroom/limits"
)

// limitsFor is how long a server's announced limits are taken to hold.
const limitsFor = 24 * time.Hour

// instance is what we read of GET /api/v2/instance.
type instance struct {
	Domain        string `json:"domain"`
	Configuration struct {
		Statuses struct {
			MaxCharacters            int `json:"max_characters"`
			CharactersReservedPerURL int `json:"characters_reserved_per_url"`
			MaxMediaAttachments      int `json:"max_media_attachments"`
		} `json:"statuses"`
		MediaAttachments struct {
			SupportedMimeTypes []string `json:"supported_mime_types"`
			ImageSizeLimit     int64    `json:"image_size_limit"`
			VideoSizeLimit     int64    `json:"video_size_limit"`
			DescriptionLimit   int      `json:"description_limit"`
		} `json:"media_attachments"`
	} `json:"configuration"`
}

// Load reads the server's limits, unless that was done within a day. Validate
// and uploads go by them from then on. The error is a *post.Failure.
func (p *Publisher) Load(ctx context.Context) error {
	p.mu.Lock()
	fresh := !p.loadedAt.IsZero() && p.now().Sub(p.loadedAt) < limitsFor
	p.mu.Unlock()
	if fresh {
		return nil
	}
	var in instance
	if err := p.get(ctx, "/api/v2/instance", &in); err != nil {
		return err
	}
	table, _ := limits.PlatformByKey("mastodon")
	announced := table.With(in.override()).With(limits.PlatformOverride{MaxText: p.config.MaxCharacters})
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rules.Limits, p.loadedAt, p.domain = announced, p.now(), in.Domain
	if p.domain == "" {
		if u, err := url.Parse(p.base); err == nil {
			p.domain = u.Host
		}
	}
	return nil
}

// override returns the limits announced. What a server leaves out, or says with
// a number that cannot be one, stays as the table has it.
func (in *instance) override() limits.PlatformOverride {
	s, m := &in.Configuration.Statuses, &in.Configuration.MediaAttachments
	return limits.PlatformOverride{
		MaxText: max(0, s.MaxCharacters), URL: max(0, s.CharactersReservedPerURL), MaxMedia: max(0, s.MaxMediaAttachments),
		ImageBytes: max(0, m.ImageSizeLimit), VideoBytes: max(0, m.VideoSizeLimit), MediaTypes: m.SupportedMimeTypes, Alt: max(0, m.DescriptionLimit),
	}
}
