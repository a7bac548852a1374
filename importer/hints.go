package importer

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/postroom/postroom/post"
)

// The name of a column for the time may say more than that: "Date (DD/MM/YYYY)",
// "Publish at (UTC)", "Time - EST".

// A hinted zone is the one that the names of the columns speak of.
type hintedZone struct {
	loc    *time.Location // nil where they name none, or one that is not to be told
	name   string
	wrong  string // what they name where it is not to be told
	column int
}

// hintsIn returns what a name says behind the name itself.
func hintsIn(name string) (out []string) {
	if head, rest, ok := strings.Cut(name, " - "); ok {
		name, out = head, append(out, rest)
	}
	if at := strings.LastIndexByte(name, '('); at > 0 && strings.HasSuffix(strings.TrimSpace(name), ")") {
		out = append(out, strings.TrimSuffix(strings.TrimSpace(name[at+1:]), ")"))
	}
	return out
}

// abbreviations are names of zones that mean different ones in different places, or
// in summer and in winter, in capitals, as many are words too; american are such
// names in words.
var (
	abbreviations = words("ACST AEDT AEST AKST AST AWST BST CDT CEST CET CST CT EDT EEST EET EST ET HKT HST IST JST KST MDT MESZ MEZ MSK MST MT NZDT NZST PDT PHT PKT PST PT SAST SGT WAST WAT WEST WET WIB")
	american      = words("eastern central mountain pacific")
)

// zoneIn finds the zone that a hint names; wrong is one that does not tell which.
func zoneIn(hint string) (w wall, wrong string) {
	if w.setZone(hint) == nil {
		return w, ""
	}
	words := strings.FieldsFunc(hint, func(r rune) bool { return r == ' ' || r == ',' || r == ';' })
	for _, word := range words {
		var one wall
		switch {
		case slices.ContainsFunc(strings.Split(word, "/"), func(part string) bool { return abbreviations[part] }),
			american[strings.ToLower(word)] && len(words) <= 2:
			return wall{}, word
		case one.setZone(word) != nil:
		case w.loc != nil && w.zone != one.zone:
			return wall{}, hint
		default:
			w = one
		}
	}
	return w, ""
}

// Orders of day and month as names of columns spell them, in the letters of the
// languages seen: DD/MM/YYYY, TT.MM.JJJJ, JJ/MM/AAAA, GG/MM/AAAA.
var (
	hintDMY = regexp.MustCompile(`(?i)(?:^|[\s,;(])[dtjg]{1,2}[-/.]m{1,3}\b`)
	hintYMD = regexp.MustCompile(`(?i)(?:^|[\s,;(])(?:yy[-/.]m{1,2}[-/.]d{1,2}|jj[-/.]m{1,2}[-/.]t{1,2}|aa[-/.]m{1,2}[-/.][jdg]{1,2})\b`)
	hintMDY = regexp.MustCompile(`(?i)(?:^|[\s,;(])m{1,3}[-/.]d{1,2}\b`)
)

// orderIn finds the order of day and month that the name of a column spells.
func orderIn(name string) dateOrder {
	for _, hint := range hintsIn(name) {
		switch {
		case hintYMD.MatchString(hint):
			return orderYMD
		case hintDMY.MatchString(hint):
			return orderDMY
		case hintMDY.MatchString(hint):
			return orderMDY
		}
	}
	return orderNone
}

// readZone finds the zone that the columns for the time speak of. An offset or a
// zone in a row goes before it.
func (f *File) readZone() {
	if len(f.headers) == 0 {
		return
	}
	for i, c := range f.columns {
		if c.field != fieldWhen && c.field != fieldDate && c.field != fieldTime {
			continue
		}
		for _, hint := range hintsIn(f.header[i]) {
			w, wrong := zoneIn(hint)
			switch {
			case wrong != "":
				f.zone = hintedZone{wrong: wrong, column: i}
				return
			case w.loc == nil:
			case f.zone.loc != nil && f.zone.name != w.zone:
				f.zone = hintedZone{wrong: f.zone.name + " / " + w.zone, column: i}
				return
			default:
				f.zone = hintedZone{loc: w.loc, name: w.zone, column: i}
			}
		}
	}
	if z := f.zone; z.loc != nil && z.name != f.opt.Zone.String() {
		f.note(post.Problem{Line: f.line, Column: z.column + 1, Field: f.header[z.column], Code: "ZONE_OF_COLUMN", Got: post.Shorten(f.header[z.column]), Want: fmt.Sprintf("times in the zone %s: those without a zone of their own were read in %s, as the column says", f.opt.Zone, z.name)})
	}
}
