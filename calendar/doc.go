// Package calendar turns iCalendar files, as programs really write them, into
// drafts and problems, and posts into iCalendar. It is given bytes and never
// touches the file system; it starts no goroutine.
//
// The work is cut in layers, each in a file of its own and each made so that the
// next one is safe: lines.go finds lines in whatever bytes came, tokens.go cuts
// them into properties, tree.go puts these into components and hands each, made
// canonical, to go-ical; values.go reads dates and texts, zones.go and
// vtimezone.go find time zones, rule.go expands recurrence rules on the wall
// clock, series.go makes instances of rules, dates, exceptions and overrides.
// meaning.go then decides which events are posts and what they say, and rows.go
// lists what became of each.
//
// Start reading at Open. The rules are those of RFC 5545 and 7986, where files
// keep to them.
package calendar
