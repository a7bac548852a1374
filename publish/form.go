package publish

import (
	"bytes"
	"io"
	"mime/multipart"
	"net/textproto"
)

// A Form is a multipart body. Its files are read while the request is sent and
// not held in memory, so they stay open until then. Its parts go out in the
// order in which they were added.
type Form struct {
	writer *multipart.Writer
	text   bytes.Buffer // after the last file
	body   []io.Reader
	size   int64
}

// NewForm returns an empty form.
func NewForm() *Form {
	f := &Form{}
	f.writer = multipart.NewWriter(&f.text)
	return f
}

// Field adds a text.
func (f *Form) Field(name, value string) {
	w, err := f.writer.CreateFormField(name)
	if err == nil {
		_, err = io.WriteString(w, value)
	}
	if err != nil {
		panic(err) // the buffer takes everything, and the writer is not closed
	}
}

// File adds an open file, with its name and type.
func (f *Form) File(field string, file *MediaFile) {
	f.Chunk(field, file.Name, file.Type, io.LimitReader(file, file.Size), file.Size)
}

// Chunk adds a file of size bytes that are read from r.
func (f *Form) Chunk(field, name, mime string, r io.Reader, size int64) {
	if _, err := f.writer.CreatePart(textproto.MIMEHeader{
		"Content-Disposition": {multipart.FileContentDisposition(field, name)},
		"Content-Type":        {mime},
	}); err != nil {
		panic(err) // as in Field
	}
	f.flush()
	f.body = append(f.body, r)
	f.size += size
}

func (f *Form) flush() {
	f.body = append(f.body, bytes.NewReader(bytes.Clone(f.text.Bytes())))
	f.size += int64(f.text.Len())
	f.text.Reset()
}

// Send makes the form the body of r. Nothing can be added to it any more.
func (f *Form) Send(r *Request) {
	if err := f.writer.Close(); err != nil {
		panic(err) // as in Field
	}
	f.flush()
	r.Type, r.Stream, r.Size = f.writer.FormDataContentType(), io.MultiReader(f.body...), f.size
}
