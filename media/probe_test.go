package media

import (
	"bytes"
	"encoding/binary"
	"errors"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom/post"
)

// picture is a gradient: something that a JPEG does not make tiny.
func picture(w, h int) *image.NRGBA {
	m := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			m.SetNRGBA(x, y, color.NRGBA{uint8(x * 7), uint8(y * 5), uint8(x ^ y), 255})
		}
	}
	return m
}

func pngOf(t interface {
	Helper()
	Fatal(...any)
}, m image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func jpegOf(t testing.TB, m image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func gifOf(t testing.TB, frames int) []byte {
	t.Helper()
	g := &gif.GIF{}
	for i := range frames {
		m := image.NewPaletted(image.Rect(0, 0, 8, 6), color.Palette{color.Black, color.White})
		m.SetColorIndex(i, 0, 1)
		g.Image, g.Delay = append(g.Image, m), append(g.Delay, 50)
	}
	var b bytes.Buffer
	if err := gif.EncodeAll(&b, g); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// withExif puts an Exif segment with an orientation, and a place, into a JPEG.
func withExif(jpg []byte, orientation byte) []byte {
	tiff := []byte("MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00")
	tiff = append(tiff, orientation, 0, 0, 0, 0, 0, 0)
	data := append([]byte("Exif\x00\x00"), tiff...)
	data = append(data, "GPS 52.5200 N"...)
	seg := append([]byte{0xff, markerAPP1, 0, byte(len(data) + 2)}, data...)
	return append(append(bytes.Clone(jpg[:2]), seg...), jpg[2:]...)
}

// box is one of an MP4.
func box(kind string, data ...[]byte) []byte {
	body := bytes.Join(data, nil)
	return append(append(binary.BigEndian.AppendUint32(nil, uint32(8+len(body))), kind...), body...)
}

func words32(vs ...uint32) (b []byte) {
	for _, v := range vs {
		b = binary.BigEndian.AppendUint32(b, v)
	}
	return b
}

// film is an MP4 without a picture in it: what Probe reads, and some bytes.
func film(brand string, ms, w, h uint32, turned bool) []byte {
	matrix := words32(1<<16, 0, 0, 0, 1<<16, 0, 0, 0, 1<<30)
	if turned {
		matrix = words32(0, 1<<16, 0, 0xffff0000, 0, 0, 0, 0, 1<<30)
	}
	tkhd := bytes.Join([][]byte{make([]byte, 40), matrix, words32(w<<16, h<<16)}, nil)
	trak := box("trak", box("tkhd", tkhd), box("mdia",
		box("mdhd", words32(0, 0, 0, 30_000, ms*30)), box("hdlr", words32(0, 0), []byte("vide"), make([]byte, 12)),
		box("minf", box("stbl", box("stsz", words32(0, 0, ms*30/1001))))))
	mvhd := box("mvhd", words32(0, 0, 0, 1000, ms), make([]byte, 80))
	return bytes.Join([][]byte{box("ftyp", []byte(brand), words32(0)), box("moov", mvhd, trak), box("mdat", make([]byte, 64))}, nil)
}

// element is one of a WebM, with a size of two bytes.
func element(id uint32, data ...[]byte) []byte {
	body := bytes.Join(data, nil)
	b := bytes.TrimLeft(binary.BigEndian.AppendUint32(nil, id), "\x00")
	return append(append(b, 0x40|byte(len(body)>>8), byte(len(body))), body...)
}

func webm(ms float64, w, h byte) []byte {
	head := element(0x1a45dfa3, element(0x4282, []byte("webm")))
	duration := binary.BigEndian.AppendUint64(nil, math.Float64bits(ms))
	return append(head, element(elementSegment,
		element(elementInfo, element(elementScale, []byte{0x0f, 0x42, 0x40}), element(elementDuration, duration)),
		element(elementTracks, element(elementEntry, element(elementKind, []byte{1}), element(elementPicture, []byte{0x02, 0x62, 0x5a, 0x00}), element(elementVideo, element(elementWidth, []byte{1, w}), element(elementHeight, []byte{h})))),
		element(elementCluster, make([]byte, 100)),
	)...)
}

func avi(frames, w, h uint32) []byte {
	le := func(vs ...uint32) (b []byte) {
		for _, v := range vs {
			b = binary.LittleEndian.AppendUint32(b, v)
		}
		return b
	}
	avih := le(40_000, 0, 0, 0, frames, 0, 1, 0, w, h, 0, 0, 0, 0)
	body := bytes.Join([][]byte{[]byte("AVI LIST"), le(68), []byte("hdrlavih"), le(56), avih}, nil)
	return append(append([]byte("RIFF"), le(uint32(len(body)))...), body...)
}

func probed(b []byte) (post.Pin, error) { return Probe(bytes.NewReader(b), int64(len(b))) }

func TestProbeSaysWhatAFileIs(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		file []byte
		want post.Pin
	}{
		"JPEG":                    {jpegOf(t, picture(30, 20)), post.Pin{Type: typeJPEG, Width: 30, Height: 20}},
		"JPEG turned by a camera": {withExif(jpegOf(t, picture(30, 20)), 6), post.Pin{Type: typeJPEG, Width: 20, Height: 30}},
		"JPEG upside down":        {withExif(jpegOf(t, picture(30, 20)), 3), post.Pin{Type: typeJPEG, Width: 30, Height: 20}},
		"JPEG with a film after":  {append(jpegOf(t, picture(30, 20)), "more"...), post.Pin{Type: typeJPEG, Width: 30, Height: 20}},
		"PNG":                     {pngOf(t, picture(3, 2)), post.Pin{Type: typePNG, Width: 3, Height: 2}},
		"GIF that is still":       {gifOf(t, 1), post.Pin{Type: typeGIF, Width: 8, Height: 6}},
		"GIF that moves":          {gifOf(t, 3), post.Pin{Type: typeGIF, Width: 8, Height: 6, Animated: true, Duration: 1500 * time.Millisecond}},
		"MP4":                     {film("isom", 12_500, 1920, 1080, false), post.Pin{Type: typeMP4, Width: 1920, Height: 1080, Duration: 12_500 * time.Millisecond, Rate: 29.92}},
		"MP4 held upright":        {film("mp42", 1000, 1920, 1080, true), post.Pin{Type: typeMP4, Width: 1080, Height: 1920, Duration: time.Second, Rate: 29}},
		"MOV":                     {film("qt  ", 1000, 640, 480, false), post.Pin{Type: typeMOV, Width: 640, Height: 480, Duration: time.Second, Rate: 29}},
		"WebM":                    {webm(2500, 64, 240), post.Pin{Type: typeWebM, Width: 320, Height: 240, Duration: 2500 * time.Millisecond, Rate: 25}},
		"AVI":                     {avi(50, 320, 200), post.Pin{Type: typeAVI, Width: 320, Height: 200, Duration: 2 * time.Second}},
	} {
		got, err := probed(tt.file)
		tt.want.Size = int64(len(tt.file))
		if err != nil || got != tt.want {
			t.Errorf("%s: got %+v, %v\nwant %+v", name, got, err, tt.want)
		}
	}
}

func TestProbeRefusesWhatCannotBePublished(t *testing.T) {
	t.Parallel()
	huge := pngOf(t, picture(3, 2))
	binary.BigEndian.PutUint32(huge[16:], 60_000) // width and height of a bomb, with the checksum it needs
	binary.BigEndian.PutUint32(huge[20:], 60_000)
	binary.BigEndian.PutUint32(huge[29:], crc(huge[12:29]))
	half := func(b []byte) []byte { return b[:len(b)*2/3] }
	for name, tt := range map[string]struct {
		file []byte
		want string
	}{
		"nothing":             {nil, "it is empty"},
		"text":                {[]byte("hello"), "no picture or film"},
		"a web page":          {[]byte("\n<!DOCTYPE html><title>Log in</title>"), "web page"},
		"SVG":                 {[]byte("<svg xmlns='http://www.w3.org/2000/svg'/>"), "export it as PNG"},
		"PDF":                 {[]byte("%PDF-1.7"), "export the page as JPEG"},
		"HEIC":                {box("ftyp", []byte("heic"), words32(0)), "export it as JPEG"},
		"a bomb":              {huge, "60000 × 60000 pixels"},
		"half a JPEG":         {half(jpegOf(t, picture(300, 200))), "cut off"},
		"half a PNG":          {half(pngOf(t, picture(300, 200))), "cut off"},
		"half a GIF":          {half(gifOf(t, 5)), "cut off"},
		"half an MP4":         {film("isom", 1, 640, 480, false)[:300], "cut off"},
		"an MP4 without moov": {append(box("ftyp", []byte("isom"), words32(0)), box("mdat", make([]byte, 9))...), "cut off"},
		"sound alone":         {film("isom", 1000, 0, 0, false), "no moving picture"},
		"half a WebM":         {webm(1, 64, 240)[:100], "cut off"},
		"half an AVI":         {avi(50, 320, 200)[:60], "cut off"},
		"a JPEG of headers":   {[]byte("\xff\xd8\xff\xe0\x00\x01 and so on"), "damaged"},
		"boxes in boxes":      {nested(40), "damaged"},
		"a box without end":   {append(box("ftyp", []byte("isom"), words32(0)), words32(1)...), ""},
	} {
		_, err := probed(tt.file)
		if _, ok := errors.AsType[*Refusal](err); !ok || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", name, err, tt.want)
		}
	}
}

// nested is a film with boxes in boxes.
func nested(deep int) []byte {
	b := box("mvhd", make([]byte, 100))
	for range deep {
		b = box("moov", b)
	}
	return append(box("ftyp", []byte("isom"), words32(0)), b...)
}

func TestProbeReportsWhatTheDiskSays(t *testing.T) {
	t.Parallel()
	broken := errors.New("input/output error")
	if _, err := Probe(failing{broken}, 100); !errors.Is(err, broken) {
		t.Errorf("got %v, want the disk's error", err)
	}
}

type failing struct{ err error }

func (f failing) ReadAt([]byte, int64) (int, error) { return 0, f.err }

func FuzzProbe(f *testing.F) {
	for _, b := range [][]byte{
		jpegOf(f, picture(9, 7)), withExif(jpegOf(f, picture(9, 7)), 8), pngOf(f, picture(3, 2)), gifOf(f, 1), gifOf(f, 3),
		film("isom", 1000, 64, 48, true), film("qt  ", 1000, 64, 48, false), webm(1, 2, 3), avi(1, 2, 3), nested(9),
		[]byte("RIFF\x1a\x00\x00\x00WEBPVP8L"), []byte("II*\x00\x08\x00\x00\x00"), []byte("BM0123456789012345678"),
	} {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := probed(b)
		if err != nil {
			if _, ok := errors.AsType[*Refusal](err); !ok {
				t.Fatalf("%v is no refusal", err)
			}
			return
		}
		if p.Type == "" || p.Width <= 0 || p.Height <= 0 || p.Duration < 0 || !p.Film() && p.Width*p.Height > mostPixels {
			t.Errorf("%+v", p)
		}
	})
}
