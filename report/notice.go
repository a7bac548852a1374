package report

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"time"

	"github.com/postroom/postroom/internal/atomicfile"
	"github.com/postroom/postroom/post"
)

// A Notice is the report of a file that brought no rows: it could not be read, or
// was imported before.
type Notice struct {
	File     string         `json:"file"`
	Title    string         `json:"title"`
	Problems []post.Problem `json:"problems"`
	At       time.Time      `json:"at"`
	Zone     *time.Location `json:"-"`
	Import   *post.Import   `json:"import,omitempty"` // that has the file, when there is one
}

// WriteNotice writes base.report.html and base.report.json, each whole, and
// returns their paths.
func WriteNotice(base string, n Notice) ([]string, error) {
	if err := os.MkdirAll(filepath.Dir(base), 0o755); err != nil {
		return nil, err
	}
	p := page{}
	p.begin(Options{Zone: n.Zone, Now: n.At})
	for i := range n.Problems {
		p.trouble(&n.Problems[i])
	}
	data := struct {
		Title, File, Report string
		At                  time.Time
		Zone                *time.Location
		Troubles            []*trouble
	}{Title: n.Title, File: visible(n.File), At: n.At, Zone: n.Zone, Troubles: p.order}
	if n.Import != nil {
		data.Report = "reports/" + n.Import.Report + endHTML
	}
	var html bytes.Buffer
	if err := pageTemplate.ExecuteTemplate(&html, "notice", data); err != nil {
		return nil, err
	}
	text, err := json.MarshalIndent(n, "", " ")
	if err != nil {
		return nil, err
	}
	paths := []string{base + endHTML, base + endJSON}
	for i, b := range [][]byte{html.Bytes(), append(text, '\n')} {
		if err := atomicfile.WriteFile(paths[i], b, 0o644); err != nil {
			return nil, err
		}
	}
	return paths, nil
}
