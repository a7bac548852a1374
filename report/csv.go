package report

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/postroom/postroom/post"
)

// resultColumns stand after the input's own.
var resultColumns = []string{
	"line", "status", "scheduled_time", "local_time", "moved_by", "why", "post_group_id", "platform",
	"posted_url", "error_code", "error", "hint", "attempts", "updated_at", "approve",
}

const bom = "\ufeff"

// csvHeader writes the header. A result column whose name the input has already
// is called postroom_ and that name.
func (b *Builder) csvHeader() {
	b.line = append(b.line[:0], bom...)
	for _, name := range b.src.Header {
		b.cell(name)
	}
	for _, name := range resultColumns {
		if slices.ContainsFunc(b.src.Header, func(h string) bool { return strings.EqualFold(strings.TrimSpace(h), name) }) {
			name = "postroom_" + name
		}
		b.cell(name)
	}
	b.endLine()
}

// cell adds a cell and the delimiter after it.
func (b *Builder) cell(s string) { b.line = appendCell(b.line, s, b.comma) }

// plain adds a cell that needs no quotes.
func (b *Builder) plain(s string) { b.line = append(append(b.line, s...), b.comma) }

// endLine writes the line without its last delimiter. Errors of the writer are
// kept by it until Flush.
func (b *Builder) endLine() {
	b.line[len(b.line)-1] = '\r'
	b.line = append(b.line, '\n')
	b.csv.Write(b.line)
	b.line = b.line[:0]
}

// appendCell appends s as a cell that a spreadsheet shows and does not carry
// out: what looks like a formula gets an apostrophe before it (INGEST §4.1).
func appendCell(b []byte, s string, comma byte) []byte {
	risky := isFormula(s)
	if !risky && strings.IndexByte(s, comma) < 0 && strings.IndexByte(s, '"') < 0 && strings.IndexByte(s, '\n') < 0 && strings.IndexByte(s, '\r') < 0 && (s == "" || s[0] != ' ' && s[len(s)-1] != ' ') {
		return append(append(b, s...), comma)
	}
	b = append(b, '"')
	if risky {
		b = append(b, '\'')
	}
	for {
		i := strings.IndexByte(s, '"')
		if i < 0 {
			break
		}
		b = append(append(b, s[:i+1]...), '"')
		s = s[i+1:]
	}
	return append(append(b, s...), '"', comma)
}

// isFormula reports whether a spreadsheet might take a cell for a formula, also
// behind blanks and quotes, and in full width.
func isFormula(s string) bool {
	if s == "" {
		return false
	}
	switch c := s[0]; {
	case c == '=' || c == '+' || c == '-' || c == '@' || c == '\t' || c == '\r':
		return true
	case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9':
		return false
	}
	rest := strings.TrimLeft(s, " \u00a0\ufeff\"'\n")
	if rest == "" {
		return false
	}
	r, _ := utf8.DecodeRuneInString(rest)
	return strings.ContainsRune("=+-@\t\r＝＋－＠", r)
}

// csvCells prepares the input's own cells, which every line of a row begins with.
func (b *Builder) csvCells(cells []string) {
	b.front = b.front[:0]
	for i := range b.src.Header {
		cell := ""
		if i < len(cells) {
			cell = cells[i]
		}
		b.front = appendCell(b.front, cell, b.comma)
	}
	b.own = len(b.front)
}

// csvFront prepares, after csvCells, what the lines of a row have before the
// platform. p is nil for a row that has no group to show.
func (b *Builder) csvFront(r *post.Row, g *post.Group, p *post.Post) {
	f := strconv.AppendInt(b.front[:b.own], int64(r.Line), 10)
	f = append(f, b.comma)
	f = append(append(f, statusOf(r, g, p)...), b.comma)
	at := r.ScheduledAt
	if p != nil {
		at = p.DueAt
		if p.Status == post.StatusDraft || p.Status == post.StatusCancelled {
			at = g.ScheduledAt
		}
	}
	f = append(b.times.appendUTC(f, at), b.comma)
	f = append(b.times.appendLocal(f, at), b.comma)
	if moved := minutesMoved(r); moved != 0 {
		f = strconv.AppendInt(f, int64(moved), 10)
	}
	f = append(f, b.comma)
	f = appendCell(f, whyOf(r, g), b.comma)
	if !r.Group.IsZero() {
		f = appendID(f, r.Group)
	}
	b.front = append(f, b.comma)
}

// csvLine writes the line of one row and platform after csvFront. Errors of the
// writer are kept by it until Flush.
func (b *Builder) csvLine(r *post.Row, p *post.Post) {
	b.csv.Write(b.front)
	if p == nil {
		b.plain("")
		b.plain("")
	} else {
		b.plain(string(p.Connection))
		url := ""
		if p.Receipt != nil {
			url = p.Receipt.URL
		}
		b.cell(url)
	}
	code, message, hint := troubleOf(r, p)
	b.plain(code)
	b.cell(message)
	b.cell(hint)
	if p != nil && p.Attempts > 0 {
		b.line = strconv.AppendInt(b.line, int64(p.Attempts), 10)
	}
	b.line = append(b.line, b.comma)
	if p != nil && p.Attempts > 0 {
		b.line = b.times.appendUTC(b.line, p.UpdatedAt)
	}
	b.line = append(b.line, b.comma, b.comma) // the last cell is for people to fill
	b.endLine()
}

const hexDigits = "0123456789abcdef"

func appendID(b []byte, id post.ID) []byte {
	for _, c := range id {
		b = append(b, hexDigits[c>>4], hexDigits[c&15])
	}
	return b
}

// statusOf says where a row stands on one platform: what was decided, until
// something happened to its post.
func statusOf(r *post.Row, g *post.Group, p *post.Post) string {
	if p == nil {
		return r.Decision.String()
	}
	switch p.Status {
	case post.StatusScheduled, post.StatusPending:
		return r.Decision.String()
	case post.StatusDraft:
		if g.Held != "" {
			return "held"
		}
		if r.Decision == post.Accepted || r.Decision == post.Updated {
			return "draft"
		}
		return r.Decision.String()
	case post.StatusProcessing:
		return "sending"
	}
	return p.Status.String()
}

// whyOf says why a row moved, is held or unchanged.
func whyOf(r *post.Row, g *post.Group) string {
	if g != nil && g.Held != "" {
		return g.Held
	}
	return r.Why
}

// minutesMoved is how far the slot lies behind what was asked for.
func minutesMoved(r *post.Row) int {
	if r.ScheduledAt.IsZero() || r.RequestedAt.IsZero() {
		return 0
	}
	return int(r.ScheduledAt.Sub(r.RequestedAt.Truncate(time.Minute)) / time.Minute)
}

// troubleOf gives what went wrong with a row or its post: warnings too, as
// somebody should look.
func troubleOf(r *post.Row, p *post.Post) (code, message, hint string) {
	if p != nil && p.Problem != nil && p.Status != post.StatusPublished {
		switch p.Status {
		case post.StatusUnknown:
			hint = "look on the platform, then `postroom posts resolve " + p.ID.String() + " sent` or `unsent`"
		case post.StatusFailed:
			hint = "`postroom posts retry " + p.ID.String() + "` sends it again"
		}
		return p.Problem.Code, p.Problem.Message, hint
	}
	if len(r.Problems) == 0 {
		return "", "", ""
	}
	var messages, hints []string
	for i := range r.Problems {
		q := &r.Problems[i]
		if code == "" || q.Severity == post.SeverityError && r.Problems[0].Severity != post.SeverityError {
			code = q.Code
		}
		text := q.Message()
		if q.Severity == post.SeverityWarning {
			text = "warning: " + text
		}
		if !slices.Contains(messages, text) {
			messages = append(messages, text)
		}
		if q.Hint != "" && !slices.Contains(hints, q.Hint) {
			hints = append(hints, q.Hint)
		}
	}
	return code, strings.Join(messages, "; "), strings.Join(hints, "; ")
}

// reject adds a row to the file of those that were not taken. Its cells are
// written anew in the input's dialect, so that the error stands in a column of
// its own; a record too broken to have cells is given back as it was.
func (b *Builder) reject(cells []string, raw []byte, r *post.Row) error {
	if raw != nil && r.Line == b.rejectedLine {
		return nil // further times of a row that repeats: given back twice, it would repeat twice
	}
	b.rejectedLine = r.Line
	if b.rejected == nil {
		w, err := b.create(endRejected)
		if err != nil {
			return err
		}
		b.rejected = w
		b.rejected.Write(b.rejectedHeader())
	}
	var line []byte
	if !overlong(r) && slices.ContainsFunc(cells, func(c string) bool { return c != "" }) {
		for i, name := range b.src.Header {
			if !isRejectedName(name) {
				line = appendRaw(line, cells[min(i, len(cells)-1)], b.comma)
			}
		}
	} else {
		line = append(append(line, bytes.TrimRight(raw, "\r\n")...), b.comma)
	}
	_, message, hint := troubleOf(r, nil)
	if hint != "" {
		message += " (" + hint + ")"
	}
	if len(b.src.Headers) == 0 { // no header names the column
		message = b.rejectedName() + ": " + message
	}
	line = appendCell(line, message, b.comma)
	line[len(line)-1] = '\r'
	_, err := b.rejected.Write(append(line, '\n'))
	return err
}

// overlong reports whether a row has more cells than there are columns: what is too
// many belongs to one of the others.
func overlong(r *post.Row) bool {
	return slices.ContainsFunc(r.Problems, func(p post.Problem) bool { return p.Code == "TOO_MANY_CELLS" })
}

// rejectedHeader returns what stands above the rejected rows: the input's header
// rows, of which the last names the column with the error too.
func (b *Builder) rejectedHeader() []byte {
	line := []byte(bom)
	for i, row := range b.src.Headers {
		for col := range b.src.Header {
			name := ""
			if col < len(row) {
				name = row[col]
			}
			if !isRejectedName(b.src.Header[col]) {
				line = appendRaw(line, name, b.comma)
			}
		}
		if i == len(b.src.Headers)-1 {
			line = append(line, b.rejectedName()...)
		}
		line = append(line, "\r\n"...)
	}
	return line
}

// rejectedColumn is the column with the error. The importer knows it and leaves
// it out when the file comes back.
const rejectedColumn = "postroom_error"

// isRejectedName reports whether a column is that of a file that was dropped back
// and is rejected again: it gets a new one.
func isRejectedName(name string) bool {
	return strings.HasPrefix(strings.TrimSpace(name), rejectedColumn)
}

// rejectedName names that column, and says how the dates were read: the row that
// told may be one of those taken.
func (b *Builder) rejectedName() string {
	if b.src.DateOrder == "" {
		return rejectedColumn
	}
	return rejectedColumn + " (dates: " + b.src.DateOrder + ")"
}

// appendRaw appends a cell as it was, in quotes where it must be.
func appendRaw(b []byte, s string, comma byte) []byte {
	if strings.IndexByte(s, comma) < 0 && !strings.ContainsAny(s, "\"\r\n") {
		return append(append(b, s...), comma)
	}
	b = append(b, '"')
	b = append(b, strings.ReplaceAll(s, `"`, `""`)...)
	return append(b, '"', comma)
}

// A clock formats instants, faster than package time does and to the same text:
// reports have as many times as rows.
type clock struct{ zone *time.Location }

// appendUTC appends 2026-03-01T09:00:00Z, or nothing for the zero time.
func (c *clock) appendUTC(b []byte, at time.Time) []byte {
	if at.IsZero() {
		return b
	}
	at = at.UTC()
	b, ok := appendDate(b, at)
	if !ok {
		return at.AppendFormat(b, "2006-01-02T15:04:05Z")
	}
	hour, minute, second := at.Clock()
	b = append(two(append(b, 'T'), hour), ':')
	b = append(two(b, minute), ':')
	return append(two(b, second), 'Z')
}

// appendLocal appends 2026-03-01 10:00 CET.
func (c *clock) appendLocal(b []byte, at time.Time) []byte {
	if at.IsZero() {
		return b
	}
	// Moved by its offset, an instant shows in UTC what it is in the zone, which is
	// looked up once.
	name, offset := at.In(c.zone).Zone()
	shown := time.Unix(at.Unix()+int64(offset), 0).UTC()
	date, ok := appendDate(b, shown)
	if !ok || name == "" {
		return at.In(c.zone).AppendFormat(b, "2006-01-02 15:04 MST")
	}
	hour, minute, _ := shown.Clock()
	b = append(two(append(date, ' '), hour), ':')
	return append(append(two(b, minute), ' '), name...)
}

// appendDate appends 2026-03-01, or nothing and false for a year that has not four
// digits.
func appendDate(b []byte, at time.Time) ([]byte, bool) {
	year, month, day := at.Date()
	if year < 0 || year > 9999 {
		return b, false
	}
	b = append(two(two(b, year/100), year%100), '-')
	b = append(two(b, int(month)), '-')
	return two(b, day), true
}

func two(b []byte, n int) []byte { return append(b, byte('0'+n/10), byte('0'+n%10)) }
