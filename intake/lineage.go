package intake

import (
	"path"
	"regexp"
)

// A Place is where a file belongs: files of one lineage are revisions of each
// other.
type Place struct {
	Lineage string // the inbox folder and the name the revisions share; intake gives calendars one of their own
	Folder  string // below the inbox and its account
	Part    bool   // the file continues the earlier ones and does not replace them
}

// rejectedName is the name under which a report gives back the rows that were
// not taken, as people and their programs save it again. Of rows that were given back
// more than once it has the ending as often.
var rejectedName = regexp.MustCompile(`(?i)^(.+?)(?:\.rejected(?:[ _-]*(?:\(\d+\)|copy|fixed|\d+))*\.csv)+$`)

// PlaceOf returns the place of a file called name, dropped in folder (relative
// to the inbox, with slashes). Rows given back in `spring.csv.rejected.csv` and
// dropped again belong to `spring.csv`: what that file brought stays.
func PlaceOf(folder, name string) Place {
	if m := rejectedName.FindStringSubmatch(name); m != nil {
		return Place{Lineage: path.Join(folder, m[1]), Folder: folder, Part: true}
	}
	return Place{Lineage: path.Join(folder, name), Folder: folder}
}
