package main

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"time"
)

// The connections that the generated files speak of. Each has one post under way
// at a time, and PERFORMANCE §2 sends on 32 to 64.
var (
	planned = connections("twitter", 40)
	sending = connections("webhook", 64)
)

func connections(platform string, n int) []string {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprintf("%s-%d", platform, 100000+i)
	}
	return ids
}

var words = strings.Fields("spring launch our new collection is here today come and see what we made for you this week only " +
	"fresh ideas good coffee open doors long evenings small steps big thanks to everyone who helped team work behind the scenes " +
	"read more about it on the blog tell us what you think see you there save the date early bird ends soon 🎉 🚀 ☕ naïve café Grüße")

// writeCalendar writes a calendar as PERFORMANCE §1 has it: contents of 40 to
// 280 characters with emoji, quotes and commas, a newline in one row of twenty,
// one to three platforms, ISO times over 90 days. The same seed, the same file.
func writeCalendar(path string, rows int, from time.Time, span time.Duration, connections []string, platforms int) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 1<<20)
	rng := rand.New(rand.NewPCG(1, 2))
	fmt.Fprintln(w, "content,platforms,scheduled_time,media_url")
	var text strings.Builder
	minutes := int(span / time.Minute)
	for i := range rows {
		text.Reset()
		fmt.Fprintf(&text, "%d", i)
		for want := 40 + rng.IntN(180); text.Len() < want; {
			switch rng.IntN(24) {
			case 0:
				text.WriteString(", ")
			case 1:
				text.WriteString(` ""quoted"" `)
			default:
				text.WriteByte(' ')
			}
			text.WriteString(words[rng.IntN(len(words))])
		}
		if rng.IntN(20) == 0 {
			text.WriteString("\nand a second line")
		}
		at := from.Add(time.Duration(rng.IntN(max(1, minutes))) * time.Minute)
		fmt.Fprintf(w, `"%s","`, text.String())
		first := rng.IntN(len(connections))
		for p := range 1 + rng.IntN(platforms) {
			if p > 0 {
				w.WriteByte(';')
			}
			w.WriteString(connections[(first+p*7)%len(connections)])
		}
		fmt.Fprintf(w, "\",%s,\n", at.UTC().Format("2006-01-02T15:04:05Z"))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return f.Close()
}
