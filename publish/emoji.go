package publish

import (
	"unicode"
	"unicode/utf8"
)

// pictographs are the code points that begin an emoji, from U+203C on
// (Extended_Pictographic in emoji-data.txt 16.0, with the keycaps, flags and
// the © and ® that isEmoji treats by themselves left out).
var pictographs = &unicode.RangeTable{
	R16: []unicode.Range16{
		{0x203C, 0x203C, 1}, {0x2049, 0x2049, 1}, {0x2122, 0x2122, 1}, {0x2139, 0x2139, 1},
		{0x2194, 0x2199, 1}, {0x21A9, 0x21AA, 1}, {0x231A, 0x231B, 1}, {0x2328, 0x2328, 1},
		{0x2388, 0x2388, 1}, {0x23CF, 0x23CF, 1}, {0x23E9, 0x23F3, 1}, {0x23F8, 0x23FA, 1},
		{0x24C2, 0x24C2, 1}, {0x25AA, 0x25AB, 1}, {0x25B6, 0x25B6, 1}, {0x25C0, 0x25C0, 1},
		{0x25FB, 0x25FE, 1}, {0x2600, 0x2605, 1}, {0x2607, 0x2612, 1}, {0x2614, 0x2685, 1},
		{0x2690, 0x2705, 1}, {0x2708, 0x2712, 1}, {0x2714, 0x2714, 1}, {0x2716, 0x2716, 1},
		{0x271D, 0x271D, 1}, {0x2721, 0x2721, 1}, {0x2728, 0x2728, 1}, {0x2733, 0x2734, 1},
		{0x2744, 0x2744, 1}, {0x2747, 0x2747, 1}, {0x274C, 0x274C, 1}, {0x274E, 0x274E, 1},
		{0x2753, 0x2755, 1}, {0x2757, 0x2757, 1}, {0x2763, 0x2767, 1}, {0x2795, 0x2797, 1},
		{0x27A1, 0x27A1, 1}, {0x27B0, 0x27B0, 1}, {0x27BF, 0x27BF, 1}, {0x2934, 0x2935, 1},
		{0x2B05, 0x2B07, 1}, {0x2B1B, 0x2B1C, 1}, {0x2B50, 0x2B50, 1}, {0x2B55, 0x2B55, 1},
		{0x3030, 0x3030, 1}, {0x303D, 0x303D, 1}, {0x3297, 0x3297, 1}, {0x3299, 0x3299, 1},
	},
	R32: []unicode.Range32{{0x1F000, 0x1F1E5, 1}, {0x1F200, 0x1FAFF, 1}, {0x1FC00, 0x1FFFD, 1}},
}

const (
	emojiStyle = '\uFE0F' // variation selector 16
	keycap     = '\u20E3'
)

// isEmoji reports whether a grapheme cluster is shown as one emoji: a
// pictograph with whatever joins it, a flag, a keycap, or © or ® in emoji style.
func isEmoji(cluster string) bool {
	first, n := utf8.DecodeRuneInString(cluster)
	rest := cluster[n:]
	switch {
	case first < utf8.RuneSelf && rest == "":
		return false
	case first >= '0' && first <= '9', first == '#', first == '*':
		last, _ := utf8.DecodeLastRuneInString(rest)
		return last == keycap
	case first == '©', first == '®':
		next, _ := utf8.DecodeRuneInString(rest)
		return next == emojiStyle
	case first >= 0x1F1E6 && first <= 0x1F1FF:
		return rest != ""
	}
	return unicode.Is(pictographs, first)
}
