package report

import (
	"encoding/json"
	"time"

	"github.com/postroom/postroom/post"
)

// jsonRow is one row in NAME.report.json. The keys are an interface.
type jsonRow struct {
	N         int            `json:"row"`
	Line      int            `json:"line"`
	UID       string         `json:"uid,omitempty"`
	Decision  post.Decision  `json:"decision"`
	Group     post.ID        `json:"post_group_id,omitzero"`
	Requested time.Time      `json:"requested_time,omitzero"`
	Scheduled time.Time      `json:"scheduled_time,omitzero"`
	Why       string         `json:"why,omitempty"`
	Problems  []post.Problem `json:"problems,omitempty"`
	Posts     []post.Post    `json:"posts,omitempty"`
}

func (b *Builder) jsonBegin() { b.json.WriteString(`{"rows":[`) }

func (b *Builder) jsonRow(r *post.Row, g *post.Group) error {
	row := jsonRow{N: r.N, Line: r.Line, UID: r.UID, Decision: r.Decision, Group: r.Group, Requested: r.RequestedAt, Scheduled: r.ScheduledAt, Why: whyOf(r, g), Problems: r.Problems}
	if g != nil {
		row.Posts = g.Posts
	}
	text, err := json.Marshal(row)
	if err != nil {
		return err
	}
	if b.page.jsonRows > 0 {
		b.json.WriteByte(',')
	}
	b.page.jsonRows++
	b.json.WriteByte('\n')
	_, err = b.json.Write(text)
	return err
}

// jsonEnd writes what is known only at the end.
func (b *Builder) jsonEnd(imp post.Import, quotas []Quota) error {
	rest := struct {
		Import    post.Import `json:"import"`
		Quotas    []Quota     `json:"quotas,omitempty"`
		WrittenAt time.Time   `json:"written_at"`
		Partial   string      `json:"partial,omitempty"`
	}{Import: imp, Quotas: quotas, WrittenAt: b.opt.Now}
	if b.page.jsonRows < b.rows {
		rest.Partial = "rows holds only those that need a look: the file is large, and all are in " + b.src.Name + endCSV
	}
	text, err := json.Marshal(rest)
	if err != nil {
		return err
	}
	b.json.WriteString("\n],")
	b.json.Write(text[1:])
	_, err = b.json.WriteString("\n")
	return err
}
