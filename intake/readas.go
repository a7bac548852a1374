package intake

import (
	"fmt"
	"time"

	"github.com/postroom/postroom/importer"
	"github.com/postroom/postroom/post"
)

// readAs is how a file was read. It is kept with the import, so that its report
// can be written again from the original long after the config has changed.
type readAs struct {
	Platforms   []post.ConnectionID `json:"platforms,omitempty"`
	Profiles    importer.Profiles   `json:"profiles,omitempty"`
	Zone        string              `json:"zone"`
	DateOrder   string              `json:"date_order,omitempty"`
	Status      post.Status         `json:"status,omitzero"`
	Today       time.Time           `json:"today"`
	Connections []post.ConnectionID `json:"connections"`
	MaxBytes    int64               `json:"max_bytes"`
	MaxRows     int                 `json:"max_rows"`
	Format      string              `json:"format,omitempty"`      // "" is CSV
	Zip         bool                `json:"zip,omitempty"`         // the calendar lies in a ZIP, with its media
	Sheet       string              `json:"sheet,omitempty"`       // as was asked for
	RepeatDays  int                 `json:"repeat_days,omitempty"` // how far the plan lets rows that repeat be laid out; 0 for no limit of its own
	Part        bool                `json:"part,omitempty"`        // it continued the revisions before it
	Spared      bool                `json:"spared,omitempty"`      // for a mistake in it, nothing was cancelled of what it lacked
	Kept        bool                `json:"kept,omitempty"`        // a calendar's posts that it lacked or could not read were left waiting
	Message     bool                `json:"message,omitempty"`     // it told of some events of its calendar
	Calendar    Calendar            `json:"calendar,omitzero"`
	Series      bool                `json:"series,omitempty"` // it has series, to be laid out further
}

func readAsOf(req *Request, format string) readAs {
	lim := importer.DefaultLimits()
	as := readAs{
		Platforms: req.Platforms, Profiles: req.Profiles, Zone: req.Account.Zone.String(), DateOrder: req.Account.DateOrder,
		Status: req.Status, Today: req.Now, Format: format, Part: req.Place.Part, Calendar: req.Calendar, Connections: req.Account.Directory.IDs(),
		MaxBytes: req.Limits.bytes(), MaxRows: lim.MaxRows, Sheet: req.Sheet,
	}
	if h := req.Account.Plan.HorizonDays; h != nil && time.Duration(*h)*24*time.Hour < repeatAhead {
		as.RepeatDays = *h
	}
	if req.Limits.Rows > 0 {
		as.MaxRows = req.Limits.Rows
	}
	return as
}

func (as *readAs) options(name string) (importer.Options, error) {
	zone, err := time.LoadLocation(as.Zone)
	if err != nil {
		return importer.Options{}, fmt.Errorf("zone %s: %w", as.Zone, err)
	}
	lim := importer.DefaultLimits()
	lim.MaxBytes, lim.MaxRows = as.MaxBytes, as.MaxRows
	return importer.Options{
		Name: name, Directory: post.NewDirectory(as.Connections), Platforms: as.Platforms, Profiles: as.Profiles, Zone: zone, AllDay: as.Calendar.AllDay,
		DateOrder: as.DateOrder, Status: as.Status, Today: as.Today, Sheet: as.Sheet, Limits: lim,
	}, nil
}
