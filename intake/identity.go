package intake

import (
	"encoding/binary"
	"math/bits"
	"runtime"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/cespare/xxhash/v2"
	"golang.org/x/text/unicode/norm"

	"github.com/postroom/postroom/internal/radix"
	"github.com/postroom/postroom/post"
)

// An identity is what tells a row from all others (DESIGN §6, INGEST §4.2).
// All three are 64-bit hashes that are stored: a change here makes every
// calendar look new, and posts would go out twice.
type identity struct {
	key     uint64 // of the row within its lineage, whatever its date
	version uint64 // of all that the row says
	twin    uint64 // of the same words on the same connections at the same time, in whatever file
}

// A hasher computes identities; its buffer is reused.
type hasher struct {
	account post.AccountID
	buf     []byte
}

// identify returns the identity of a draft before repeats are told apart. named
// says that the key comes from the row's own id.
func (h *hasher) identify(d *post.Draft) (id identity, named bool) {
	b := h.buf[:0]
	b = field(b, string(h.account))
	for _, c := range d.Connections {
		b = field(b, string(c))
	}
	b = append(b, 1) // the connections end here
	words := len(b)
	b = appendWords(b, &d.Content)
	content := xxhash.Sum64(b)

	b = binary.BigEndian.AppendUint64(b, uint64(unix(d.At)))
	id.twin = xxhash.Sum64(b)

	// The version has every character as written, and the key does not.
	b = b[:words]
	b = field(b, d.Text)
	b = field(b, d.Title)
	b = field(b, d.Link)
	b = field(b, d.FirstComment)
	for _, l := range d.Labels {
		b = field(b, l)
	}
	for _, m := range d.Media {
		b = field(field(append(b, 2), m.URL), m.Alt)
	}
	b = field(b, string(d.Settings))
	b = appendVariants(b, d.Variants, false)
	b = binary.BigEndian.AppendUint64(b, uint64(unix(d.At)))
	b = append(b, byte(d.Status))
	id.version = xxhash.Sum64(b)

	if d.ExternalID != "" {
		b = field(field(b[:0], string(h.account)), d.ExternalID)
		id.key, named = xxhash.Sum64(b), true
	} else {
		id.key = content
	}
	if d.Occurrence != "" && !named { // a row that repeats says the same each time
		b = field(binary.BigEndian.AppendUint64(b[:0], content), d.Occurrence)
		id.key = xxhash.Sum64(b)
	}
	h.buf = b
	return id, named
}

// wordsOf hashes what people would call the same text.
func wordsOf(c *post.Content) uint64 { return xxhash.Sum64(appendWords(nil, c)) }

// field appends s with its length, so that no two lists of fields look alike.
func field(b []byte, s string) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

// appendWords appends what people would call the same post: the normalised
// texts and the media.
func appendWords(b []byte, c *post.Content) []byte {
	b = appendNormal(b, c.Text)
	for _, m := range c.Media {
		b = field(append(b, 2), m.URL)
	}
	return appendVariants(b, c.Variants, true)
}

func appendVariants(b []byte, vs map[post.Platform]string, normal bool) []byte {
	if len(vs) == 0 {
		return b
	}
	names := make([]post.Platform, 0, len(vs))
	for p := range vs {
		names = append(names, p)
	}
	slices.Sort(names)
	for _, p := range names {
		b = field(append(b, 3), string(p))
		if normal {
			b = appendNormal(b, vs[p])
		} else {
			b = field(b, vs[p])
		}
	}
	return b
}

// appendNormal appends s in composed form (NFC) with each run of white space as
// one blank and none at the ends, so that an editor's touch does not make a post
// a new one.
func appendNormal(b []byte, s string) []byte {
	from := len(b)
	if b = append(b, s...); isNormal(b[from:]) {
		return append(b, 0)
	}
	b = b[:from]
	if !norm.NFC.IsNormalString(s) {
		s = norm.NFC.String(s)
	}
	gap, some := false, false
	for i := 0; i < len(s); {
		c := s[i]
		if c < 0x80 {
			i++
			if c == ' ' || c >= '\t' && c <= '\r' {
				gap = some
				continue
			}
			if gap {
				b, gap = append(b, ' '), false
			}
			b, some = append(b, c), true
			continue
		}
		// Take what is not ASCII whole: only its blanks are looked for.
		end := i
		for end < len(s) && s[end] >= 0x80 {
			end++
		}
		run := s[i:end]
		i = end
		if strings.IndexFunc(run, unicode.IsSpace) < 0 {
			if gap {
				b, gap = append(b, ' '), false
			}
			b, some = append(b, run...), true
			continue
		}
		for _, r := range run {
			if unicode.IsSpace(r) {
				gap = some
				continue
			}
			if gap {
				b, gap = append(b, ' '), false
			}
			b, some = append(b, string(r)...), true
		}
	}
	return append(b, 0)
}

// isNormal reports whether a text is surely as appendNormal leaves it. It knows what
// posts are mostly made of, and may say no where it is so: it looks at eight bytes
// at a time, which tables of composed forms do not.
func isNormal(text []byte) bool {
	if len(text) == 0 {
		return true
	}
	if text[0] == ' ' || text[len(text)-1] == ' ' {
		return false
	}
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	const lows = ^uint64(highs)
	blank := uint64(0) // 0x80 behind one
	for len(text) > 0 {
		if len(text) >= 8 {
			x := binary.LittleEndian.Uint64(text)
			y := x ^ ' '*ones
			blanks := ^(y&lows + lows | y | lows) // the high bit of each
			if blanks&(blanks<<8|blank) != 0 {
				return false
			}
			found := ((x - ' '*ones) | x) & highs // below a blank, or not ASCII: the first is right
			if found == 0 {
				blank, text = blanks>>56, text[8:]
				continue
			}
			blank, text = 0, text[bits.TrailingZeros64(found)/8:]
		}
		switch c := text[0]; {
		case c == ' ' && blank != 0:
			return false
		case c == ' ':
			blank, text = 0x80, text[1:]
			continue
		case c > ' ' && c < utf8.RuneSelf:
			blank, text = 0, text[1:]
			continue
		case c < ' ':
			return false
		}
		r, size := utf8.DecodeRune(text)
		switch {
		case r >= '\u00c0' && r < '\u0300': // letters with accents, all composed
		case r >= '\u2010' && r <= '\u2026': // dashes, quotes, bullets
		case r >= '\u2600' && r <= '\u27bf', r == '\ufe0f', r >= '\U0001f000' && r <= '\U0001ffff': // emoji
		default:
			return false
		}
		blank, text = 0, text[size:]
	}
	return true
}

// nth gives the hash of the n-th repeat, from 0, of what hashes to h.
func nth(h uint64, n uint32) uint64 {
	if n == 0 {
		return h
	}
	var b [12]byte
	binary.BigEndian.PutUint64(b[:8], h)
	binary.BigEndian.PutUint32(b[8:], n)
	return xxhash.Sum64(b[:])
}

// sorted returns hashes with their rows, counted from 0, by hash and then by row.
func sorted(n int, hash func(row int) (uint64, bool)) []radix.Ref {
	// By the first bits first, so that each processor sorts some of them.
	var ends [1 << 8]int
	for i := range n {
		if h, ok := hash(i); ok {
			ends[h>>56]++
		}
	}
	at := ends
	for i := 1; i < len(ends); i++ {
		at[i], ends[i] = ends[i-1], ends[i-1]+ends[i]
	}
	at[0] = 0
	starts, refs := at, make([]radix.Ref, ends[len(ends)-1])
	for i := range n {
		if h, ok := hash(i); ok {
			refs[at[h>>56]] = radix.Ref{Hash: h, Row: uint32(i)}
			at[h>>56]++
		}
	}
	var sorting sync.WaitGroup
	workers := runtime.GOMAXPROCS(0)
	for w := range workers {
		sorting.Go(func() {
			var scratch []radix.Ref
			for i := w; i < len(ends); i += workers {
				part := refs[starts[i]:ends[i]]
				scratch = slices.Grow(scratch[:0], len(part))
				radix.SortHashes(part, scratch[:cap(scratch)])
			}
		})
	}
	sorting.Wait()
	return refs
}

// tellApart gives the repeats among refs, which are sorted, hashes of their own, in
// row order, and calls set for each. It reports whether there are any.
func tellApart(refs []radix.Ref, set func(row int, hash uint64, first int)) (any bool) {
	for i := 0; i < len(refs); {
		first := refs[i]
		n := i + 1
		for ; n < len(refs) && refs[n].Hash == first.Hash; n++ {
			set(int(refs[n].Row), nth(first.Hash, uint32(n-i)), int(first.Row))
			any = true
		}
		i = n
	}
	return any
}

// hashes returns the hashes alone.
func hashes(refs []radix.Ref) []uint64 {
	hs := make([]uint64, len(refs))
	for i := range refs {
		hs[i] = refs[i].Hash
	}
	return hs
}
