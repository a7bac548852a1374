package importer

import (
	"slices"
	"testing"
)

func TestFilesBesideTheCalendarAreToldFromAddresses(t *testing.T) {
	t.Parallel()
	for cell, want := range map[string][]string{
		"a.jpg": {"a.jpg"}, "my pic.PNG": {"my pic.PNG"}, "week 1/a.jpg; b.mp4": {"week 1/a.jpg", "b.mp4"}, "a.jpg, b.jpg|c.jpg": {"a.jpg", "b.jpg", "c.jpg"},
		`images\a.jpg`: {"images/a.jpg"}, "./v1.2/a.jpg": {"v1.2/a.jpg"}, "a.b.jpg": {"a.b.jpg"},
	} {
		var got []string
		for _, u := range splitURLs(cell) {
			if name, ok := localMedia(u); ok {
				got = append(got, name)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q: got %q, want %q", cell, got, want)
		}
	}
	for _, cell := range []string{
		"example.com/a.jpg", "https://example.com/a.jpg", "//example.com/a.jpg", "/etc/a.jpg", "../a.jpg", "a/../../b.jpg", `C:\a.jpg`, `..\a.jpg`, "a.pdf", "picture", "",
	} {
		if name, ok := localMedia(cell); ok {
			t.Errorf("%q is taken as the file %q", cell, name)
		}
	}
}
