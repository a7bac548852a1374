package report

import (
	"fmt"
	"hash/fnv"
	"strings"
	"unicode/utf8"
)

// longestName is how long a report's name may be, so that its endings still fit
// into what file systems take.
const longestName = 200

// SafeName makes a file's name one that is safe in a folder and on a command
// line: valid UTF-8, no control characters or separators, no leading dot or
// dash, not too long. Names that must change get a hash, so that two of them do
// not become one.
func SafeName(name string) string {
	safe := strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f || strings.ContainsRune(`/\:*?"<>|`, r) || r == utf8.RuneError || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
			return '_'
		}
		return r
	}, name)
	if strings.HasPrefix(safe, ".") || strings.HasPrefix(safe, "-") || safe == "" {
		safe = "_" + safe
	}
	if len(safe) > longestName {
		end := longestName
		for !utf8.RuneStart(safe[end]) {
			end--
		}
		safe = safe[:end]
	}
	if safe == name {
		return name
	}
	h := fnv.New32a()
	h.Write([]byte(name))
	return fmt.Sprintf("%s-%08x", safe, h.Sum32())
}
