package api

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/postroom/postroom/limits"
	"github.com/postroom/postroom/post"
)

// An issue is one thing a platform will not like (CONTRACT §6.1). Values are
// characters, files, bytes or seconds, by the constraint; 0 where none is known.
type issue struct {
	Platform     post.Platform `json:"platform"`
	Code         string        `json:"code"`
	Message      string        `json:"message"`
	Field        string        `json:"field"`
	Severity     post.Severity `json:"severity"`
	Constraint   string        `json:"constraint,omitempty"`
	CurrentValue float64       `json:"currentValue,omitempty"`
	MaxValue     float64       `json:"maxValue,omitempty"`
	MinValue     float64       `json:"minValue,omitempty"`
	Suggestions  []string      `json:"suggestions,omitempty"`
}

// asIssue tells a problem in the contract's words, which know no columns of files.
// several says that the content has several files.
func asIssue(p *post.Problem, of post.Platform, several bool) issue {
	m := p.Measure
	is := issue{
		Platform: of, Code: p.Code, Field: p.Field, Severity: p.Severity,
		CurrentValue: float64(m.Is), MaxValue: float64(m.Most), MinValue: float64(m.Least),
	}
	if p.Hint != "" {
		is.Suggestions = []string{p.Hint}
	}
	plain := *p
	plain.Field = ""
	is.Message = plain.Message()

	name, film := platformName(of), strings.HasPrefix(m.Of, "video/")
	kind, prefix := "Image", "image"
	if film {
		kind, prefix = "Video", "video"
	}
	switch p.Field {
	case "media_url", "alt_text":
		is.Field = "media"
	case "platform_settings":
		is.Field = "settings"
	}
	switch p.Code {
	case "":
		is.Code = "INVALID_PLATFORM_CONTENT"
	case "CONTENT_TOO_LONG":
		if p.Severity == post.SeverityError {
			is.Suggestions = []string{"shorten it"}
		}
		what := map[string]string{"content": "Content", "title": "Title", "alt_text": "Alternative text"}[p.Field]
		if what != "" && m.Most > 0 && m.Of == "" {
			is.Constraint = "maxLength"
			is.Message = fmt.Sprintf("%s exceeds %s's %d character limit (currently %d)", what, name, m.Most, m.Is)
		}
	case "MEDIA_REQUIRED":
		is.Constraint, is.Message, is.Suggestions = "requiredType", name+" posts require media", addMedia
	case "VIDEO_REQUIRED":
		is.Field, is.Constraint, is.Message = "video", "requiredType", name+" posts require a video"
		if p.Got == "" { // else there is something in its place
			is.Suggestions = addMedia
		}
	case "MEDIA_COUNT_EXCEEDED":
		is.Constraint = "maxCount"
	case "MEDIA_SIZE_EXCEEDED":
		is.Field, is.Constraint = prefix+"Size", "maxSize"
		is.Message = fmt.Sprintf("%s (%s) exceeds %s's %s limit", kind, megabytes(m.Is), name, megabytes(m.Most))
	case "MEDIA_TYPE_NOT_SUPPORTED":
		if m.Of != "" && m.Least == 0 {
			is.Field, is.Constraint = prefix+"Format", "requiredType"
			is.Message = fmt.Sprintf("%s format %q is not supported on %s", kind, m.Of, name)
		}
	case "VIDEO_DURATION_EXCEEDED", "VIDEO_DURATION_TOO_SHORT":
		is.Field = "videoDuration"
		is.CurrentValue, is.MaxValue, is.MinValue = is.CurrentValue/1000, is.MaxValue/1000, is.MinValue/1000
		if m.Least > 0 {
			is.Message = fmt.Sprintf("Video duration (%s) is below %s's %s minimum", lasting(m.Is), name, lasting(m.Least))
			break
		}
		is.Constraint = "maxDuration"
		if is.Message = fmt.Sprintf("Video duration (%s) exceeds %s's %s limit", lasting(m.Is), name, lasting(m.Most)); several && of == "instagram" {
			is.Message = strings.TrimSuffix(is.Message, "limit") + "carousel limit"
		}
	}
	return is
}

var addMedia = []string{"add it by get-upload-url"}

// platformName is what the contract's messages call a platform.
func platformName(of post.Platform) string {
	if of == "twitter" {
		return "Twitter/X"
	}
	l, _ := limits.PlatformByKey(of)
	return l.Name
}

// megabytes and lasting write sizes and lengths as the contract's messages do:
// 2.5MB, 60s, 3m 0s.
func megabytes(n int64) string { return fmt.Sprintf("%.1fMB", float64(n)/(1<<20)) }

func lasting(ms int64) string {
	if s := ms / 1000; s > 60 {
		return fmt.Sprintf("%dm %ds", s/60, s%60)
	}
	return strconv.FormatFloat(float64(ms)/1000, 'f', -1, 64) + "s"
}

// validation is what a look at a post's content found (CONTRACT §6.1).
type validation struct {
	Valid    bool    `json:"valid"`
	Errors   []issue `json:"errors"`
	Warnings []issue `json:"warnings"`
	Summary  struct {
		AffectedPlatforms []post.Platform `json:"affectedPlatforms"`
		ErrorCount        int             `json:"errorCount"`
		WarningCount      int             `json:"warningCount"`
	} `json:"summary"`
}

// validate checks a group's content against the limits of its connections.
func (c *call) validate(g *post.Group) validation {
	v := validation{Errors: []issue{}, Warnings: []issue{}}
	v.Summary.AffectedPlatforms = []post.Platform{}
	for i := range g.Posts {
		conn := c.account.connection(g.Posts[i].Connection)
		if conn == nil || conn.Validate == nil {
			continue
		}
		of := conn.ID.Platform()
		for _, p := range conn.Validate(&g.Content) {
			is := asIssue(&p, of, len(g.Media) > 1)
			if p.Severity == post.SeverityError {
				v.Errors = append(v.Errors, is)
			} else {
				v.Warnings = append(v.Warnings, is)
			}
			if !slices.Contains(v.Summary.AffectedPlatforms, of) {
				v.Summary.AffectedPlatforms = append(v.Summary.AffectedPlatforms, of)
			}
		}
	}
	v.Valid = len(v.Errors) == 0
	v.Summary.ErrorCount, v.Summary.WarningCount = len(v.Errors), len(v.Warnings)
	return v
}

// invalidBody refuses content that cannot be published.
type invalidBody struct {
	Error      string     `json:"error"`
	Code       string     `json:"code,omitempty"`
	Message    string     `json:"message,omitempty"`
	Validation validation `json:"validation"`
}

// lookOver returns what the platforms of a new group will not like. It stops
// nothing, for media may follow, unless the caller asks for it by
// ?validate=strict (CONTRACT §2.1).
func (c *call) lookOver(g *post.Group) ([]issue, error) {
	strict := c.URL.RawQuery != "" && c.params().text("validate") == "strict"
	if c.set.StrictCompat && !strict {
		return nil, nil
	}
	v := c.validate(g)
	if strict && !v.Valid {
		body := invalidBody{Error: "Validation failed", Validation: v}
		if !c.set.StrictCompat {
			body.Code, body.Message = "VALIDATION_FAILED", "Validation failed: "+v.Errors[0].Message
		}
		return nil, &Error{Status: http.StatusBadRequest, Text: body.Error, Body: body}
	}
	return append(v.Errors, v.Warnings...), nil
}
