package inbox

import (
	"crypto/sha256"
	"encoding/hex"
	"path"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// markExt makes an end mark out of a file's name.
	markExt = ".done"
	// whyExt makes out of a held file's name that of the reason beside it.
	whyExt = ".why.txt"
	// tmpFolder is where writers write before they move.
	tmpFolder = "tmp"
	// defaultsName is the settings of a folder, which the handler reads.
	defaultsName = "defaults.yaml"
	// mostName is how many bytes a name may have on all common file systems.
	mostName = 255
)

// passing are the names that programs give to files that are not meant to last
// (RELIABILITY §1.4), in lower case. Those with a leading dot are not listed.
var passing = []string{
	"~$*.xlsx", "*.part", "*.partial", "*.filepart", "*.crdownload", "*.tmp", "*.swp", "4913", "*~",
	"~syncthing~*", "*.sync-conflict-*", "thumbs.db", "desktop.ini", defaultsName,
}

// ignored reports whether a name says that a file or folder is none of ours. It
// and [Config.Beside] are the only reasons for which something in the inbox is
// passed over silently.
func ignored(name string) bool {
	if strings.HasPrefix(name, ".") {
		return true
	}
	name = strings.ToLower(name)
	for _, p := range passing {
		if ok, _ := path.Match(p, name); ok {
			return true
		}
	}
	return false
}

// nameFor returns the n-th name, from 0, under which to file an original called
// name, with room for spare more bytes. The 0th is the name as it is, unless that
// would be unsafe on a terminal or too long. All others have a hash of key and n
// before the extension.
func nameFor(name, key string, spare, n int) string {
	clean := printable(name)
	if n == 0 && clean == name && len(name)+spare <= mostName {
		return name
	}
	sum := sha256.Sum256([]byte(key + "\x00" + strconv.Itoa(n)))
	ext := path.Ext(clean)
	if len(ext) > 32 {
		ext = "" // a dot in a sentence, not an extension
	}
	suffix := "-" + hex.EncodeToString(sum[:4]) + ext
	return cut(strings.TrimSuffix(clean, ext), mostName-spare-len(suffix)) + suffix
}

// cut shortens s to at most most bytes, between two characters.
func cut(s string, most int) string {
	if len(s) <= most {
		return s
	}
	for most > 0 && !utf8.RuneStart(s[most]) {
		most--
	}
	return s[:most]
}

// printable replaces what a terminal would obey instead of show, and bytes that
// are not UTF-8.
func printable(name string) string {
	return strings.Map(func(r rune) rune {
		if r == utf8.RuneError || unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029' {
			return '_'
		}
		return r
	}, name)
}
