package api

import (
	"net/http"
	"slices"

	"github.com/postroom/postroom/post"
)

// An issue is one thing a platform will not like (CONTRACT §6.1).
type issue struct {
	Platform    post.Platform `json:"platform"`
	Code        string        `json:"code"`
	Message     string        `json:"message"`
	Field       string        `json:"field"`
	Severity    post.Severity `json:"severity"`
	Suggestions []string      `json:"suggestions,omitempty"`
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
			is := issue{Platform: of, Code: p.Code, Message: p.Message(), Field: p.Field, Severity: p.Severity}
			if is.Code == "" {
				is.Code = "INVALID_PLATFORM_CONTENT"
			}
			if p.Hint != "" {
				is.Suggestions = []string{p.Hint}
			}
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
	strict := c.URL.RawQuery != "" && c.URL.Query().Get("validate") == "strict"
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
