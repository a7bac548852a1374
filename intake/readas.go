package intake

import (
	"fmt"
	"time"

	"github.com/postroom/postroom/importer"
	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/report"
)

// readAs is how a file was read. It is kept with the import, so that its report
// can be written again from the original long after the config has changed.
type readAs struct {
	Platforms   []post.ConnectionID `json:"platforms,omitempty"`
	Zone        string              `json:"zone"`
	DateOrder   string              `json:"date_order,omitempty"`
	Status      post.Status         `json:"status,omitzero"`
	Today       time.Time           `json:"today"`
	Connections []post.ConnectionID `json:"connections"`
	MaxBytes    int64               `json:"max_bytes"`
	MaxRows     int                 `json:"max_rows"`
}

func (j *job) readAs() readAs {
	lim := importer.DefaultLimits()
	as := readAs{
		Platforms: j.req.Platforms, Zone: j.req.Account.Zone.String(), DateOrder: j.req.Account.DateOrder,
		Status: j.req.Status, Today: j.req.Now, Connections: j.req.Account.Directory.IDs(),
		MaxBytes: j.req.Limits.bytes(), MaxRows: lim.MaxRows,
	}
	if j.req.Limits.Rows > 0 {
		as.MaxRows = j.req.Limits.Rows
	}
	return as
}

func (as readAs) options(name string) (importer.Options, error) {
	zone, err := time.LoadLocation(as.Zone)
	if err != nil {
		return importer.Options{}, fmt.Errorf("zone %s: %w", as.Zone, err)
	}
	lim := importer.DefaultLimits()
	lim.MaxBytes, lim.MaxRows = as.MaxBytes, as.MaxRows
	return importer.Options{
		Name: name, Directory: post.NewDirectory(as.Connections), Platforms: as.Platforms, Zone: zone,
		DateOrder: as.DateOrder, Status: as.Status, Today: as.Today, Limits: lim,
	}, nil
}

// sourceOf tells the report how the original looks.
func sourceOf(f *importer.File, name string) report.Source {
	return report.Source{Name: name, Header: f.Header(), Delimiter: f.Dialect().Delimiter}
}
