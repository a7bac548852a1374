package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/postroom/postroom/post"
)

// Records are written by hand: a version byte, then fields in a fixed order,
// numbers as varints and strings with their length. That is a third of JSON's
// size and a tenth of its time (PERFORMANCE §1).

// recordVersion is the first byte of every record.
const recordVersion = 1

// errRecord is wrapped by every error about a record that cannot be read.
var errRecord = errors.New("damaged record")

type encoder struct{ b []byte }

func newEncoder(b []byte) *encoder { return &encoder{append(b[:0], recordVersion)} }

func (e *encoder) uint(v uint64) { e.b = binary.AppendUvarint(e.b, v) }
func (e *encoder) int(v int64)   { e.b = binary.AppendVarint(e.b, v) }
func (e *encoder) byte(v byte)   { e.b = append(e.b, v) }
func (e *encoder) id(v post.ID)  { e.b = append(e.b, v[:]...) }
func (e *encoder) string(s string) {
	e.uint(uint64(len(s)))
	e.b = append(e.b, s...)
}
func (e *encoder) bytes(s []byte) {
	e.uint(uint64(len(s)))
	e.b = append(e.b, s...)
}
func (e *encoder) bool(v bool) {
	if v {
		e.byte(1)
	} else {
		e.byte(0)
	}
}

// time writes milliseconds; the zero time is 0.
func (e *encoder) time(t time.Time) {
	if t.IsZero() {
		e.int(0)
		return
	}
	e.int(t.UnixMilli())
}

// since writes t as whole seconds after base plus one; the zero time is 0.
func (e *encoder) since(t time.Time, base int64) {
	if t.IsZero() {
		e.int(0)
		return
	}
	d := t.Unix() - base
	if d >= 0 {
		d++
	}
	e.int(d)
}

type decoder struct {
	b   []byte
	err error
}

func newDecoder(b []byte) *decoder {
	d := &decoder{b: b}
	if v := d.byte(); d.err == nil && v != recordVersion {
		d.err = fmt.Errorf("%w: version %d, this program knows %d", errRecord, v, recordVersion)
	}
	return d
}

func (d *decoder) fail() {
	if d.err == nil {
		d.err = fmt.Errorf("%w: it ends early, or holds what no version writes", errRecord)
	}
	d.b = nil
}

func (d *decoder) uint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.b = d.b[n:]
	return v
}

// count reads the length of a list whose items take at least one byte each.
func (d *decoder) count() int {
	n := d.uint()
	if n > uint64(len(d.b)) {
		d.fail()
		return 0
	}
	return int(n)
}

func (d *decoder) small() int {
	v := d.uint()
	if v > math.MaxInt32 {
		d.fail()
		return 0
	}
	return int(v)
}

func (d *decoder) int() int64 {
	v, n := binary.Varint(d.b)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) byte() byte {
	if len(d.b) == 0 {
		d.fail()
		return 0
	}
	v := d.b[0]
	d.b = d.b[1:]
	return v
}

func (d *decoder) bool() bool { return d.byte() != 0 }

func (d *decoder) take(n int) []byte {
	if n > len(d.b) {
		d.fail()
		return nil
	}
	v := d.b[:n]
	d.b = d.b[n:]
	return v
}

func (d *decoder) id() (id post.ID) {
	copy(id[:], d.take(post.IDLen))
	return id
}

func (d *decoder) string() string { return string(d.take(d.count())) }

func (d *decoder) bytes() []byte {
	n := d.count()
	if n == 0 {
		return nil
	}
	return slices.Clone(d.take(n))
}

func (d *decoder) time() time.Time {
	v := d.int()
	if v == 0 {
		return time.Time{}
	}
	return time.UnixMilli(v).UTC()
}

func (d *decoder) since(base int64) time.Time {
	v := d.int()
	switch {
	case v == 0:
		return time.Time{}
	case v > 0:
		v--
	}
	return time.Unix(base+v, 0).UTC()
}

// done returns what went wrong, naming the record.
func (d *decoder) done(kind string, key []byte) error {
	if d.err == nil && len(d.b) > 0 {
		d.err = fmt.Errorf("%w: %d bytes too many", errRecord, len(d.b))
	}
	if d.err != nil {
		return fmt.Errorf("%s %x: %w", kind, key, d.err)
	}
	return nil
}

// Bits of a group record that say which of its rarer fields follow.
const (
	hasTitle = 1 << iota
	hasLink
	hasComment
	hasLabels
	hasMedia
	hasSettings
	hasVariants
	hasHeld
	hasImport
	hasExternalID
	hasZone
	hasPins   // of the media
	hasMillis // of the time that was asked for
	hasDeleted
	hasUploads // of the media
	hasAlts    // of media still to be uploaded
)

// Bits of a post within a group record.
const (
	hasReceipt = 1 << iota
	hasProblem
	hasParts
	hasState
	hasTried // attempts, epoch, begun
	movedSlot
)

// encodeGroup appends a group with its posts to a record that [startRecord] began.
// conns gives the number of each post's connection.
func encodeGroup(b []byte, g *post.Group, account uint32, conns []uint32) []byte {
	e := &encoder{b}
	base := g.CreatedAt.Unix()
	has := 0
	set := func(bit int, ok bool) {
		if ok {
			has |= bit
		}
	}
	set(hasTitle, g.Title != "")
	set(hasLink, g.Link != "")
	set(hasComment, g.FirstComment != "")
	set(hasLabels, len(g.Labels) > 0)
	set(hasMedia, len(g.Media) > 0)
	set(hasPins, slices.ContainsFunc(g.Media, func(m post.Media) bool { return !m.Pin.IsZero() }))
	set(hasUploads, slices.ContainsFunc(g.Media, func(m post.Media) bool { return !m.Upload.ID.IsZero() }))
	set(hasSettings, len(g.Settings) > 0)
	set(hasVariants, len(g.Variants) > 0)
	set(hasHeld, g.Held != "")
	set(hasImport, !g.Import.IsZero())
	set(hasExternalID, g.ExternalID != "")
	set(hasZone, g.Zone != "")
	millis := g.RequestedAt.Nanosecond() / int(time.Millisecond)
	set(hasMillis, millis != 0)
	set(hasDeleted, !g.DeletedAt.IsZero())
	set(hasAlts, len(g.AltTexts) > 0)
	e.uint(uint64(has))
	e.uint(uint64(account))
	e.int(base)
	e.since(g.UpdatedAt, base)
	e.since(g.ScheduledAt, base)
	e.since(g.RequestedAt, base)
	e.string(g.Text)
	if has&hasTitle != 0 {
		e.string(g.Title)
	}
	if has&hasLink != 0 {
		e.string(g.Link)
	}
	if has&hasComment != 0 {
		e.string(g.FirstComment)
	}
	if has&hasLabels != 0 {
		e.uint(uint64(len(g.Labels)))
		for _, l := range g.Labels {
			e.string(l)
		}
	}
	if has&hasMedia != 0 {
		e.uint(uint64(len(g.Media)))
		for _, m := range g.Media {
			e.string(m.URL)
			e.string(m.Alt)
			if has&hasPins != 0 {
				encodePin(e, &m.Pin)
			}
			if has&hasUploads != 0 {
				e.id(m.Upload.ID)
				e.time(m.Upload.Until)
			}
		}
	}
	if has&hasSettings != 0 {
		e.bytes(g.Settings)
	}
	if has&hasVariants != 0 {
		names := make([]post.Platform, 0, len(g.Variants))
		for p := range g.Variants {
			names = append(names, p)
		}
		slices.Sort(names)
		e.uint(uint64(len(names)))
		for _, p := range names {
			e.string(string(p))
			e.string(g.Variants[p])
		}
	}
	if has&hasHeld != 0 {
		e.string(g.Held)
	}
	if has&hasImport != 0 {
		e.id(g.Import)
		e.uint(uint64(g.Row))
	}
	if has&hasExternalID != 0 {
		e.string(g.ExternalID)
	}
	if has&hasZone != 0 {
		e.string(g.Zone)
	}
	if has&hasMillis != 0 {
		e.uint(uint64(millis))
	}
	if has&hasDeleted != 0 {
		e.since(g.DeletedAt, base)
	}
	if has&hasAlts != 0 {
		e.uint(uint64(len(g.AltTexts)))
		for _, s := range g.AltTexts {
			e.string(s)
		}
	}
	e.uint(uint64(len(g.Posts)))
	for i := range g.Posts {
		encodePost(e, &g.Posts[i], conns[i], base)
	}
	return e.b
}

func encodePost(e *encoder, p *post.Post, conn uint32, base int64) {
	has := 0
	set := func(bit int, ok bool) {
		if ok {
			has |= bit
		}
	}
	set(hasReceipt, p.Receipt != nil)
	set(hasProblem, p.Problem != nil)
	set(hasParts, p.Parts != nil)
	set(hasState, len(p.State) > 0)
	set(hasTried, p.Attempts > 0 || p.Epoch > 0 || !p.BegunAt.IsZero())
	set(movedSlot, !p.SlotAt.Equal(p.DueAt))
	e.byte(byte(has))
	e.uint(uint64(conn))
	e.byte(byte(p.Status))
	e.since(p.DueAt, base)
	e.since(p.UpdatedAt, base)
	if has&movedSlot != 0 {
		e.since(p.SlotAt, base)
	}
	if has&hasTried != 0 {
		e.uint(uint64(p.Attempts))
		e.uint(p.Epoch)
		e.time(p.BegunAt)
	}
	if r := p.Receipt; r != nil {
		e.string(r.RemoteID)
		e.string(r.URL)
		e.time(r.PublishedAt)
		e.bool(r.Found)
	}
	if o := p.Problem; o != nil {
		e.string(o.Code)
		e.string(o.Message)
		e.uint(uint64(o.HTTPStatus))
		e.bool(o.Retryable)
		e.time(o.At)
	}
	if has&hasParts != 0 {
		e.uint(uint64(len(p.Parts)))
		for _, part := range p.Parts {
			e.string(part.Text)
			e.string(part.RemoteID)
			e.string(part.URL)
		}
	}
	if has&hasState != 0 {
		e.bytes(p.State)
	}
}

// encodePin writes no more than an empty hash for media that is not pinned.
func encodePin(e *encoder, p *post.Pin) {
	if p.IsZero() {
		e.bytes(nil)
		return
	}
	e.bytes(p.Hash[:])
	e.string(p.Name)
	e.string(p.Type)
	e.uint(uint64(p.Size))
	e.uint(uint64(p.Width))
	e.uint(uint64(p.Height))
	e.uint(uint64(p.Duration))
	rate := uint64(math.Round(p.Rate * 1000))
	more := byte(0)
	if p.Animated {
		more |= pinAnimated
	}
	if rate > 0 {
		more |= pinRate
	}
	e.byte(more)
	if rate > 0 {
		e.uint(rate)
	}
}

// Bits of a pin's last byte.
const (
	pinAnimated = 1 << iota
	pinRate     // in pictures a thousand seconds, follows
)

func decodePin(d *decoder) (p post.Pin) {
	hash := d.bytes()
	if len(hash) == 0 {
		return p
	}
	if copy(p.Hash[:], hash) != len(p.Hash) || len(hash) != len(p.Hash) {
		d.fail()
		return p
	}
	p.Name, p.Type, p.Size = d.string(), d.string(), int64(d.uint())
	p.Width, p.Height, p.Duration = d.small(), d.small(), time.Duration(d.uint())
	more := d.byte()
	p.Animated = more&pinAnimated != 0
	if more&pinRate != 0 {
		p.Rate = float64(d.uint()) / 1000
	}
	return p
}

// decodeGroup reads what encodeGroup writes. names resolves account and
// connection numbers.
func decodeGroup(key, b []byte, names *registry) (post.Group, error) {
	d := newDecoder(b)
	d.take(d.count()) // the history
	var g post.Group
	copy(g.ID[:], key)
	has := d.small()
	account := uint32(d.small())
	base := d.int()
	g.CreatedAt = time.Unix(base, 0).UTC()
	g.UpdatedAt = d.since(base)
	g.ScheduledAt = d.since(base)
	g.RequestedAt = d.since(base)
	g.Text = d.string()
	if has&hasTitle != 0 {
		g.Title = d.string()
	}
	if has&hasLink != 0 {
		g.Link = d.string()
	}
	if has&hasComment != 0 {
		g.FirstComment = d.string()
	}
	if has&hasLabels != 0 {
		for range d.count() {
			g.Labels = append(g.Labels, d.string())
		}
	}
	if has&hasMedia != 0 {
		for range d.count() {
			m := post.Media{URL: d.string(), Alt: d.string()}
			if has&hasPins != 0 {
				m.Pin = decodePin(d)
			}
			if has&hasUploads != 0 {
				m.Upload = post.Upload{ID: d.id(), Until: d.time()}
			}
			g.Media = append(g.Media, m)
		}
	}
	if has&hasSettings != 0 {
		g.Settings = d.bytes()
	}
	if has&hasVariants != 0 {
		g.Variants = map[post.Platform]string{}
		for range d.count() {
			p := post.Platform(d.string())
			g.Variants[p] = d.string()
		}
	}
	if has&hasHeld != 0 {
		g.Held = d.string()
	}
	if has&hasImport != 0 {
		g.Import = d.id()
		g.Row = d.small()
	}
	if has&hasExternalID != 0 {
		g.ExternalID = d.string()
	}
	if has&hasZone != 0 {
		g.Zone = d.string()
	}
	if has&hasMillis != 0 {
		g.RequestedAt = g.RequestedAt.Add(time.Duration(d.small()) * time.Millisecond)
	}
	if has&hasDeleted != 0 {
		g.DeletedAt = d.since(base)
	}
	if has&hasAlts != 0 {
		for range d.count() {
			g.AltTexts = append(g.AltTexts, d.string())
		}
	}
	n := d.count()
	g.Posts = make([]post.Post, 0, n)
	for i := range n {
		p := decodePost(d, base, names)
		p.ID, p.Group = g.ID.Add(uint64(i)+1), g.ID
		g.Posts = append(g.Posts, p)
	}
	var ok bool
	if g.Account, ok = names.account(account); !ok && d.err == nil {
		d.err = fmt.Errorf("%w: account number %d is unknown", errRecord, account)
	}
	for i := range g.Posts {
		g.Posts[i].Account = g.Account
	}
	return g, d.done("group", key)
}

func decodePost(d *decoder, base int64, names *registry) (p post.Post) {
	has := int(d.byte())
	conn := uint32(d.small())
	p.Status = post.Status(d.byte())
	if p.Status < post.StatusDraft || p.Status > post.StatusCancelled {
		d.fail()
	}
	p.DueAt = d.since(base)
	p.UpdatedAt = d.since(base)
	p.SlotAt = p.DueAt
	if has&movedSlot != 0 {
		p.SlotAt = d.since(base)
	}
	if has&hasTried != 0 {
		p.Attempts = d.small()
		p.Epoch = d.uint()
		p.BegunAt = d.time()
	}
	if has&hasReceipt != 0 {
		p.Receipt = &post.Receipt{RemoteID: d.string(), URL: d.string(), PublishedAt: d.time(), Found: d.bool()}
	}
	if has&hasProblem != 0 {
		p.Problem = &post.Outcome{Code: d.string(), Message: d.string(), HTTPStatus: d.small(), Retryable: d.bool(), At: d.time()}
	}
	if has&hasParts != 0 {
		n := d.count()
		p.Parts = make([]post.Part, 0, n)
		for range n {
			p.Parts = append(p.Parts, post.Part{Text: d.string(), RemoteID: d.string(), URL: d.string()})
		}
	}
	if has&hasState != 0 {
		p.State = d.bytes()
	}
	c, ok := names.conn(conn)
	if !ok && d.err == nil {
		d.err = fmt.Errorf("%w: connection number %d is unknown", errRecord, conn)
	}
	p.Connection = c.id
	return p
}
