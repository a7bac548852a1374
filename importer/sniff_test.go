package importer

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// A made is a table as the test writes it.
type made struct {
	name string
	text string
	style
}

// A maker of tables draws from words, numbers and the like.
type tableMaker struct {
	*rand.Rand
	style
	eol    string
	sloppy bool
}

// pick draws one of several.
func pick[T any](r *rand.Rand, of []T) T { return of[r.IntN(len(of))] }

var sniffWords = strings.Fields("alpha river north total annual council service parking Müller café Straße report budget school east value item region district health annual2020 x1 id-77 grün São")

// kinds of columns, each with a way to make its cells.
var columnKinds = []func(r *rand.Rand) string{
	func(r *rand.Rand) string { return fmt.Sprint(r.IntN(100000)) },
	func(r *rand.Rand) string { return fmt.Sprintf("%.2f", r.Float64()*1000) },
	func(r *rand.Rand) string {
		return fmt.Sprintf("%04d-%02d-%02d", 1990+r.IntN(40), 1+r.IntN(12), 1+r.IntN(28))
	},
	func(r *rand.Rand) string {
		return fmt.Sprintf("%d/%d/%d", 1+r.IntN(28), 1+r.IntN(12), 1990+r.IntN(40))
	},
	func(r *rand.Rand) string {
		return fmt.Sprintf("%04d-%02d-%02d %02d:%02d:%02d", 2000+r.IntN(30), 1+r.IntN(12), 1+r.IntN(28), r.IntN(24), r.IntN(60), r.IntN(60))
	},
	func(r *rand.Rand) string { return fmt.Sprintf("%02d:%02d", r.IntN(24), r.IntN(60)) },
	func(r *rand.Rand) string { return pick(r, sniffWords) },
	func(r *rand.Rand) string { return pick(r, sniffWords) + " " + pick(r, sniffWords) },
	func(r *rand.Rand) string {
		return "https://example.com/" + pick(r, sniffWords) + "?q=" + fmt.Sprint(r.IntN(100))
	},
	func(r *rand.Rand) string { return pick(r, sniffWords) + "@example.org" },
	func(r *rand.Rand) string { return pick(r, []string{"", "", "NA", "-", "0"}) },
	func(r *rand.Rand) string { return fmt.Sprintf("£%d,%03d", 1+r.IntN(900), r.IntN(1000)) },
	func(r *rand.Rand) string { return fmt.Sprintf("%d%%", r.IntN(101)) },
	func(r *rand.Rand) string { return fmt.Sprintf("%d,%02d", r.IntN(1000), r.IntN(100)) },
	func(r *rand.Rand) string { return fmt.Sprintf("%d,%03d,%03d", r.IntN(9), r.IntN(1000), r.IntN(1000)) },
	func(r *rand.Rand) string { return fmt.Sprintf("%.6f, %.6f", r.Float64()*90, r.Float64()*180) },
	func(r *rand.Rand) string { return pick(r, sniffWords) + "|" + pick(r, sniffWords) },
	func(r *rand.Rand) string {
		return pick(r, sniffWords) + "/" + pick(r, sniffWords) + "_" + pick(r, sniffWords) + ".txt"
	},
	func(r *rand.Rand) string {
		return pick(r, []string{"a: b", "key=value", "[1]", "{x}", "C:\\temp", "1 234", "+49 30 123", "<b>bold</b>", "#12", "*", "A & B", "50 - 60"})
	},
	func(r *rand.Rand) string { return pick(r, []string{"true", "false", "Yes", "No"}) },
	func(r *rand.Rand) string {
		n := 3 + r.IntN(9)
		var w []string
		for range n {
			w = append(w, pick(r, sniffWords))
		}
		text := strings.Join(w, " ")
		switch r.IntN(5) {
		case 0:
			text = strings.Replace(text, " ", ", ", 1)
		case 1:
			text += "; " + pick(r, sniffWords)
		case 2:
			text += " (" + pick(r, sniffWords) + "): it's " + pick(r, sniffWords)
		case 3:
			text = strings.Replace(text, " ", ` "`+pick(r, sniffWords)+`" `, 1)
		}
		return text
	},
}

// cell writes one cell in the style, in quotes where it must be or always.
func (m *tableMaker) cell(s string, always bool) string {
	must := strings.ContainsAny(s, string(m.delim)+"\n\r") || strings.IndexByte(s, m.quote) >= 0
	if m.delim == ' ' && s == "" {
		must = true
	}
	if !must && !always {
		return s
	}
	if m.sloppy && !strings.ContainsAny(s, string(m.delim)+"\r\n") {
		return s // quotes within a cell, as programs write that know no better
	}
	q := string(m.quote)
	if m.escape != 0 {
		return q + strings.ReplaceAll(s, q, string(m.escape)+q) + q
	}
	return q + strings.ReplaceAll(s, q, q+q) + q
}

// table makes a table with some of the mess that real ones have.
func table(seed uint64, s style) made {
	r := rand.New(rand.NewPCG(seed, 20261125))
	m := tableMaker{Rand: r, style: s, eol: pick(r, []string{"\n", "\r\n", "\n", "\r"})}
	var b strings.Builder
	var mess []string
	columns := 2 + r.IntN(9)
	if r.IntN(12) == 0 {
		columns = 30
	}
	rows := 3 + r.IntN(60)
	if r.IntN(8) == 0 {
		rows = 1 + r.IntN(3)
		mess = append(mess, "short")
	}
	if m.sloppy = r.IntN(10) == 0; m.sloppy {
		mess = append(mess, "sloppy")
	}
	between, after := string(m.delim), ""
	switch r.IntN(12) {
	case 0:
		if m.delim != ' ' {
			between += " "
			mess = append(mess, "blank after")
		}
	case 1:
		after = string(m.delim)
		mess = append(mess, "delimiter at the end")
	}
	if r.IntN(15) == 0 {
		mess = append(mess, "comment")
		b.WriteString("# made by " + pick(r, sniffWords) + m.eol)
	}
	kinds := make([]func(*rand.Rand) string, columns)
	for i := range kinds {
		kinds[i] = pick(r, columnKinds)
	}
	always := r.IntN(4) == 0
	if r.IntN(5) == 0 {
		mess = append(mess, "preamble")
		for range 1 + r.IntN(4) {
			b.WriteString(columnKinds[len(columnKinds)-1](r) + m.eol)
		}
		if r.IntN(2) == 0 {
			b.WriteString(m.eol)
		}
	}
	if r.IntN(6) != 0 {
		var names []string
		for i := range kinds {
			names = append(names, m.cell(fmt.Sprintf("%s %d", pick(r, sniffWords), i), always))
		}
		b.WriteString(strings.Join(names, between) + after + m.eol)
	} else {
		mess = append(mess, "no header")
	}
	ragged := r.IntN(8) == 0
	if ragged {
		mess = append(mess, "ragged")
	}
	lines := r.IntN(6) == 0
	if lines {
		mess = append(mess, "line breaks")
	}
	for range rows {
		var cells []string
		for _, kind := range kinds {
			text := kind(r)
			if lines && r.IntN(8) == 0 {
				text += "\n" + pick(r, sniffWords)
			}
			cells = append(cells, m.cell(text, always))
		}
		if ragged && r.IntN(5) == 0 {
			cells = cells[:1+r.IntN(len(cells))]
		}
		b.WriteString(strings.Join(cells, between) + after + m.eol)
		if r.IntN(40) == 0 {
			b.WriteString(m.eol)
		}
	}
	if r.IntN(6) == 0 {
		mess = append(mess, "footnote")
		b.WriteString(m.eol + "Source: " + columnKinds[len(columnKinds)-1](r) + m.eol)
	}
	return made{name: fmt.Sprintf("%d %q %q %q %s", seed, s.delim, s.quote, s.escape, strings.Join(mess, ", ")), text: b.String(), style: s}
}

// Of tables of all kinds whose style is known, at least 98 in 100 are seen through:
// no column of them has a name that helps.
func TestSniffingStyles(t *testing.T) {
	t.Parallel()
	var all []made
	seed := uint64(0)
	for _, d := range []byte{',', ',', ',', ';', ';', '\t', '\t', '|', ' ', ':', '^', '~'} {
		for range 60 {
			seed++
			s := style{delim: d, quote: '"'}
			switch seed % 8 {
			case 5:
				s.quote = '\''
			case 6:
				s.escape = '\\'
			}
			all = append(all, table(seed, s))
		}
	}
	for range 60 { // of one column
		m := table(seed+1, style{delim: ',', quote: '"'})
		seed++
		var lines []string
		kind := columnKinds[int(seed)%(len(columnKinds)-1)]
		for range strings.Count(m.text, ",") % 40 {
			lines = append(lines, kind(rand.New(rand.NewPCG(seed, uint64(len(lines))))))
		}
		text := "name\n" + strings.Join(lines, "\n") + "\n"
		if !strings.ContainsAny(text, ";|") {
			all = append(all, made{name: fmt.Sprintf("%d one column", seed), text: text, style: style{delim: ',', quote: '"'}})
		}
	}
	delims, styles := 0, 0
	quotes := 0
	for _, m := range all {
		got := sniffStyle([]byte(m.text), true, slices.Concat(delimiters, rare))
		if got.delim == m.delim {
			delims++
		} else {
			t.Logf("%s: got %q\n%s", m.name, got.delim, m.text[:min(len(m.text), 300)])
		}
		seen := strings.ContainsRune(m.text, rune(m.quote))
		if !seen || got.quote == m.quote {
			quotes++
		}
		if got.delim == m.delim && (!seen || got.quote == m.quote) && (!strings.Contains(m.text, `\"`) || got.escape == m.escape) {
			styles++
		}
	}
	t.Logf("of %d tables: delimiter %d (%.1f %%), quote %d (%.1f %%), all %d (%.1f %%)", len(all), delims, 100*float64(delims)/float64(len(all)), quotes, 100*float64(quotes)/float64(len(all)), styles, 100*float64(styles)/float64(len(all)))
	if delims*100 < len(all)*98 {
		t.Errorf("the delimiter of only %d in %d was found", delims, len(all))
	}
}
