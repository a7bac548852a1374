package media

import (
	"encoding/binary"
	"math"
	"time"

	"github.com/postroom/postroom/post"
)

// mostBoxes bounds how many boxes or elements of one film are looked at.
const mostBoxes = 20_000

// A walker goes through the nested boxes of an MP4 or the elements of a WebM.
type walker struct {
	in   *input
	pin  *post.Pin
	left int // boxes that may still be looked at

	scale, length uint64 // of the whole film: units a second, and units
	moov          bool
	track         track
}

// A track is one of a film, as far as it was read.
type track struct {
	video         bool
	width, height int
	rate          float64 // pictures a second; 0 for not known

	scale, length uint64 // units a second, and units, of an MP4's
	pictures      uint32
}

// probeMP4 reads length, dimensions and frame rate of a film out of its moov box (ISO/IEC
// 14496-12). That is all that is needed of it, and a handful of fixed fields, so
// no library is.
func probeMP4(in *input, p *post.Pin) {
	w := &walker{in: in, pin: p, left: mostBoxes}
	w.boxes(0, in.size, 0)
	if in.err != nil {
		return
	}
	if !w.moov {
		in.fail(errCut)
		return
	}
	if w.scale > 0 && w.length < math.MaxUint64>>1 {
		p.Duration = seconds(float64(w.length) / float64(w.scale))
	}
	bound(p)
}

// seconds returns a length, 0 for one that cannot be.
func seconds(s float64) time.Duration {
	if !(s > 0 && s < 1e7) {
		return 0
	}
	return time.Duration(s * float64(time.Second)).Round(time.Millisecond)
}

// boxes goes through the boxes between two offsets.
func (w *walker) boxes(from, end int64, depth int) {
	for off := from; off+8 <= end && w.in.err == nil; {
		if w.left--; w.left < 0 || depth > 6 {
			w.in.fail(errBroken)
			return
		}
		head := w.in.at(off, 8)
		size, data := int64(binary.BigEndian.Uint32(head)), off+8
		switch size {
		case 0:
			size = end - off
		case 1:
			size, data = int64(binary.BigEndian.Uint64(w.in.at(off+8, 8))), off+16
		}
		switch {
		case w.in.err != nil:
			return
		case size < data-off:
			if depth == 0 && w.moov {
				return // what follows the film is no box
			}
			w.in.fail(errBroken)
			return
		case size > end-off:
			if depth == 0 {
				w.in.fail(errCut)
			} else {
				w.in.fail(errBroken)
			}
			return
		}
		w.box(string(head[4:8]), data, off+size, depth)
		off += size
	}
}

func (w *walker) box(kind string, data, end int64, depth int) {
	switch kind {
	case "moov":
		w.moov = true
		w.boxes(data, end, depth+1)
	case "mdia", "mvex", "minf", "stbl":
		w.boxes(data, end, depth+1)
	case "trak":
		w.track = track{}
		w.boxes(data, end, depth+1)
		if t := &w.track; t.length > 0 {
			t.rate = float64(t.pictures) * float64(t.scale) / float64(t.length)
		}
		w.end()
	case "mdhd":
		w.track.scale, w.track.length = w.clock(data, end)
	case "stsz": // one in a film in fragments counts none
		if end-data >= 12 {
			w.track.pictures = binary.BigEndian.Uint32(w.in.at(data+8, 4))
		}
	case "mvhd":
		w.scale, w.length = w.clock(data, end)
	case "mehd": // of a film in fragments, whose mvhd has no length
		if w.length == 0 && end-data >= 8 {
			if w.in.at(data, 1)[0] == 1 && end-data >= 12 {
				w.length = binary.BigEndian.Uint64(w.in.at(data+4, 8))
			} else {
				w.length = uint64(binary.BigEndian.Uint32(w.in.at(data+4, 4)))
			}
		}
	case "hdlr":
		if end-data >= 12 {
			w.track.video = w.track.video || string(w.in.at(data+8, 4)) == "vide"
		}
	case "tkhd":
		w.seen(data, end)
	}
}

// end takes what is to be known of the largest track of pictures.
func (w *walker) end() {
	t := &w.track
	if !t.video || t.width*t.height <= w.pin.Width*w.pin.Height {
		return
	}
	w.pin.Width, w.pin.Height, w.pin.Rate = t.width, t.height, 0
	if t.rate > 0 && t.rate < mostRate {
		w.pin.Rate = math.Round(t.rate*1000) / 1000
	}
}

// mostRate is more pictures a second than any film has.
const mostRate = 10_000

// clock reads units a second, and units, of an mvhd or mdhd box.
func (w *walker) clock(data, end int64) (scale, length uint64) {
	if end-data < 20 {
		return 0, 0
	}
	if w.in.at(data, 1)[0] == 1 {
		if end-data < 32 {
			return 0, 0
		}
		b := w.in.at(data+20, 12)
		return uint64(binary.BigEndian.Uint32(b)), binary.BigEndian.Uint64(b[4:])
	}
	b := w.in.at(data+12, 8)
	scale, length = uint64(binary.BigEndian.Uint32(b)), uint64(binary.BigEndian.Uint32(b[4:]))
	if length == math.MaxUint32 { // not known
		length = 0
	}
	return scale, length
}

// seen reads the size at which a track is shown, turned as its matrix says, of a
// tkhd box.
func (w *walker) seen(data, end int64) {
	at := int64(40) // of the matrix
	if end-data < 84 {
		return
	}
	if w.in.at(data, 1)[0] == 1 {
		if at = 52; end-data < 96 {
			return
		}
	}
	b := w.in.at(data+at, 44)
	a, d := binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[16:])
	w.track.width, w.track.height = int(binary.BigEndian.Uint32(b[36:])>>16), int(binary.BigEndian.Uint32(b[40:])>>16)
	if a == 0 && d == 0 { // a quarter turn
		w.track.width, w.track.height = w.track.height, w.track.width
	}
}

// Elements of a WebM or MKV (RFC 9559).
const (
	elementSegment  = 0x18538067
	elementInfo     = 0x1549a966
	elementScale    = 0x2ad7b1
	elementDuration = 0x4489
	elementTracks   = 0x1654ae6b
	elementEntry    = 0xae
	elementKind     = 0x83
	elementPicture  = 0x23e383 // how long one is shown, in nanoseconds
	elementVideo    = 0xe0
	elementWidth    = 0xb0
	elementHeight   = 0xba
	elementCluster  = 0x1f43b675
)

// unsized is the size of an element that ends where another begins.
const unsized = -1

// probeWebM reads length, dimensions and frame rate of a film out of its Info and Tracks. One
// that was recorded live does not say how long it is.
func probeWebM(in *input, p *post.Pin) {
	w := &walker{in: in, pin: p, left: mostBoxes, scale: 1_000_000}
	var duration float64
	w.elements(0, in.size, 0, &duration)
	p.Duration = seconds(duration * float64(w.scale) / 1e9)
	bound(p)
}

func (w *walker) elements(from, end int64, depth int, duration *float64) {
	for off := from; off < end && w.in.err == nil; {
		if w.left--; w.left < 0 || depth > 4 {
			w.in.fail(errBroken)
			return
		}
		id, n := w.vint(off, 4, false)
		size, m := w.vint(off+n, 8, true)
		data := off + n + m
		if w.in.err != nil {
			return
		}
		next := data + size
		switch {
		case size == unsized && id == elementCluster:
			return // the picture begins: what is wanted stands before it
		case size == unsized:
			next = end
		case size > end-data:
			if depth <= 1 {
				w.in.fail(errCut)
			} else {
				w.in.fail(errBroken)
			}
			return
		}
		w.element(id, data, next, depth, duration)
		off = next
	}
}

func (w *walker) element(id, data, end int64, depth int, duration *float64) {
	n := int(min(end-data, 8))
	number := func() (v uint64) {
		for _, b := range w.in.at(data, n) {
			v = v<<8 | uint64(b)
		}
		return v
	}
	switch id {
	case elementSegment, elementInfo, elementTracks, elementVideo:
		w.elements(data, end, depth+1, duration)
	case elementEntry:
		w.track = track{}
		w.elements(data, end, depth+1, duration)
		w.end()
	case elementPicture:
		if ns := number(); ns > 0 {
			w.track.rate = 1e9 / float64(ns)
		}
	case elementScale:
		w.scale = number()
	case elementDuration:
		switch n {
		case 4:
			*duration = float64(math.Float32frombits(uint32(number())))
		case 8:
			*duration = math.Float64frombits(number())
		}
	case elementKind:
		w.track.video = number() == 1
	case elementWidth:
		w.track.width = int(min(number(), 1<<16))
	case elementHeight:
		w.track.height = int(min(number(), 1<<16))
	}
}

// vint reads a number of variable length of at most `most` bytes: with its length
// marker for an id, without it for a size.
func (w *walker) vint(off int64, most int, size bool) (v, n int64) {
	b := w.in.upTo(off, most)
	if len(b) == 0 {
		w.in.fail(errCut)
		return 0, 1
	}
	length, mask := 1, byte(0x80)
	for length <= most && b[0]&mask == 0 {
		length++
		mask >>= 1
	}
	if length > most || length > len(b) {
		w.in.fail(errBroken)
		return 0, 1
	}
	first := b[0]
	if size {
		first &^= mask
	}
	v = int64(first)
	ones := size && first == mask-1
	for _, c := range b[1:length] {
		v = v<<8 | int64(c)
		ones = ones && c == 0xff
	}
	if ones {
		v = unsized
	}
	return v, int64(length)
}
