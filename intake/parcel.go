package intake

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/unicode/norm"

	"github.com/postroom/postroom/importer"
	"github.com/postroom/postroom/post"
)

// A parcel is a ZIP file with one calendar and the media that it names. Nothing in
// it is ever written under a name of its own: the calendar is read in memory, and
// media goes to the shelf by its hash.
type parcel struct {
	name    string // of the calendar
	table   []byte
	files   map[string]*zip.File   // by name, as people see it
	folded  map[string][]*zip.File // by name without regard to case
	bases   map[string][]*zip.File // by what follows the last slash, folded
	doubled map[string]bool        // names that two files have
}

// Bounds of a parcel, so that a small file cannot become a huge one.
const (
	mostParcelFiles = 10_000
	mostParcelTable = 256 << 20 // bytes of its calendar
	mostParcelBytes = 16 << 30  // of all of it, unpacked
	mostParcelRatio = 200       // bytes unpacked for one packed, of a large file
	largeParcelFile = 16 << 20  // from here on the ratio counts
)

// isZip reports whether a file begins as a ZIP file does.
func isZip(head []byte) bool {
	return bytes.HasPrefix(head, []byte("PK\x03\x04")) || bytes.HasPrefix(head, []byte("PK\x05\x06"))
}

// openParcel looks a ZIP file over and reads its calendar. The error is an
// *importer.Unusable that says why it cannot be used, or comes from r.
func openParcel(name string, r io.ReaderAt, size int64) (*parcel, error) {
	refuse := func(code, got, want, hint string) error {
		return &importer.Unusable{Problems: []post.Problem{{File: name, Code: code, Got: post.Shorten(got), Want: want, Hint: hint}}}
	}
	z, err := zip.NewReader(r, size)
	if err != nil {
		return nil, refuse("BROKEN_ZIP", "", "a ZIP file that can be opened: "+err.Error(), "make it again")
	}
	if len(z.File) > mostParcelFiles {
		return nil, refuse("ZIP_TOO_LARGE", fmt.Sprintf("%d files", len(z.File)), fmt.Sprintf("a ZIP file with at most %d files", mostParcelFiles), "split it")
	}
	if what, hint := foreignZip(z); what != "" {
		return nil, refuse("NOT_CSV", "", "a calendar, or a ZIP file with one: this is "+what, hint)
	}
	p := &parcel{files: map[string]*zip.File{}, folded: map[string][]*zip.File{}, bases: map[string][]*zip.File{}, doubled: map[string]bool{}}
	var tables, texts []string
	var total uint64
	for _, f := range z.File {
		inside := entryName(f)
		if strings.HasSuffix(inside, "/") || junk(inside) {
			continue
		}
		clean := path.Clean(inside)
		if total += f.UncompressedSize64; total > mostParcelBytes || f.UncompressedSize64 > mostParcelBytes || bomb(f) {
			return nil, refuse("ZIP_TOO_LARGE", clean, fmt.Sprintf("a ZIP file that unpacks to at most %d GiB, and to no more than %d times its size", mostParcelBytes>>30, mostParcelRatio), "split it")
		}
		switch {
		case !fs.ValidPath(clean) || strings.Contains(clean, ":"):
			return nil, refuse("UNSAFE_ZIP", clean, "names of files below the ZIP's own folder: this one leads out of it", "make it again, from a folder that holds the calendar and its media")
		case !f.Mode().IsRegular():
			return nil, refuse("UNSAFE_ZIP", clean, "plain files: this is a link, or something else that is none", "put the file itself into the ZIP")
		case f.Flags&1 != 0:
			return nil, refuse("ENCRYPTED", clean, "a ZIP file without a password", "make it again without one")
		}
		if p.files[clean] != nil {
			p.doubled[clean] = true
		}
		p.files[clean] = f
		p.folded[fold(clean)] = append(p.folded[fold(clean)], f)
		p.bases[fold(path.Base(clean))] = append(p.bases[fold(path.Base(clean))], f)
		switch strings.ToLower(path.Ext(clean)) {
		case ".csv", ".tsv", ".tab", ".xlsx", ".xlsm":
			tables = append(tables, clean)
		case ".txt":
			texts = append(texts, clean)
		default:
			if IsCalendar(clean) {
				tables = append(tables, clean)
			}
		}
	}
	if len(tables) == 0 {
		tables = texts
	}
	switch {
	case len(tables) == 0:
		return nil, refuse("NO_CALENDAR", "", "a ZIP file with one calendar in it, a .csv, .tsv, .xlsx or .ics: there is none", "put the calendar into the ZIP, beside its media")
	case len(tables) > 1:
		return nil, refuse("SEVERAL_CALENDARS", strings.Join(tables, ", "), "a ZIP file with one calendar in it", "make a ZIP of each calendar, with its media")
	case p.doubled[tables[0]]:
		return nil, refuse("SEVERAL_CALENDARS", tables[0], "a ZIP file with one calendar in it: two files have this name", "make the ZIP again")
	}
	p.name = tables[0]
	f := p.files[p.name]
	if f.UncompressedSize64 > mostParcelTable {
		return nil, refuse("ZIP_TOO_LARGE", p.name, fmt.Sprintf("a calendar of at most %d MiB", mostParcelTable>>20), "split the calendar")
	}
	rc, err := f.Open()
	if err != nil {
		return nil, refuse("BROKEN_ZIP", p.name, "a calendar that can be unpacked: "+err.Error(), "make the ZIP again")
	}
	defer rc.Close() // it was only read
	if p.table, err = io.ReadAll(io.LimitReader(rc, mostParcelTable+1)); err != nil {
		return nil, refuse("BROKEN_ZIP", p.name, "a calendar that can be unpacked: "+err.Error(), "make the ZIP again")
	}
	return p, nil
}

// foreignZip says what a ZIP file is that is a document of another program, and
// what to do with it.
func foreignZip(z *zip.Reader) (what, hint string) {
	if len(z.File) > 0 && z.File[0].Name == "mimetype" {
		if rc, err := z.File[0].Open(); err == nil {
			defer rc.Close() // it was only read
			kind, _ := io.ReadAll(io.LimitReader(rc, 100))
			if bytes.Contains(kind, []byte("opendocument")) {
				return "an OpenDocument file (.ods, .odt)", "open it and save it as .xlsx or as CSV UTF-8"
			}
			return "a document of another program", "save the calendar as .xlsx or as CSV UTF-8"
		}
	}
	for _, f := range z.File {
		switch {
		case strings.HasPrefix(f.Name, "word/"), strings.HasPrefix(f.Name, "ppt/"):
			return "a text document or a presentation", "save the calendar as .xlsx or as CSV UTF-8"
		case strings.HasSuffix(f.Name, ".iwa"):
			return "a file of Apple Numbers or Pages", "export it as Excel or as CSV"
		case f.Name == "xl/workbook.bin":
			return "a binary Excel workbook (.xlsb)", "open it and save it as .xlsx or as CSV UTF-8"
		}
	}
	return "", ""
}

// bomb reports whether a large file is packed as no real one can be.
func bomb(f *zip.File) bool {
	return f.UncompressedSize64 > largeParcelFile && f.UncompressedSize64/mostParcelRatio > max(f.CompressedSize64, 1)
}

// entryName returns the name of a file in a ZIP with slashes and composed letters.
// Windows writes backslashes, and old programs the letters of DOS; a Mac takes
// accents apart.
func entryName(f *zip.File) string {
	name := f.Name
	if !utf8.ValidString(name) {
		if s, err := charmap.CodePage437.NewDecoder().String(name); err == nil {
			name = s
		}
	}
	return norm.NFC.String(strings.ReplaceAll(name, `\`, "/"))
}

// junk reports whether a file in a ZIP is one that a system puts beside those of
// people.
func junk(name string) bool {
	for _, part := range strings.Split(name, "/") {
		if part == "__MACOSX" {
			return true
		}
	}
	base := path.Base(name)
	return strings.HasPrefix(base, ".") || strings.EqualFold(base, "thumbs.db") || strings.EqualFold(base, "desktop.ini")
}

// fold makes names comparable without regard to case.
func fold(name string) string { return strings.ToLower(norm.NFC.String(name)) }

// find returns the file that a row of the calendar means: relative to the calendar
// in the ZIP, else to the ZIP's root, else the only one with that name in whatever
// folder.
func (p *parcel) find(ref string) (*zip.File, error) {
	ref = norm.NFC.String(path.Clean(strings.ReplaceAll(ref, `\`, "/")))
	for _, name := range []string{path.Join(path.Dir(p.name), ref), ref} {
		if p.doubled[name] {
			return nil, errors.New("the ZIP has two files of that name")
		}
		if f := p.files[name]; f != nil {
			return f, nil
		}
		switch found := p.folded[fold(name)]; len(found) {
		case 0:
		case 1:
			return found[0], nil
		default:
			return nil, errors.New("the ZIP has several files whose names differ from that only in case")
		}
	}
	if !strings.Contains(ref, "/") {
		switch found := p.bases[fold(ref)]; len(found) {
		case 0:
		case 1:
			return found[0], nil
		default:
			return nil, errors.New("the ZIP has several files of that name in its folders: name the folder too")
		}
	}
	var names []string
	for name := range p.files {
		if dir := path.Dir(p.name) + "/"; dir != "./" {
			name = strings.TrimPrefix(name, dir) // as the calendar would name it
		}
		names = append(names, name)
	}
	slices.Sort(names)
	if near := post.Nearest(ref, names); near != "" {
		return nil, fmt.Errorf("no such file in the ZIP: did you mean %s?", near)
	}
	return nil, errors.New("no such file in the ZIP")
}

// A parcelPinner takes media from the ZIP that holds the calendar, and from URLs.
type parcelPinner struct {
	Pinner
	parcel   *parcel
	calendar bool // which keeps pictures that it holds itself in the media folder
}

// Pin implements [Pinner].
func (p *parcelPinner) Pin(ctx context.Context, ref string) (post.Pin, error) {
	if strings.Contains(ref, "://") {
		return p.Pinner.Pin(ctx, ref)
	}
	f, err := p.parcel.find(ref)
	if err != nil && p.calendar {
		return p.Pinner.Pin(ctx, ref)
	}
	if err != nil {
		return post.Pin{}, notInParcel(err)
	}
	rc, err := f.Open()
	if err != nil {
		return post.Pin{}, notInParcel(fmt.Errorf("it cannot be unpacked: %w", err))
	}
	defer rc.Close() // it was only read
	pin, err := p.Put(ctx, path.Base(entryName(f)), rc)
	if errors.Is(err, zip.ErrChecksum) || errors.Is(err, zip.ErrFormat) || errors.Is(err, zip.ErrAlgorithm) {
		return post.Pin{}, notInParcel(fmt.Errorf("it is damaged in the ZIP: %w", err))
	}
	return pin, err
}

func notInParcel(err error) error {
	return &post.Failure{Class: post.ClassInvalid, Sent: post.SentNot, Message: err.Error(), Err: err}
}
