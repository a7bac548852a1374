package media

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	"io"
	"io/fs"
	"math/rand/v2"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/postroom/postroom/limits"
	"github.com/postroom/postroom/post"
)

// fit puts a file on a new shelf and returns what a platform would be given.
func fit(t *testing.T, b []byte, l limits.MediaLimit) ([]byte, post.Pin, error) {
	t.Helper()
	s := shelf(t)
	p := put(t, s, b, "a.bin")
	f, made, err := s.Fit(t.Context(), &p, &l)
	if err != nil {
		return nil, made, err
	}
	defer f.Close()
	data, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	if made.Size != int64(len(data)) {
		t.Errorf("it says %d bytes, and has %d", made.Size, len(data))
	}
	return data, made, nil
}

func TestWhatFitsGoesOutAsItIs(t *testing.T) {
	t.Parallel()
	all := limits.MediaLimit{Images: 1, ImageTypes: []string{typeJPEG, typePNG, typeGIF, typeMP4}, ImageBytes: 1 << 20, VideoBytes: 1 << 20, ImageSide: 100}
	for name, b := range map[string][]byte{
		"JPEG": jpegOf(t, picture(100, 50)), "PNG": pngOf(t, picture(100, 50)), "GIF": gifOf(t, 1), "GIF that moves": gifOf(t, 3), "MP4": film("isom", 1, 640, 480, false),
	} {
		if got, _, err := fit(t, b, all); err != nil || !bytes.Equal(got, b) {
			t.Errorf("%s: other bytes, %v", name, err)
		}
		if got, _, err := fit(t, b, limits.MediaLimit{}); err != nil || !bytes.Equal(got, b) {
			t.Errorf("%s without bounds: other bytes, %v", name, err)
		}
	}
}

func TestPicturesAreMadeToFit(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		file []byte
		form limits.MediaLimit
		want post.Pin
	}{
		"PNG where JPEG is taken":  {pngOf(t, picture(40, 30)), limits.MediaLimit{Images: 1, ImageTypes: []string{typeJPEG}}, post.Pin{Type: typeJPEG, Width: 40, Height: 30}},
		"GIF where JPEG is taken":  {gifOf(t, 1), limits.MediaLimit{Images: 1, ImageTypes: []string{typeJPEG}}, post.Pin{Type: typeJPEG, Width: 8, Height: 6}},
		"JPEG where PNG is taken":  {jpegOf(t, picture(40, 30)), limits.MediaLimit{Images: 1, ImageTypes: []string{typePNG}}, post.Pin{Type: typePNG, Width: 40, Height: 30}},
		"a side too long":          {pngOf(t, picture(400, 30)), limits.MediaLimit{Images: 1, ImageTypes: []string{typePNG}, ImageSide: 100}, post.Pin{Type: typePNG, Width: 100, Height: 8}},
		"an upright one":           {withExif(jpegOf(t, picture(400, 300)), 6), limits.MediaLimit{Images: 1, ImageTypes: []string{typeJPEG}, ImageSide: 200}, post.Pin{Type: typeJPEG, Width: 150, Height: 200}},
		"an upright one that fits": {withExif(jpegOf(t, picture(40, 30)), 8), limits.MediaLimit{Images: 1, ImageTypes: []string{typeJPEG}}, post.Pin{Type: typeJPEG, Width: 30, Height: 40}},
		"never larger":             {pngOf(t, picture(40, 30)), limits.MediaLimit{Images: 1, ImageTypes: []string{typeJPEG}, ImageSide: 2000}, post.Pin{Type: typeJPEG, Width: 40, Height: 30}},
	} {
		got, p, err := fit(t, tt.file, tt.form)
		if err != nil || p.Type != tt.want.Type || p.Width != tt.want.Width || p.Height != tt.want.Height {
			t.Errorf("%s: got %+v, %v", name, p, err)
			continue
		}
		if again, _, _ := fit(t, tt.file, tt.form); !bytes.Equal(got, again) {
			t.Errorf("%s: made twice, it differs", name)
		}
		if o := orientation(&input{r: bytes.NewReader(got), size: int64(len(got))}); o != 1 {
			t.Errorf("%s: it is still to be turned (%d)", name, o)
		}
	}
}

func TestPicturesAreMadeSmallerUntilTheirBytesFit(t *testing.T) {
	t.Parallel()
	m, r := picture(1200, 800), rand.New(rand.NewPCG(1, 2))
	for i := range m.Pix { // noise, which no encoder makes small
		m.Pix[i] |= byte(r.Uint32())
	}
	b := pngOf(t, m)
	got, p, err := fit(t, b, limits.MediaLimit{Images: 1, ImageTypes: []string{typeJPEG, typePNG}, ImageBytes: 100_000})
	if err != nil || len(got) > 100_000 || p.Type != typeJPEG || p.Width >= 1200 || p.Width*2 != p.Height*3 {
		t.Errorf("%d bytes, %+v, %v", len(got), p, err)
	}
	_, _, err = fit(t, b, limits.MediaLimit{Images: 1, ImageTypes: []string{typeJPEG, typePNG}, ImageBytes: 500})
	if r, ok := errors.AsType[*Refusal](err); !ok || !r.Large || !strings.Contains(r.Why, "cannot be made so small") {
		t.Errorf("500 bytes: %v", err)
	}
}

func TestFilmsAndWhatMovesAreLeftAlone(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		file []byte
		form limits.MediaLimit
		want string
	}{
		"a GIF where none is taken":  {gifOf(t, 3), limits.MediaLimit{Images: 1, ImageTypes: []string{typeJPEG}}, "it would stand still"},
		"a GIF with too many bytes":  {gifOf(t, 3), limits.MediaLimit{Images: 1, ImageTypes: []string{typeGIF, typeJPEG}, ImageBytes: 10}, "it would stand still"},
		"a GIF with too many pixels": {gifOf(t, 3), limits.MediaLimit{Images: 1, ImageTypes: []string{typeGIF, typeJPEG}, ImageSide: 4}, "at most 4 a side"},
		"a film of another kind":     {film("qt  ", 1, 640, 480, false), limits.MediaLimit{Images: 1, ImageTypes: []string{typeMP4}}, "it is MOV, the platform takes MP4"},
		"a film with too many bytes": {film("isom", 1, 640, 480, false), limits.MediaLimit{Images: 1, ImageTypes: []string{typeMP4}, VideoBytes: 99}, "takes at most 1 kB"},
		"a picture where none is":    {pngOf(t, picture(4, 3)), limits.MediaLimit{Images: 1, ImageTypes: []string{typeMP4}}, "it is PNG, the platform takes MP4"},
	} {
		_, _, err := fit(t, tt.file, tt.form)
		if _, ok := errors.AsType[*Refusal](err); !ok || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", name, err, tt.want)
		}
	}
}

func TestP8NoPictureTellsWhereItWasTaken(t *testing.T) {
	t.Parallel()
	b := withExif(jpegOf(t, picture(40, 30)), 1)
	if !bytes.Contains(b, []byte("GPS")) {
		t.Fatal("the picture tells nothing to begin with")
	}
	got, _, err := fit(t, b, limits.MediaLimit{})
	if err != nil || bytes.Contains(got, []byte("GPS")) {
		t.Errorf("it tells, %v", err)
	}
	if want := jpegOf(t, picture(40, 30)); !bytes.Equal(got, want) {
		t.Error("the picture itself changed")
	}
}

func TestWhatIsClearBecomesWhite(t *testing.T) {
	t.Parallel()
	got, _, err := fit(t, pngOf(t, image.NewNRGBA(image.Rect(0, 0, 9, 9))), limits.MediaLimit{Images: 1, ImageTypes: []string{typeJPEG}})
	if err != nil {
		t.Fatal(err)
	}
	m, err := decode(&input{r: bytes.NewReader(got), size: int64(len(got))})
	if err != nil {
		t.Fatal(err)
	}
	if r, g, b, _ := m.At(4, 4).RGBA(); r>>8 < 250 || g>>8 < 250 || b>>8 < 250 {
		t.Errorf("it is %d, %d, %d", r>>8, g>>8, b>>8)
	}
}

func TestWhatIsMadeIsKept(t *testing.T) {
	t.Parallel()
	s := shelf(t)
	p := put(t, s, pngOf(t, picture(40, 30)), "a.png")
	for range 3 {
		f, _, err := s.Fit(t.Context(), &p, &limits.MediaLimit{Images: 1, ImageTypes: []string{typeJPEG}})
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
	}
	if n := files(t, s); n != 2 {
		t.Errorf("%d files, want what was put and what was made", n)
	}
	if _, _, err := s.Fit(t.Context(), &post.Pin{Hash: post.Digest{1}, Type: typePNG}, &limits.MediaLimit{Images: 1, ImageTypes: []string{typeJPEG}}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("of a file that is gone: %v", err)
	}
}

func TestEveryOrientationIsUndone(t *testing.T) {
	t.Parallel()
	// A picture of 3 × 2 with a red corner: where it must be seen, by Exif.
	m := image.NewRGBA(image.Rect(0, 0, 3, 2))
	red := color.RGBA{255, 0, 0, 255}
	m.SetRGBA(0, 0, red)
	for o, want := range []image.Point{1: {0, 0}, 2: {2, 0}, 3: {2, 1}, 4: {0, 1}, 5: {0, 0}, 6: {1, 0}, 7: {1, 2}, 8: {0, 2}} {
		if o == 0 {
			continue
		}
		if got := turned(m, o); got.RGBAAt(want.X, want.Y) != red {
			t.Errorf("orientation %d: the corner is not at %v", o, want)
		}
	}
}

func TestAMadePictureIsWithinItsForm(t *testing.T) {
	t.Parallel()
	s := shelf(t)
	rapid.Check(t, func(t *rapid.T) {
		w, h := rapid.IntRange(1, 300).Draw(t, "width"), rapid.IntRange(1, 300).Draw(t, "height")
		form := limits.MediaLimit{Images: 1, ImageTypes: []string{typeJPEG}, ImageSide: rapid.IntRange(1, 400).Draw(t, "side")}
		p, err := s.Put(t.Context(), bytes.NewReader(pngOf(t, picture(w, h))), "a", 1<<30)
		if err != nil {
			t.Fatal(err)
		}
		f, made, err := s.Fit(t.Context(), &p, &form)
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
		if max(made.Width, made.Height) > form.ImageSide || made.Width > w || made.Height > h || made.Width < 1 || made.Height < 1 {
			t.Fatalf("%d × %d within %d became %d × %d", w, h, form.ImageSide, made.Width, made.Height)
		}
	})
}
