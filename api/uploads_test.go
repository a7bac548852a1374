package api_test

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/postroom/postroom/api"
	"github.com/postroom/postroom/post"
)

// A place is what get-upload-url answers with.
type place struct{ UploadURL, FileURL, MediaID string }

// upload asks for a place for media of a group.
func (d *desk) upload(group, name string) (p place) {
	d.Helper()
	d.do("POST", "/get-upload-url", fmt.Sprintf(`{"fileName":%q,"contentType":"image/png","postGroupId":%q}`, name, group)).ok().into(&p)
	return p
}

// below is the path of one of our URLs.
func below(url string) string {
	_, path, _ := strings.Cut(url, api.Prefix)
	return path
}

// put sends bytes to a place, as a stranger.
func (d *desk) put(p place, body string, header ...string) answer {
	d.Helper()
	return d.do("PUT", below(p.UploadURL), body, append([]string{"x-api-key", ""}, header...)...)
}

// stored fails unless bytes were taken: 200 and nothing else (CONTRACT §2.9).
func (a answer) stored() {
	a.t.Helper()
	if a.Status != 200 || a.Body != "" {
		a.t.Errorf("got %d %s, want 200 and no body", a.Status, a.Body)
	}
}

// picture is a PNG of its own for each number.
func picture(n uint8) string {
	p := image.NewGray(image.Rect(0, 0, 4, 3))
	p.SetGray(0, 0, color.Gray{n})
	var b bytes.Buffer
	_ = png.Encode(&b, p) // into memory, and it is a valid picture
	return b.String()
}

const draft = `{"content":"Hello","platforms":["mastodon-1","twitter-2"]}`

// CONTRACT §2.9, §12 D1, D12: the texts and the order of the checks.
func TestGetUploadURLRefuses(t *testing.T) {
	t.Parallel()
	const fields = "fileName, contentType, and postGroupId are required"
	const nobody = "507f1f77bcf86cd799439011"
	for _, c := range []struct {
		rule, body string
		strict     bool
		status     int
		want       string
	}{
		{"§0: a body that is no JSON", `{`, false, 400, "Invalid JSON body"},
		{"§2.9: nothing", ``, false, 400, fields},
		{"§2.9: no file name", `{"contentType":"image/png","postGroupId":"GROUP"}`, false, 400, fields},
		{"§2.9: a blank file name", `{"fileName":" ","contentType":"image/png","postGroupId":"GROUP"}`, false, 400, fields},
		{"§2.9: a file name that is no text", `{"fileName":7,"contentType":"image/png","postGroupId":"GROUP"}`, false, 400, fields},
		{"§2.9: no content type", `{"fileName":"a.png","postGroupId":"GROUP"}`, false, 400, fields},
		{"§2.9: an empty content type", `{"fileName":"a.png","contentType":"","postGroupId":"GROUP"}`, false, 400, fields},
		{"§2.9: no group", `{"fileName":"a.png","contentType":"image/png"}`, false, 400, fields},
		{"§2.9: null for a group", `{"fileName":"a.png","contentType":"image/png","postGroupId":null}`, false, 400, fields},
		{"§2.9: fields come before the group", `{"fileName":"","contentType":"image/png","postGroupId":"x"}`, false, 400, fields},
		{"§12 D1: a malformed group", `{"fileName":"a.png","contentType":"image/png","postGroupId":"pg_1"}`, false, 404, "Post group not found"},
		{"§12 D1: a malformed group, strictly", `{"fileName":"a.png","contentType":"image/png","type":"image","postGroupId":"pg_1"}`, true, 500, "Failed to create upload URL"},
		{"§2.9: no type, strictly", `{"fileName":"a.png","contentType":"image/png","postGroupId":"GROUP"}`, true, 500, "Failed to create upload URL"},
		{"§12 D12: an unknown group", `{"fileName":"a.png","contentType":"image/png","postGroupId":"` + nobody + `"}`, false, 404, "Post group not found"},
		{"§12 D12: somebody else's group", `{"fileName":"a.png","contentType":"image/png","postGroupId":"FOREIGN"}`, false, 404, "Post group not found"},
		{"§12 D12: somebody else's group, strictly too", `{"fileName":"a.png","contentType":"image/png","type":"image","postGroupId":"FOREIGN"}`, true, 404, "Post group not found"},
		{"§2.4: a deleted group", `{"fileName":"a.png","contentType":"image/png","postGroupId":"DELETED"}`, false, 404, "Post group not found"},
		{"§2.9, item 2: a group that went out", `{"fileName":"a.png","contentType":"image/png","postGroupId":"SENT"}`, false, 400, "Cannot update post: post is currently in published status"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t)
			foreign := &post.Group{Account: "other", Content: post.Content{Text: "x"}, Posts: []post.Post{{Connection: "mastodon-9", Status: post.StatusDraft}}}
			if err := d.store.Create(d.Context(), foreign, nil, "test"); err != nil {
				t.Fatal(err)
			}
			deleted := d.create(draft)
			d.do("DELETE", "/delete-post/"+deleted, "").ok()
			sent := d.create(`{"content":"Now","platforms":["mastodon-1"],"scheduledTime":"2026-03-02T08:00:00Z"}`)
			d.sendDue()
			d.set.StrictCompat = c.strict
			body := strings.NewReplacer("GROUP", d.create(draft), "FOREIGN", foreign.ID.String(), "DELETED", deleted, "SENT", sent).Replace(c.body)
			d.do("POST", "/get-upload-url", body).wantError(c.status, c.want)
		})
	}
	d := newDesk(t)
	d.do("POST", "/get-upload-url", `{`, "x-api-key", "").wantError(401, "API key is required") // §1
}

// sendDue publishes all that is due.
func (d *desk) sendDue() {
	d.Helper()
	leases, err := d.store.Acquire(d.Context(), time.Minute, 10)
	if err != nil {
		d.Fatal(err)
	}
	for _, l := range leases {
		for n, err := d.store.Next(d.Context(), l, nil, 0); n.OK || err != nil; {
			if err != nil {
				d.Fatal(err)
			}
			n, err = d.store.Next(d.Context(), l, &post.Done{ID: n.Delivery.Post.ID, Status: post.StatusPublished, Receipt: &post.Receipt{RemoteID: "r"}}, 0)
		}
		if err := d.store.Release(d.Context(), l); err != nil {
			d.Fatal(err)
		}
	}
}

// CONTRACT §2.9: names, folders and hosts.
func TestGetUploadURLSaysWhere(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rule, name, kind, more string
		public, host           string
		header                 []string
		base, file             string
	}{
		{rule: "names are cleaned", name: " my photo (1).jpg ", kind: "image/jpeg", base: "http://example.com", file: "images/1772438400000-my_photo_1.jpg"},
		{rule: "nothing of a path stays", name: "../../Straße/é.png", kind: "image/png", base: "http://example.com", file: "images/1772438400000-....Strae.png"},
		{rule: "the end of a long name stays", name: strings.Repeat("a", 300) + ".png", kind: "image/png", base: "http://example.com", file: "images/1772438400000-" + strings.Repeat("a", 96) + ".png"},
		{rule: "type decides", name: "a.png", kind: "image/png", more: `,"type":"video"`, base: "http://example.com", file: "videos/1772438400000-a.png"},
		{rule: "without type the content type does", name: "a", kind: "video/mp4", base: "http://example.com", file: "videos/1772438400000-a"},
		{rule: "else the ending", name: "a.MOV", kind: "application/octet-stream", base: "http://example.com", file: "videos/1772438400000-a.MOV"},
		{rule: "any MIME type is taken, and any type", name: "a.txt", kind: "text/plain", more: `,"type":"song"`, base: "http://example.com", file: "images/1772438400000-a.txt"},
		{rule: "the configured address", name: "a.png", kind: "image/png", public: "https://post.example.org", base: "https://post.example.org", file: "images/1772438400000-a.png"},
		{rule: "the address that was called, behind TLS", name: "a.png", kind: "image/png", header: []string{"X-Forwarded-Proto", "https"}, base: "https://example.com", file: "images/1772438400000-a.png"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t)
			d.set.PublicURL = c.public
			id := d.create(draft)
			var p place
			a := d.do("POST", "/get-upload-url", fmt.Sprintf(`{"fileName":%q,"contentType":%q,"postGroupId":%q%s}`, c.name, c.kind, id, c.more), c.header...).ok()
			a.into(&p)
			a.want(200, fmt.Sprintf(`{"success":true,"uploadUrl":%q,"fileUrl":%q,"mediaId":%q}`, p.UploadURL, p.FileURL, p.MediaID))
			if _, err := post.ParseID(p.MediaID); err != nil {
				t.Error(err)
			}
			if want := c.base + "/api/v1/uploads/" + p.MediaID + "?exp=1772442000&sig="; !strings.HasPrefix(p.UploadURL, want) {
				t.Errorf("upload to %s, want %s…", p.UploadURL, want)
			}
			if !strings.HasPrefix(p.FileURL, c.base+"/api/v1/uploads/"+p.MediaID+"/") || !strings.HasSuffix(p.FileURL, "/"+c.file) {
				t.Errorf("file at %s, want …/%s", p.FileURL, c.file)
			}
		})
	}
}

// CONTRACT §2.9: the draft-first flow, and what others see of it.
func TestDraftFirst(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	id := d.create(draft)
	one, two := d.upload(id, "one.png"), d.upload(id, "two.png")
	listed := func() string {
		var got struct {
			Posts []struct{ MediaURLs []string }
		}
		d.do("GET", "/list-posts", "").ok().into(&got)
		return strings.Join(got.Posts[0].MediaURLs, " ")
	}
	states := func() string {
		var got struct {
			Media []struct{ MediaID, FileURL, Status, ContentType string }
		}
		d.do("GET", "/get-post/"+id, "").ok().into(&got)
		var all []string
		for _, m := range got.Media {
			all = append(all, m.Status+" "+m.ContentType)
		}
		return strings.Join(all, ", ")
	}
	if got := listed(); got != "" {
		t.Errorf("listed before it came: %s", got)
	}
	d.do("GET", below(one.FileURL), "").wantError(404, "Media file not found")
	d.put(two, picture(2), "Content-Type", "image/png").stored()
	if got := listed(); got != two.FileURL {
		t.Errorf("listed %s, want %s", got, two.FileURL)
	}
	if got := states(); got != "pending , ready image/png" {
		t.Errorf("get-post shows %s", got)
	}
	d.put(one, picture(1), "Content-Type", "").stored() // item 3: one sample sends none
	d.put(one, picture(1), "Content-Type", "video/mp4").stored()
	if got := listed(); got != one.FileURL+" "+two.FileURL {
		t.Errorf("listed %s: not in the order of the calls", got)
	}
	d.do("PUT", "/update-post/"+id, `{"status":"scheduled","scheduledTime":"2026-03-02T09:00:00Z"}`).ok()
	d.put(one, picture(3)).stored() // nothing was sent yet
	a := d.do("GET", below(one.FileURL), "", "x-api-key", "")
	if a.Status != 200 || a.Body != picture(3) || a.Header.Get("Content-Type") != "image/png" {
		t.Errorf("fileUrl gives %d, %d bytes of %s", a.Status, len(a.Body), a.Header.Get("Content-Type"))
	}
	a = d.do("GET", below(one.FileURL), "", "Range", "bytes=1-4")
	if a.Status != 206 || a.Body != picture(3)[1:5] {
		t.Errorf("a range of the file is %d %q", a.Status, a.Body)
	}
	a = d.do("GET", below(one.FileURL), "", "Range", "bytes=99999-")
	a.wantError(416, "Requested Range Not Satisfiable")
	if got, want := a.Header.Get("Content-Range"), fmt.Sprintf("bytes */%d", len(picture(3))); got != want {
		t.Errorf("Content-Range is %q, want %q", got, want)
	}
	d.forward(time.Hour - time.Second)
	if g := d.group(id); len(g.Media) != 2 || g.Media[0].Pending() || g.Media[0].Pin.Name == "" {
		t.Errorf("stored media %+v", g.Media)
	}
	d.set.StrictCompat = true
	if got := d.do("GET", "/get-post/"+id, "").Body; strings.Contains(got, "media") {
		t.Errorf("strictly, get-post shows %s", got)
	}
}

// CONTRACT §2.9, item 3.
func TestUploadsAreRefused(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.set.MaxMedia = 200
	id := d.create(draft)
	p, other := d.upload(id, "a.png"), d.upload(id, "b.png")
	_, query, _ := strings.Cut(other.UploadURL, "?")
	values, err := url.ParseQuery(query)
	if err != nil {
		t.Fatal(err)
	}
	with := func(id, exp, sig string) string {
		return "/uploads/" + id + "?" + url.Values{"exp": {exp}, "sig": {sig}}.Encode()
	}
	exp, sig := values.Get("exp"), values.Get("sig")
	const no = "Invalid or expired upload URL"
	for _, c := range []struct {
		rule, path, body string
		status           int
		want             string
	}{
		{"another's signature", with(p.MediaID, exp, sig), picture(1), 403, no},
		{"no signature", "/uploads/" + p.MediaID, picture(1), 403, no},
		{"a longer life", with(other.MediaID, exp+"0", sig), picture(1), 403, no},
		{"a signature cut short", with(other.MediaID, exp, sig[:len(sig)-1]), picture(1), 403, no},
		{"a malformed id", with("x", exp, sig), picture(1), 404, "Media file not found"},
		{"a web page", below(p.UploadURL), "<!DOCTYPE html><html></html>", 415, "The media cannot be taken: it is a web page and no picture or film: use the address of the file itself"},
		{"nothing", below(p.UploadURL), "", 415, "The media cannot be taken: it is empty"},
		{"too much", below(p.UploadURL), strings.Repeat("x", 201), 413, "The file is too large"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			d.do("PUT", c.path, c.body, "x-api-key", "", "Content-Type", "image/png").wantError(c.status, c.want)
		})
	}
	// The length may not be told beforehand, and the line may break.
	for _, c := range []struct {
		rule   string
		body   *bytes.Buffer
		broken bool
		status int
		want   string
	}{
		{"too much, not told", bytes.NewBufferString(strings.Repeat("x", 201)), false, 413, "The file is too large"},
		{"cut off", bytes.NewBufferString(picture(1)), true, 400, "The file did not arrive whole"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			r := httptest.NewRequestWithContext(d.Context(), "PUT", p.UploadURL, struct{ *bytes.Buffer }{c.body})
			if c.broken {
				r = httptest.NewRequestWithContext(d.Context(), "PUT", p.UploadURL, iotest.DataErrReader(iotest.TimeoutReader(iotest.OneByteReader(c.body))))
			}
			r.ContentLength = -1
			w := httptest.NewRecorder()
			d.api.ServeHTTP(w, r)
			answer{t, w.Code, w.Body.String(), w.Header()}.wantError(c.status, c.want)
		})
	}
	if g := d.group(id); !g.Media[0].Pending() || !g.Media[1].Pending() {
		t.Errorf("media came all the same: %+v", g.Media)
	}
	d.do("GET", strings.Replace(below(p.FileURL), p.MediaID, other.MediaID, 1), "").wantError(404, "Media file not found")
	d.put(other, picture(1)).stored()
	d.do("DELETE", "/delete-post/"+id, "").ok()
	d.put(p, picture(1)).wantError(404, "Media file not found")
	d.do("GET", below(other.FileURL), "").wantError(404, "Media file not found")
	d.forward(time.Hour)
	d.put(p, picture(1)).wantError(403, no) // a second too late
}

// CONTRACT §2.9, item 5, and P2: what is sent is sent with all its media, or not.
func TestAPostThatIsDueWaitsForItsUploads(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	id := d.create(`{"content":"Now","platforms":["mastodon-1"],"scheduledTime":"2026-03-02T08:00:00Z"}`)
	p := d.upload(id, "a.png")
	d.forward(10 * time.Minute)
	d.sendDue()
	if g := d.group(id); g.Status() != post.StatusScheduled {
		t.Fatalf("it is %s without its media", g.Status())
	}
	d.put(p, picture(1)).stored()
	d.sendDue()
	if g := d.group(id); g.Status() != post.StatusPublished {
		t.Fatalf("it is %s with its media", g.Status())
	}
	d.put(p, picture(1)).stored() // the same again
	d.put(p, picture(2)).wantError(400, "Cannot update post: post is currently in published status")

	id = d.create(`{"content":"Never","platforms":["mastodon-1"],"scheduledTime":"2026-03-02T08:00:00Z"}`)
	d.upload(id, "lost.png")
	d.sendDue()
	d.forward(90 * time.Minute)
	d.sendDue()
	var got struct {
		Posts []struct {
			Status string
			Error  struct {
				Code, Message string
				Retryable     bool
			}
		}
		Media []struct{ Status string }
	}
	d.do("GET", "/get-post/"+id, "").ok().into(&got)
	if e := got.Posts[0].Error; got.Posts[0].Status != "failed" || e.Code != "MEDIA_NOT_UPLOADED" || !strings.HasPrefix(e.Message, "its media was never uploaded: ") || e.Retryable || got.Media[0].Status != "missing" {
		t.Errorf("get-post shows %+v", got)
	}
}

func TestAPostTakesFiftyFilesAndTheirOrderIsThatOfTheCalls(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	id := d.create(draft)
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() { d.upload(id, fmt.Sprintf("%d.png", i)) })
	}
	wg.Wait()
	d.do("POST", "/get-upload-url", `{"fileName":"a","contentType":"image/png","postGroupId":"`+id+`"}`).wantError(400, "At most 50 files are possible in one post")
	if n := len(d.group(id).Media); n != 50 {
		t.Errorf("%d files, want 50", n)
	}
}

func TestAnUploadThatCannotBeSignedIsNotPromised(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	id := d.create(draft)
	d.api.MediaKey = func() ([]byte, error) { return nil, errors.New("no key") }
	d.do("POST", "/get-upload-url", `{"fileName":"a","contentType":"image/png","postGroupId":"`+id+`"}`).wantError(http.StatusInternalServerError, "Failed to create upload URL")
	if n := len(d.group(id).Media); n != 0 {
		t.Errorf("%d files were promised", n)
	}
}

// What is only promised is counted too: it will be there, or the post fails.
func TestAStoredPostIsValidatedWithItsMedia(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.account.Connections[0].Validate = func(c *post.Content) []post.Problem {
		return []post.Problem{{Code: "MEDIA_COUNT_EXCEEDED", Field: "media", Want: fmt.Sprintf("fewer than %d", len(c.Media))}}
	}
	id := d.create(draft)
	d.upload(id, "a.png")
	d.put(d.upload(id, "b.png"), picture(1)).stored()
	if got := d.do("POST", "/validate-post", `{"postGroupId":"`+id+`"}`).ok(); !strings.Contains(got.Body, "fewer than 2") {
		t.Errorf("got %s", got.Body)
	}
	for _, of := range []string{`"pg_1"`, `7`, `"507f1f77bcf86cd799439011"`} {
		d.do("POST", "/validate-post", `{"postGroupId":`+of+`}`).wantError(404, "Post group not found")
	}
}

// CONTRACT §5.2: altTexts goes by the places of the uploads.
func TestAltTextsGoToTheMediaAtTheirPlaces(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	id := d.create(`{"content":"Hello","platforms":["mastodon-1"],"altTexts":["a dog "," ",null,"a cat"]}`)
	alts := func() (out []string) {
		g := d.group(id)
		for i := range g.Media {
			out = append(out, g.Media[i].Alt)
		}
		return out
	}
	for i := range 4 {
		d.put(d.upload(id, fmt.Sprintf("%d.png", i)), picture(uint8(i))).stored()
	}
	d.do("POST", "/get-upload-url", `{"fileName":"x.png","contentType":"image/png","altText":"its own","postGroupId":"`+id+`"}`).ok()
	if got, want := alts(), []string{"a dog", "", "", "a cat", "its own"}; !slices.Equal(got, want) {
		t.Errorf("alternative texts %q, want %q", got, want)
	}
	d.do("PUT", "/update-post/"+id, `{"altTexts":"[\"a wolf\"]"}`).ok()
	d.do("PUT", "/update-post/"+id, `{"altTexts":null}`).wantError(400, "Either status or scheduledTime must be provided")
	if got, want := alts(), []string{"a wolf", "", "", "a cat", "its own"}; !slices.Equal(got, want) {
		t.Errorf("then alternative texts %q, want %q", got, want)
	}
	var made struct{ PostGroup struct{ Status string } }
	d.do("PUT", "/update-post/"+id, `{"altTexts":["1","2","3","4","5","6"],"status":"scheduled"}`).ok().into(&made)
	d.upload(id, "last.png")
	if got, want := alts(), []string{"1", "2", "3", "4", "5", "6"}; !slices.Equal(got, want) || made.PostGroup.Status != "scheduled" {
		t.Errorf("at last %s with alternative texts %q, want scheduled with %q", made.PostGroup.Status, got, want)
	}
	for _, bad := range []string{`{}`, `7`, `"x"`, `[7]`} {
		d.do("POST", "/create-post", `{"content":"Hello","platforms":["mastodon-1"],"altTexts":`+bad+`}`).wantError(400, "altTexts must be an array of strings")
	}
}

// A schedule that is refused takes the altTexts that came with it back.
func TestAltTextsOfARefusedScheduleAreNotKept(t *testing.T) {
	t.Parallel()
	d := newDesk(t, withPlan("starter"))
	id := d.create(`{"content":"Hello","platforms":["mastodon-1"],"altTexts":["a dog"]}`)
	d.upload(id, "0.png")
	alts := func() string { return d.group(id).Media[0].Alt + strings.Join(d.group(id).AltTexts, "") }
	if a := d.do("PUT", "/update-post/"+id, `{"altTexts":["a wolf"],"status":"scheduled","scheduledTime":"2027-03-02T09:00:00Z"}`); a.Status != 403 {
		t.Errorf("a time beyond the horizon is answered with %d", a.Status)
	}
	if got := alts(); got != "a doga dog" {
		t.Errorf("after a refused schedule the texts are %q", got)
	}
	d.do("PUT", "/update-post/"+id, `{"altTexts":["a wolf"],"status":"scheduled","scheduledTime":"2026-03-03T09:00:00Z"}`).ok()
	if got := alts(); got != "a wolfa wolf" {
		t.Errorf("after a schedule the texts are %q", got)
	}
}

// The original ignores altTexts, whatever it is.
func TestStrictlyAltTextsIsIgnored(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.set.StrictCompat = true
	id := d.create(`{"content":"Hello","platforms":["mastodon-1"],"altTexts":7}`)
	d.do("PUT", "/update-post/"+id, `{"altTexts":["x"]}`).wantError(400, "Either status or scheduledTime must be provided")
}
