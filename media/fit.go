package media

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/image/draw"
	"golang.org/x/image/math/f64"

	"github.com/postroom/postroom/internal/atomicfile"
	"github.com/postroom/postroom/limits"
	"github.com/postroom/postroom/post"
)

// takes reports whether files of a type go out as they are.
func takes(l *limits.MediaLimit, mime string) bool { return !l.Picky() || l.Takes(mime) }

// madeType returns what pictures are made into: JPEG, or PNG where only that is
// taken; "" when neither is.
func madeType(l *limits.MediaLimit) string {
	for _, t := range []string{typeJPEG, typePNG} {
		if takes(l, t) {
			return t
		}
	}
	return ""
}

// fits reports whether a file is within the limits.
func fits(p *post.Pin, l *limits.MediaLimit) bool {
	if most := l.MostBytes(p.Type); !takes(l, p.Type) || most > 0 && p.Size > most {
		return false
	}
	return p.Film() || l.ImageSide == 0 || max(p.Width, p.Height) <= l.ImageSide
}

// Fit opens a file in a form that a platform with such limits takes, and says what
// that is. A file within the limits goes out as it was taken, but a JPEG without what cameras
// and programs write beside the picture: where it was taken, and with what. Any
// other picture is made anew, turned the way it is seen, no larger than it was,
// and kept on the shelf. Films, and pictures that move, are never touched.
//
// The error is a *[Refusal] when no such file can be made; it wraps fs.ErrNotExist
// when the file is gone from the shelf.
func (s *Shelf) Fit(ctx context.Context, p *post.Pin, l *limits.MediaLimit) (*os.File, post.Pin, error) {
	switch ok := fits(p, l); {
	case ok && p.Type != typeJPEG:
		f, err := s.Open(p)
		return f, *p, err
	case !ok && p.Film():
		return nil, *p, beyond(p, l, "")
	case !ok && p.Animated:
		return nil, *p, beyond(p, l, ", and it moves: made smaller or into another kind it would stand still")
	case !ok && !l.Makes(p.Type):
		return nil, *p, beyond(p, l, "")
	}
	to := s.madePath(p, l)
	if f, made, err := s.made(to, p); err == nil {
		return f, made, nil
	}
	select {
	case s.making <- struct{}{}:
		defer func() { <-s.making }()
	case <-ctx.Done():
		return nil, *p, ctx.Err()
	}
	if f, made, err := s.made(to, p); err == nil { // meanwhile
		return f, made, nil
	}
	asIs, err := s.make(ctx, p, l, to)
	if err != nil {
		return nil, *p, err
	}
	if asIs {
		f, err := s.Open(p)
		return f, *p, err
	}
	return s.made(to, p)
}

// beyond says which limit a file is beyond.
func beyond(p *post.Pin, l *limits.MediaLimit, more string) error {
	if !takes(l, p.Type) {
		return refuse("it is %s, the platform takes %s%s", limits.TypeNames([]string{p.Type}, nil), limits.TypeNames(l.ImageTypes, l.VideoTypes), more)
	}
	if most := l.MostBytes(p.Type); most > 0 && p.Size > most {
		return &Refusal{Why: fmt.Sprintf("it has %s, the platform takes at most %s%s", limits.SizeText(p.Size), limits.SizeText(most), more), Large: true}
	}
	return refuse("it has %d × %d pixels, the platform takes at most %d a side%s", p.Width, p.Height, l.ImageSide, more)
}

// madePath returns where a file lies that is made of p. How files are made is
// part of the name: change recipe whenever they would come out otherwise.
func (s *Shelf) madePath(p *post.Pin, l *limits.MediaLimit) string {
	const recipe = 1
	mime := madeType(l)
	if fits(p, l) {
		mime = p.Type
	}
	h := fnv.New64a()
	fmt.Fprintln(h, recipe, mime, l.ImageBytes, l.ImageSide)
	name := p.Hash.String()
	return filepath.Join(s.dir, madeFolder, name[:2], fmt.Sprintf("%s-%016x%s", name, h.Sum64(), endings[mime]))
}

// made opens a file that was made before.
func (s *Shelf) made(path string, of *post.Pin) (*os.File, post.Pin, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, *of, err
	}
	info, err := f.Stat()
	if err == nil {
		var p post.Pin
		if p, err = Probe(f, info.Size()); err == nil {
			p.Hash, p.Name = of.Hash, nameFor(of.Name, p.Type)
			now := time.Now()
			return f, p, os.Chtimes(path, now, now) // it is as good as new to Sweep
		}
	}
	return nil, *of, errors.Join(err, f.Close())
}

// make puts a file within the limits at a path. asIs is true when the file can go out
// as it was taken, and nothing was made.
func (s *Shelf) make(ctx context.Context, p *post.Pin, l *limits.MediaLimit, to string) (asIs bool, err error) {
	from, err := s.Open(p)
	if err != nil {
		return false, err
	}
	defer from.Close()
	in := &input{r: from, size: p.Size}
	turn := 1
	if p.Type == typeJPEG {
		turn = orientation(in)
	}
	if err := makeFolder(filepath.Dir(to)); err != nil && !errors.Is(err, fs.ErrExist) {
		return false, err
	}
	f, err := atomicfile.Create(to)
	if err != nil {
		return false, err
	}
	defer f.Discard() // nothing is left to do once it is in place
	if fits(p, l) && turn == 1 {
		clean, err := bare(in, f)
		if err != nil || clean {
			return clean, err
		}
		return false, f.Commit()
	}
	data, err := encode(ctx, in, p, l, turn)
	if err != nil {
		return false, err
	}
	if _, err := f.Write(data); err != nil {
		return false, err
	}
	return false, f.Commit()
}

// bare copies a JPEG without the segments that are not needed to see it. clean
// reports that there are none, and that nothing was written.
func bare(in *input, w io.Writer) (clean bool, err error) {
	var drop []segment
	segments(in, func(s segment) {
		// APP0 is JFIF, APP2 the colour profile, APP14 how colours are stored.
		if s.marker >= markerAPP0 && s.marker <= markerAPPF && s.marker != markerAPP0 && s.marker != markerAPP0+2 && s.marker != markerAPP0+14 || s.marker == markerCOM {
			drop = append(drop, s)
		}
	})
	if in.err != nil || len(drop) == 0 {
		return true, in.err
	}
	at := int64(0)
	for _, s := range drop {
		if _, err := io.Copy(w, io.NewSectionReader(in.r, at, s.off-at)); err != nil {
			return false, err
		}
		at = s.data + int64(s.size)
	}
	_, err = io.Copy(w, io.NewSectionReader(in.r, at, in.size-at))
	return false, err
}

// leastSide is how small a picture is made at most to fit a number of bytes.
const leastSide = 320

// encode makes a picture within the limits: first at full size and in good quality, then
// with less of both until it fits.
func encode(ctx context.Context, in *input, p *post.Pin, l *limits.MediaLimit, turn int) ([]byte, error) {
	src, err := decode(in)
	if err != nil {
		return nil, err
	}
	side := max(src.Bounds().Dx(), src.Bounds().Dy())
	if l.ImageSide > 0 {
		side = min(side, l.ImageSide)
	}
	mime := madeType(l)
	for {
		m := turned(scaled(src, side, mime == typePNG), turn)
		for _, quality := range []int{90, 80, 70} {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			var b limited
			b.most = l.ImageBytes
			if mime == typePNG {
				err = png.Encode(&b, m)
			} else {
				err = jpeg.Encode(&b, m, &jpeg.Options{Quality: quality})
			}
			if err == nil {
				return b.data, nil
			}
			if !errors.Is(err, errFull) {
				return nil, err
			}
			if mime == typePNG {
				break
			}
		}
		if side = side * 3 / 4; side < leastSide {
			return nil, beyond(p, l, ", and it cannot be made so small")
		}
	}
}

// decode reads a picture, whose dimensions Probe has bounded. Decoders have been
// made to panic by files before.
func decode(in *input) (m image.Image, err error) {
	defer func() {
		if recover() != nil {
			m, err = nil, errBroken
		}
	}()
	m, _, err = image.Decode(io.NewSectionReader(in.r, 0, in.size))
	if err != nil {
		return nil, errBroken
	}
	return m, nil
}

var errFull = errors.New("more than fits")

// limited keeps what is written, up to a number of bytes; 0 for any.
type limited struct {
	data []byte
	most int64
}

func (b *limited) Write(p []byte) (int, error) {
	if b.most > 0 && int64(len(b.data)+len(p)) > b.most {
		return 0, errFull
	}
	b.data = append(b.data, p...)
	return len(p), nil
}

// scaled draws a picture with a longer side of that many pixels, on white unless
// clear. It goes over the picture directly: the scalers of x/image need 32 bytes
// for each pixel of a whole picture between.
func scaled(src image.Image, side int, clear bool) *image.RGBA {
	b := src.Bounds()
	long := max(b.Dx(), b.Dy())
	if shrink := long / side; shrink >= 2 {
		src = boxed(src, shrink)
		b = src.Bounds()
	}
	w, h := part(b.Dx(), side, max(b.Dx(), b.Dy())), part(b.Dy(), side, max(b.Dx(), b.Dy()))
	dst := image.NewRGBA(image.Rect(0, 0, w, h))
	op := draw.Src
	if !clear {
		draw.Draw(dst, dst.Bounds(), image.NewUniform(color.White), image.Point{}, draw.Src)
		op = draw.Over
	}
	if w == b.Dx() && h == b.Dy() {
		draw.Draw(dst, dst.Bounds(), src, b.Min, op)
		return dst
	}
	sx, sy := float64(w)/float64(b.Dx()), float64(h)/float64(b.Dy())
	draw.CatmullRom.Transform(dst, f64.Aff3{sx, 0, -sx * float64(b.Min.X), 0, sy, -sy * float64(b.Min.Y)}, src, b, op, nil)
	return dst
}

// part returns n × to / of, rounded, and at least 1.
func part(n, to, of int) int { return max(1, (n*to+of/2)/of) }

// boxed draws a picture with the mean of each k × k pixels as one, of fewer at the
// edges.
func boxed(src image.Image, k int) image.Image {
	b := src.Bounds()
	w, h := (b.Dx()+k-1)/k, (b.Dy()+k-1)/k
	dst := image.NewRGBA(image.Rect(0, 0, w, h))
	at := func(x, y int) color.RGBA64 {
		r, g, b, a := src.At(x, y).RGBA()
		return color.RGBA64{uint16(r), uint16(g), uint16(b), uint16(a)}
	}
	if direct, ok := src.(image.RGBA64Image); ok {
		at = direct.RGBA64At
	}
	for y := range h {
		for x := range w {
			var r, g, bl, a, n uint64
			for sy := b.Min.Y + y*k; sy < min(b.Min.Y+(y+1)*k, b.Max.Y); sy++ {
				for sx := b.Min.X + x*k; sx < min(b.Min.X+(x+1)*k, b.Max.X); sx++ {
					c := at(sx, sy)
					r, g, bl, a, n = r+uint64(c.R), g+uint64(c.G), bl+uint64(c.B), a+uint64(c.A), n+1
				}
			}
			dst.SetRGBA(x, y, color.RGBA{uint8(r / n >> 8), uint8(g / n >> 8), uint8(bl / n >> 8), uint8(a / n >> 8)})
		}
	}
	return dst
}

// turned returns a picture the way it is seen, by its Exif orientation.
func turned(m *image.RGBA, orientation int) *image.RGBA {
	if orientation <= 1 {
		return m
	}
	w, h := m.Bounds().Dx(), m.Bounds().Dy()
	dst := image.NewRGBA(image.Rect(0, 0, w, h))
	if orientation >= 5 {
		dst = image.NewRGBA(image.Rect(0, 0, h, w))
	}
	for y := range h {
		for x := range w {
			to := [...]image.Point{2: {w - 1 - x, y}, 3: {w - 1 - x, h - 1 - y}, 4: {x, h - 1 - y}, 5: {y, x}, 6: {h - 1 - y, x}, 7: {h - 1 - y, w - 1 - x}, 8: {y, w - 1 - x}}[orientation]
			dst.SetRGBA(to.X, to.Y, m.RGBAAt(x, y))
		}
	}
	return dst
}
