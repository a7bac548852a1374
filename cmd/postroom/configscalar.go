package main

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/postroom/postroom/post"
)

// A parser reads one kind of single value.
type parser[T any] struct {
	want  string // what a good one looks like
	parse func(text string) (v T, hint string, ok bool)
}

// scalar returns what reads a single value into a place. The place keeps what it
// has when the value is bad.
func scalar[T any](into *T, p parser[T]) func(value) {
	return func(v value) {
		text, ok := v.text(p.want)
		if !ok {
			return
		}
		got, hint, ok := p.parse(strings.TrimSpace(text))
		if !ok {
			raw, _ := v.raw(p.want)
			v.problem(post.Problem{Got: post.Shorten(raw), Want: p.want, Hint: hint})
			return
		}
		*into = got
	}
}

// pointer is scalar for a place that is nil when nothing is said.
func pointer[T any](into **T, p parser[T]) func(value) {
	return func(v value) {
		var got T
		before := len(v.d.problems)
		scalar(&got, p)(v)
		if len(v.d.problems) == before {
			*into = &got
		}
	}
}

// nearest words the likeliest of the names, "" when none is near.
func nearest(text string, names ...string) string {
	if near := post.Nearest(text, names); near != "" {
		return fmt.Sprintf("did you mean %s?", near)
	}
	return ""
}

// oneOf reads one of some words, in any case.
func oneOf(words ...string) parser[string] {
	return parser[string]{
		want: "one of " + strings.Join(words, ", "),
		parse: func(text string) (string, string, bool) {
			text = strings.ToLower(text)
			return text, nearest(text, words...), slices.Contains(words, text)
		},
	}
}

// dateOrder says how 03/04/2026 is read.
var dateOrder = oneOf("dmy", "mdy", "ymd")

// yesNo reads true or false, also in the words of older YAML.
var yesNo = parser[bool]{
	want: "true or false",
	parse: func(text string) (on bool, hint string, ok bool) {
		switch strings.ToLower(text) {
		case "true", "yes", "on":
			return true, "", true
		case "false", "no", "off":
			return false, "", true
		}
		return false, nearest(text, "true", "false"), false
	},
}

// count reads a whole number.
func count(least, most int) parser[int] {
	return parser[int]{
		want: fmt.Sprintf("a number from %d to %d", least, most),
		parse: func(text string) (int, string, bool) {
			n, err := strconv.Atoi(strings.ReplaceAll(text, "_", ""))
			return n, "", err == nil && n >= least && n <= most
		},
	}
}

// unlessNone is p, or the word none for another value.
func unlessNone[T any](p parser[T], none T) parser[T] {
	return parser[T]{
		want: p.want + ", or none",
		parse: func(text string) (T, string, bool) {
			if strings.EqualFold(text, "none") {
				return none, "", true
			}
			return p.parse(text)
		},
	}
}

const day = 24 * time.Hour

// length reads a length of time: what [time.ParseDuration] reads, and days.
func length(least, most time.Duration) parser[time.Duration] {
	return parser[time.Duration]{
		want: fmt.Sprintf("a length of time like 90s, 5m, 4h or 7d, from %s to %s", shortLength(least), shortLength(most)),
		parse: func(text string) (time.Duration, string, bool) {
			if _, err := strconv.Atoi(text); err == nil && text != "0" {
				return 0, fmt.Sprintf("add the unit: %ss, %sm or %sh", text, text, text), false
			}
			d, ok := parseLength(text)
			return d, "", ok && d >= least && d <= most
		},
	}
}

func parseLength(text string) (time.Duration, bool) {
	var days time.Duration
	if head, rest, found := strings.Cut(text, "d"); found {
		n, err := strconv.ParseUint(head, 10, 16)
		if err != nil {
			return 0, false
		}
		days, text = time.Duration(n)*day, rest
		if text == "" {
			return days, true
		}
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 || d > math.MaxInt64-days {
		return 0, false
	}
	return days + d, true
}

// shortLength writes a length the way people write it.
func shortLength(d time.Duration) string {
	switch {
	case d == 0:
		return "0"
	case d%day == 0:
		return fmt.Sprintf("%dd", d/day)
	case d%time.Hour == 0:
		return fmt.Sprintf("%dh", d/time.Hour)
	case d%time.Minute == 0:
		return fmt.Sprintf("%dm", d/time.Minute)
	}
	return d.String()
}

// sizeUnits are the powers that a size may name, in any case.
var sizeUnits = map[string]int64{
	"": 1, "b": 1, "kb": 1e3, "mb": 1e6, "gb": 1e9, "tb": 1e12, "kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30, "tib": 1 << 40,
}

// bytesSize reads a number of bytes, with a unit or without.
func bytesSize(least, most int64) parser[int64] {
	return parser[int64]{
		want: "a size like 200 MiB or 1 GiB",
		parse: func(text string) (int64, string, bool) {
			digits := strings.TrimRight(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ ")
			unit, known := sizeUnits[strings.ToLower(strings.TrimSpace(text[len(digits):]))]
			n, err := strconv.ParseInt(strings.ReplaceAll(digits, "_", ""), 10, 64)
			if err != nil || !known || n <= 0 || n > most/unit || n*unit < least {
				return 0, fmt.Sprintf("from %d KiB to %d GiB", least>>10, most>>30), false
			}
			return n * unit, "", true
		},
	}
}
