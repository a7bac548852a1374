package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Who connects an account reads the driver's page, and the table before it.
func TestEveryDriverHasAPageWithItsSettings(t *testing.T) {
	t.Parallel()
	docs := filepath.Join("..", "..", "docs")
	table, err := os.ReadFile(filepath.Join(docs, "platforms.md"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range drivers {
		d := &drivers[i]
		if row := "\n| [" + d.name + "](platforms/" + d.name + ".md) |"; !strings.Contains(string(table), row) {
			t.Errorf("docs/platforms.md has no row for %s", d.name)
		}
		page, err := os.ReadFile(filepath.Join(docs, "platforms", d.name+".md"))
		if err != nil {
			t.Error(err)
			continue
		}
		for _, key := range settingNames(d.settings().keys()) {
			if !strings.Contains(string(page), "`"+key) && !strings.Contains(string(page), key+":") {
				t.Errorf("docs/platforms/%s.md does not say what %s is", d.name, key)
			}
		}
		for _, told := range []string{"**Costs**", "**Verified**"} {
			if !strings.Contains(string(page), told) {
				t.Errorf("docs/platforms/%s.md has no line that begins with %s", d.name, told)
			}
		}
	}
}

// A driver hides no setting that all connections have, and reads what it needs.
func TestDriversKeepOffTheCommonSettings(t *testing.T) {
	t.Parallel()
	common := settingNames(new(ConnectionConfig).settings())
	for i := range drivers {
		d := &drivers[i]
		own := settingNames(d.settings().keys())
		for _, key := range own {
			if slices.Contains(common, key) {
				t.Errorf("%s has a setting %s of its own", d.name, key)
			}
		}
		for _, need := range d.needs {
			if !slices.Contains(own, need) {
				t.Errorf("%s needs %s, which it does not read", d.name, need)
			}
		}
	}
}
