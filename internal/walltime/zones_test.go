package walltime

import "testing"

func TestLoadFindsZonesInAnyCase(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		"Europe/Berlin": "Europe/Berlin", "europe/berlin": "Europe/Berlin", "AMERICA/NEW YORK": "America/New_York",
		"america/port_of_spain": "America/Port_of_Spain", "America/Argentina/Buenos_Aires": "America/Argentina/Buenos_Aires",
		"utc": "UTC", "Z": "UTC", " GMT ": "UTC", "est5edt": "EST5EDT",
	} {
		loc, ok := Load(given)
		if !ok || loc.String() != want {
			t.Errorf("Load(%q): %v %v, want %s", given, loc, ok, want)
		}
	}
}

func TestLoadRefusesWhatIsNoZone(t *testing.T) {
	t.Parallel()
	for _, given := range []string{"", "Local", "local", "LOCAL", "../../etc/passwd", "/etc/localtime", "Europe/../Berlin", "Europe\\Berlin", "Mars/Phobos", "W. Europe Standard Time", "a/b/c/d"} {
		if loc, ok := Load(given); ok {
			t.Errorf("Load(%q) found %s", given, loc)
		}
	}
}
