package importer

import (
	"os"
	"strings"
	"testing"
)

// The manual names every tool whose files are read, and the word to write one with.
func TestManualKnowsItsTools(t *testing.T) {
	t.Parallel()
	manual, err := os.ReadFile("../docs/dialects.md")
	if err != nil {
		t.Fatal(err)
	}
	for i := range forms {
		if name := "| " + forms[i].name; !strings.Contains(string(manual), name) {
			t.Errorf("%q is not there", name)
		}
	}
	for _, tool := range Tools() {
		if !strings.Contains(string(manual), "`"+tool+"`") && tool != plainForm.tool {
			t.Errorf("`%s` is not there", tool)
		}
	}
}

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
