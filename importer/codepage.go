package importer

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"

	"github.com/postroom/postroom/post"
)

// What is no UTF-8 is read as Windows-1252, and most of what is not that either is
// then no text: Russian, Chinese or Polish in the code page of its country. It must
// not go out. No language is guessed: only that none has such letters.

// western are the letters beyond ASCII that the languages written in Windows-1252
// have, with those that each borrows for names.
var western = []string{
	"àâæçèéêëîïôœùûüÿäößñ", // French, German
	"áéíóúüñçàèïò",         // Spanish, Catalan, Irish
	"áâãàçéêíóôõúüñ",       // Portuguese
	"àáèéêìíîòóôùúüö",      // Italian
	"áäçèéêëíïñóöúü",       // Dutch
	"æøåéèüöäôàç",          // Danish, Norwegian
	"åäöéüàèçáæøñ",         // Swedish, Finnish
	"äöüšžé",               // Finnish
	"äöüšžőõ",              // Estonian
	"áéíóúýðþæö",           // Icelandic
	"áðíóúýæøé",            // Faroese
}

const (
	// oddSigns stand between two letters in no text: £ and ¿ stand before a word, ³ and
	// º behind one.
	oddSigns = "¢£¤¥¯ªº³¹¼½¾¿ƒ"
	// oddEnds stand behind a small letter in no text.
	oddEnds = "ŠŒŽŸˆ"

	// Letters in between are not Latin, and have two bytes in UTF-8.
	firstOfOtherScripts = '\u0250'
	lastOfTwoBytes      = '\u07ff'
)

// isWestern reports whether there is a language with all of these letters.
func isWestern(letters []rune) bool {
	for _, has := range western {
		all := true
		for _, r := range letters {
			all = all && strings.ContainsRune(has, r)
		}
		if all {
			return true
		}
	}
	return false
}

// accented reports whether a rune is one of the letters beyond ASCII of Windows-1252.
func accented(r rune) bool {
	return r >= 'À' && r <= 'ÿ' && r != '×' && r != '÷' || strings.ContainsRune("ŠšŒœŽžŸ", r)
}

// misread says of a text that was read as Windows-1252 whether it holds what tells if
// that was right, and whether it was plainly not. pure is false where parts of the file
// are UTF-8, of which any letters may come.
func misread(text string, pure bool) (tells, wrong bool) {
	if isASCII(text) {
		return false, false
	}
	for line := range strings.Lines(text) {
		t, w := misreadLine([]rune(line), pure)
		tells, wrong = tells || t, wrong || w
	}
	return tells, wrong
}

func isASCII[T string | []byte](s T) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

func misreadLine(line []rune, pure bool) (tells, wrong bool) {
	var letters, run []rune // of the line, of the word
	signs, others := 0, 0   // in run
	for i, r := range line {
		low := unicode.ToLower(r)
		letter, sign := accented(r), strings.ContainsRune(oddSigns, r)
		_, known := charmap.Windows1252.EncodeRune(r)
		pure = pure && known // two bytes that are UTF-8 by chance, or a part that is meant so
		before, after := rune(' '), rune(' ')
		if i > 0 {
			before = line[i-1]
		}
		if i+1 < len(line) {
			after = line[i+1]
		}
		switch {
		case sign && unicode.IsLetter(before) && unicode.IsLetter(after), strings.ContainsRune(oddEnds, r) && unicode.IsLower(before):
			return true, true
		case r == unicode.ReplacementChar:
			return true, true // no character at all in Windows-1252
		case !known && r >= firstOfOtherScripts && r <= lastOfTwoBytes:
			run, others = append(run, low), others+1
		case !letter && !sign:
			run, signs, others = run[:0], 0, 0
			continue
		}
		if len(run) >= 3 && others > 0 && others < len(run) {
			return true, true // a word in several scripts
		}
		if !known {
			continue
		}
		tells = true
		if sign {
			signs++
		} else {
			if low == 'õ' && unicode.ToLower(after) != 'e' {
				low = 'ő' // no Portuguese
			}
			letters = append(letters, low)
		}
		if len(run) == 0 || run[len(run)-1] != low { // süüüß is a word
			run = append(run, low)
		}
		if len(run) >= 3 && others == 0 && signs < len(run) && (signs > 0 || len(run) > 4 || !isWestern(run)) {
			return true, true
		}
	}
	return tells, pure && !isWestern(letters)
}

// A letterTally counts the rows of a file that was read as Windows-1252.
type letterTally struct {
	telling, wrong int
	line, column   int // of the first wrong cell
	sample         string
}

// look counts a row.
func (t *letterTally) look(f *File, rec *record) {
	if isASCII(rec.text) {
		return
	}
	tells, wrong := false, false
	for i := range rec.cells() {
		cell := rec.cell(i)
		told, bad := misread(cell, f.guessed == windows1252.name)
		tells = tells || told
		if bad && t.wrong == 0 && !wrong {
			t.line, t.column, t.sample = rec.line, i+1, cell
		}
		wrong = wrong || bad
	}
	t.telling += count(tells)
	t.wrong += count(wrong)
}

// refusal is the problem of a file whose code page is another: of the rows that tell, a
// third or more are plainly no text.
func (f *File) refusal(t *letterTally) *Unusable {
	if t.wrong == 0 || t.wrong*3 < t.telling {
		return nil
	}
	u := unusable(&f.opt, "UNKNOWN_ENCODING", t.sample, "UTF-8: the file is in another code page, and read as Windows-1252 this is no text", "save the file as CSV UTF-8")
	u.Problems[0].Line, u.Problems[0].Column = t.line, t.column
	return u
}

// readable keeps a row back whose texts may have been misread.
func (m *maker) readable() {
	for i, cell := range m.row.Cells {
		if c := m.columns[i]; !c.says() && c.field != fieldComment && c.field != fieldAlt {
			continue
		}
		if _, wrong := misread(cell, m.guessed == windows1252.name); wrong {
			m.row.problem(post.Problem{Column: i + 1, Field: string(m.columns[i].field), Code: "LOST_LETTERS", Severity: post.SeverityWarning, Got: post.Shorten(cell), Want: "the letters as they were: read as Windows-1252 this is no text, so the row waits for a person", Hint: "save the file as CSV UTF-8"})
			m.row.Draft.Status = post.StatusDraft
			return
		}
	}
}
