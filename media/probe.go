package media

import (
	"bytes"
	"encoding/binary"
	"errors"
	"image"
	"image/color"
	_ "image/gif"  // so that pictures of the kind can be read
	_ "image/jpeg" // the same
	_ "image/png"
	"io"
	"time"

	_ "golang.org/x/image/bmp"
	_ "golang.org/x/image/tiff"
	_ "golang.org/x/image/webp"

	"github.com/postroom/postroom/post"
)

// The types that are told apart.
const (
	typeJPEG = "image/jpeg"
	typePNG  = "image/png"
	typeGIF  = "image/gif"
	typeWebP = "image/webp"
	typeBMP  = "image/bmp"
	typeTIFF = "image/tiff"
	typeAVIF = "image/avif"
	typeHEIC = "image/heic"
	typeMP4  = "video/mp4"
	typeMOV  = "video/quicktime"
	typeWebM = "video/webm"
	typeMKV  = "video/x-matroska"
	typeAVI  = "video/x-msvideo"
)

// mostPixels is how many pixels a picture may have: as many as a good camera
// makes, and few enough to be held in memory once. Those of 16 bits a colour may
// have half as many.
const mostPixels = 64 << 20

var (
	errCut     = &Refusal{Why: "it is cut off: its end is missing"}
	errBroken  = &Refusal{Why: "it is damaged, and cannot be read"}
	errUnknown = &Refusal{Why: "it is no picture or film of a kind that is known (JPEG, PNG, GIF, WebP, BMP, TIFF, MP4, MOV, WebM, MKV, AVI)"}
)

// Probe says what a file of size bytes is, from its content alone: everything of
// the pin but hash and name. It reads headers and no pictures. The error is a
// *[Refusal] when it is nothing that can be published, or not whole; else that of
// r.
func Probe(r io.ReaderAt, size int64) (post.Pin, error) {
	p := post.Pin{Size: size}
	in := &input{r: r, size: size}
	head := in.upTo(0, 64)
	switch {
	case in.err != nil:
		return p, in.err
	case size == 0:
		return p, refuse("it is empty")
	}
	p.Type = kindOf(head)
	switch p.Type {
	case typeJPEG:
		probeJPEG(in, &p)
	case typePNG:
		probePNG(in, &p)
	case typeGIF:
		probeGIF(in, &p)
	case typeWebP:
		probeWebP(in, &p)
	case typeBMP, typeTIFF:
	case typeAVIF, typeHEIC:
		return p, refuse("it is a picture in a format that no platform takes (%s): export it as JPEG", endings[p.Type][1:])
	case typeMP4, typeMOV:
		probeMP4(in, &p)
	case typeWebM, typeMKV:
		probeWebM(in, &p)
	case typeAVI:
		probeAVI(in, &p)
	default:
		return p, unknown(head)
	}
	if in.err != nil {
		return p, in.err
	}
	if p.Film() {
		if p.Width <= 0 || p.Height <= 0 {
			return p, refuse("it has no moving picture in it")
		}
		return p, nil
	}
	return p, in.dimensions(&p)
}

// unknown says what a file is instead, where that helps.
func unknown(head []byte) error {
	text := bytes.ToLower(bytes.TrimSpace(head))
	switch {
	case bytes.HasPrefix(text, []byte("<!doctype html")), bytes.HasPrefix(text, []byte("<html")):
		return refuse("it is a web page and no picture or film: use the address of the file itself")
	case bytes.HasPrefix(text, []byte("<svg")), bytes.HasPrefix(text, []byte("<?xml")):
		return refuse("it is a drawing (SVG), which no platform takes: export it as PNG")
	case bytes.HasPrefix(head, []byte("%PDF")):
		return refuse("it is a PDF: export the page as JPEG")
	}
	return errUnknown
}

// kindOf returns the MIME type that the first bytes of a file tell, "" for none
// that is known.
func kindOf(head []byte) string {
	has := func(at int, magic string) bool {
		return len(head) >= at+len(magic) && string(head[at:at+len(magic)]) == magic
	}
	switch {
	case has(0, "\xff\xd8\xff"):
		return typeJPEG
	case has(0, "\x89PNG\r\n\x1a\n"):
		return typePNG
	case has(0, "GIF87a"), has(0, "GIF89a"):
		return typeGIF
	case has(0, "RIFF") && has(8, "WEBP"):
		return typeWebP
	case has(0, "RIFF") && has(8, "AVI "):
		return typeAVI
	case has(0, "BM") && len(head) > 14:
		return typeBMP
	case has(0, "II*\x00"), has(0, "MM\x00*"):
		return typeTIFF
	case has(0, "\x1aE\xdf\xa3"):
		if bytes.Contains(head, []byte("webm")) {
			return typeWebM
		}
		return typeMKV
	case has(4, "ftyp"):
		return brandOf(head)
	case has(4, "moov"), has(4, "mdat"), has(4, "wide"), has(4, "free"), has(4, "skip"), has(4, "pnot"):
		return typeMOV // of the years before ftyp
	}
	return ""
}

// brandOf tells the kinds that share the boxes of ISO/IEC 14496-12.
func brandOf(head []byte) string {
	if len(head) < 12 {
		return ""
	}
	switch string(head[8:12]) {
	case "qt  ":
		return typeMOV
	case "avif", "avis":
		return typeAVIF
	case "heic", "heix", "hevc", "hevx", "heim", "heis", "mif1", "msf1":
		return typeHEIC
	}
	return typeMP4
}

// An input is read at offsets, within its size. Once something cannot be read,
// err says why, and the rest is zero.
type input struct {
	r    io.ReaderAt
	size int64
	err  error
}

func (in *input) fail(err error) {
	if in.err == nil {
		in.err = err
	}
}

// at returns n bytes from off; short files are cut off.
func (in *input) at(off int64, n int) []byte {
	b := in.upTo(off, n)
	if len(b) < n {
		in.fail(errCut)
		return make([]byte, n)
	}
	return b
}

// upTo returns at most n bytes from off.
func (in *input) upTo(off int64, n int) []byte {
	if in.err != nil || off < 0 || off >= in.size {
		return nil
	}
	b := make([]byte, min(int64(n), in.size-off))
	got, err := in.r.ReadAt(b, off)
	if err != nil && !errors.Is(err, io.EOF) {
		in.fail(err)
		return nil
	}
	return b[:got]
}

// dimensions reads those of a picture and bounds them.
func (in *input) dimensions(p *post.Pin) error {
	c, format, err := image.DecodeConfig(io.NewSectionReader(in.r, 0, in.size))
	if err != nil || "image/"+format != p.Type || c.Width <= 0 || c.Height <= 0 {
		return errBroken
	}
	most := int64(mostPixels)
	switch c.ColorModel {
	case color.RGBA64Model, color.NRGBA64Model, color.Gray16Model:
		most /= 2
	}
	if int64(c.Width)*int64(c.Height) > most {
		return refuse("it has %d × %d pixels, more than can be worked on (%d million): make it smaller", c.Width, c.Height, most>>20)
	}
	p.Width, p.Height = c.Width, c.Height
	if p.Type == typeJPEG && orientation(in) >= 5 {
		p.Width, p.Height = p.Height, p.Width
	}
	return nil
}

// probeGIF walks the blocks of a GIF: how many pictures it has, for how long, and
// whether its end is there.
func probeGIF(in *input, p *post.Pin) {
	head := in.at(0, 13)
	off := int64(13)
	if head[10]&0x80 != 0 {
		off += 3 << (head[10]&7 + 1)
	}
	w := &window{in: in}
	frames, delay := 0, 0
	for in.err == nil {
		switch b := w.at(off, 1)[0]; b {
		case 0x3b:
			p.Animated = frames > 1
			if p.Animated {
				p.Duration = time.Duration(delay) * 10 * time.Millisecond
			}
			if frames == 0 {
				in.fail(errBroken)
			}
			return
		case 0x21:
			if w.at(off+1, 1)[0] == 0xf9 {
				delay += int(binary.LittleEndian.Uint16(w.at(off+4, 2)))
			}
			off = w.blocks(off + 2)
		case 0x2c:
			frames++
			flags := w.at(off+9, 1)[0]
			off += 10
			if flags&0x80 != 0 {
				off += 3 << (flags&7 + 1)
			}
			off = w.blocks(off + 1)
		default:
			in.fail(errBroken)
		}
	}
}

// blocks skips data blocks of a GIF up to and with the empty one.
func (w *window) blocks(off int64) int64 {
	for w.in.err == nil {
		n := int64(w.at(off, 1)[0])
		off += 1 + n
		if n == 0 {
			break
		}
	}
	return off
}

// A window reads small pieces of an input one after the other, in large ones.
type window struct {
	in   *input
	from int64
	buf  []byte
}

func (w *window) at(off int64, n int) []byte {
	if at := off - w.from; at >= 0 && at+int64(n) <= int64(len(w.buf)) {
		return w.buf[at : at+int64(n)]
	}
	w.from, w.buf = off, w.in.upTo(off, max(n, 64<<10))
	if len(w.buf) < n {
		w.in.fail(errCut)
		return make([]byte, n)
	}
	return w.buf[:n]
}

// probePNG walks the chunks of a PNG to its end.
func probePNG(in *input, p *post.Pin) {
	w := &window{in: in}
	for off := int64(8); in.err == nil; {
		head := w.at(off, 8)
		switch string(head[4:]) {
		case "acTL":
			p.Animated = binary.BigEndian.Uint32(w.at(off+8, 4)) > 1
		case "IEND":
			return
		}
		off += 12 + int64(binary.BigEndian.Uint32(head))
	}
}

// probeWebP reads whether a WebP moves, and whether its end is there.
func probeWebP(in *input, p *post.Pin) {
	head := in.at(0, 21)
	if 8+int64(binary.LittleEndian.Uint32(head[4:])) > in.size+1 { // the last byte pads
		in.fail(errCut)
	}
	p.Animated = string(head[12:16]) == "VP8X" && head[20]&2 != 0
}

// probeAVI reads the main header of an AVI, which stands at its beginning.
func probeAVI(in *input, p *post.Pin) {
	head := in.at(0, 32+56)
	if string(head[12:16]) != "LIST" || string(head[20:28]) != "hdrlavih" {
		in.fail(errBroken)
		return
	}
	if 8+int64(binary.LittleEndian.Uint32(head[4:])) > in.size+1 {
		in.fail(errCut)
		return
	}
	word := func(at int) int64 { return int64(binary.LittleEndian.Uint32(head[32+at:])) }
	p.Duration = time.Duration(word(0)*word(16)) * time.Microsecond
	p.Width, p.Height = int(word(32)), int(word(36))
	bound(p)
}

// bound takes out what no film has.
func bound(p *post.Pin) {
	const mostSide, mostLength = 1 << 16, 1000 * time.Hour
	if p.Width < 0 || p.Width > mostSide || p.Height < 0 || p.Height > mostSide {
		p.Width, p.Height = 0, 0
	}
	if p.Duration < 0 || p.Duration > mostLength {
		p.Duration = 0
	}
}
