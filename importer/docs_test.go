package importer

import (
	"os"
	"strings"
	"testing"
)

// The manual's examples have columns that are understood.
func TestManualKnowsItsColumns(t *testing.T) {
	t.Parallel()
	manual, err := os.ReadFile("../docs/csv.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := strings.Split(string(manual), "```csv\n")[1:]
	if len(blocks) == 0 {
		t.Fatal("there are none")
	}
	for _, b := range blocks {
		text, _, _ := strings.Cut(b, "```")
		header, _, _ := strings.Cut(text, "\n")
		for _, name := range strings.Split(header, ",") {
			if columnOf(name).field == fieldUnknown {
				t.Errorf("the column %q of an example is unknown", name)
			}
		}
	}
}
