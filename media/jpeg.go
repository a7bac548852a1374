package media

import (
	"encoding/binary"

	"github.com/postroom/postroom/post"
)

// Markers of a JPEG (ITU T.81 table B.1).
const (
	markerSOI  = 0xd8
	markerEOI  = 0xd9
	markerSOS  = 0xda
	markerAPP0 = 0xe0
	markerAPP1 = 0xe1
	markerAPPF = 0xef
	markerCOM  = 0xfe
)

// A segment is one marker of a JPEG with what follows it.
type segment struct {
	marker byte
	off    int64 // of the marker
	data   int64 // offset of its data
	size   int   // of its data
}

// segments calls fn for each segment before the picture's data, and returns the
// offset of the marker that begins these; 0 when there are none.
func segments(in *input, fn func(segment)) int64 {
	w := &window{in: in}
	for off := int64(2); in.err == nil; {
		head := w.at(off, 4)
		switch {
		case head[0] != 0xff:
			in.fail(errBroken)
			return 0
		case head[1] == 0xff: // fill
			off++
			continue
		case head[1] == markerSOS:
			return off
		case head[1] == markerEOI:
			in.fail(errBroken)
			return 0
		}
		n := int(binary.BigEndian.Uint16(head[2:]))
		if n < 2 {
			in.fail(errBroken)
			return 0
		}
		fn(segment{head[1], off, off + 4, n - 2})
		off += 2 + int64(n)
	}
	return 0
}

// probeJPEG makes sure that the end of a JPEG is there: what is cut off in the
// middle decodes to a picture that is half grey.
func probeJPEG(in *input, _ *post.Pin) {
	off := segments(in, func(segment) {})
	w := &window{in: in}
	for in.err == nil {
		w.at(off, 2)
		// Look for a marker in what the window holds.
		for i := 0; i+1 < len(w.buf); i++ {
			if w.buf[i] == 0xff && w.buf[i+1] == markerEOI {
				return
			}
		}
		off = w.from + int64(len(w.buf)) - 1
		if off <= w.from {
			in.fail(errCut)
		}
		w.buf = nil
	}
}

// orientation returns the way a camera held the picture, from 1 to 8 as Exif has
// it (CIPA DC-008 §4.6.4); 1 when the file does not say.
func orientation(in *input) int {
	found := 1
	segments(in, func(s segment) {
		if s.marker != markerAPP1 || s.size < 14 || found != 1 {
			return
		}
		b := in.upTo(s.data, s.size)
		if len(b) < 14 || string(b[:6]) != "Exif\x00\x00" {
			return
		}
		found = tiffOrientation(b[6:])
	})
	return found
}

// tiffOrientation reads tag 0x0112 of the first directory of a TIFF header.
func tiffOrientation(b []byte) int {
	var order binary.ByteOrder = binary.LittleEndian
	switch string(b[:4]) {
	case "II*\x00":
	case "MM\x00*":
		order = binary.BigEndian
	default:
		return 1
	}
	at := int64(order.Uint32(b[4:]))
	if at < 8 || at+2 > int64(len(b)) {
		return 1
	}
	n := int64(order.Uint16(b[at:]))
	for i := range n {
		entry := at + 2 + 12*i
		if entry+12 > int64(len(b)) {
			return 1
		}
		if order.Uint16(b[entry:]) != 0x0112 {
			continue
		}
		if v := order.Uint16(b[entry+8:]); v >= 1 && v <= 8 {
			return int(v)
		}
		return 1
	}
	return 1
}
