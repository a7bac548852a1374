package importer

import "testing"

func TestZonesInTheNamesOfColumns(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"Time (UTC)":                           "UTC",
		"Time (24h, UTC+2)":                    "+02:00",
		"Publish at (Europe/Berlin)":           "Europe/Berlin",
		"Time - Europe/London":                 "Europe/London",
		"Time (EST)":                           "refused EST",
		"Time (GMT/BST)":                       "refused GMT/BST",
		"Time (HH:mm ET)":                      "refused ET",
		"Time (Eastern)":                       "refused Eastern",
		"Time (Pacific time)":                  "refused Pacific",
		"Date (YYYY-MM-DD)":                    "",
		"Date (DD/MM/YYYY)":                    "",
		"Date - jour et heure":                 "",
		"Date - Intl. format or prompt":        "",
		"postAtSpecificTime (YYYY-MM-DDTHH:Z)": "",
		"Time (est.)":                          "",
		"Time (local)":                         "",
		"Time":                                 "",
	} {
		got := ""
		for _, hint := range hintsIn(name) {
			switch w, wrong := zoneIn(hint); {
			case wrong != "":
				got = "refused " + wrong
			case w.loc != nil:
				got = w.zone
			}
		}
		if got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}
