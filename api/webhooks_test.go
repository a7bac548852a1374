package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom/api"
	"github.com/postroom/postroom/post"
)

const goodHook = `{"name":"desk","url":"https://example.org/in","events":["post.published","post.failed"]}`

// madeHook is what making a webhook answers.
type madeHook struct {
	Webhook struct {
		ID        string `json:"_id"`
		Secret    string
		CreatedAt string
	}
}

// hook makes a webhook of a body.
func (d *desk) hook(body string) madeHook {
	d.Helper()
	a := d.do("POST", "/webhooks", body)
	if a.Status != http.StatusCreated {
		d.Fatalf("got %d %s", a.Status, a.Body)
	}
	var m madeHook
	a.into(&m)
	return m
}

// CONTRACT §2.10: the bodies of every call, field by field.
func TestWebhooksAreMadeListedChangedAndDeleted(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.do("GET", "/webhooks", "").want(200, `{"success":true,"webhooks":[]}`)

	a := d.do("POST", "/webhooks", goodHook)
	var m madeHook
	a.into(&m)
	id, secret, at := m.Webhook.ID, m.Webhook.Secret, "2026-03-02T08:00:00.000Z"
	a.want(201, `{"success":true,"webhook":{"_id":"`+id+`","name":"desk","url":"https://example.org/in","events":["post.published","post.failed"],"secret":"`+secret+`","isActive":true,"createdAt":"`+at+`"}}`)
	d.do("GET", "/webhooks", "").want(200, `{"success":true,"webhooks":[{"_id":"`+id+`","name":"desk","url":"https://example.org/in","events":["post.published","post.failed"],"isActive":true,"failureCount":0,"lastTriggeredAt":null,"createdAt":"`+at+`","updatedAt":"`+at+`"}]}`)

	d.forward(time.Minute)
	later := "2026-03-02T08:01:00.000Z"
	changed := func(name, url, events, active string) string {
		return `{"success":true,"webhook":{"_id":"` + id + `","name":"` + name + `","url":"` + url + `","events":[` + events + `],"isActive":` + active + `,"updatedAt":"` + later + `"}}`
	}
	const both = `"post.published","post.failed"`
	for _, test := range []struct{ body, want string }{
		{`{"name":"new"}`, changed("new", "https://example.org/in", both, "true")},
		{`{"url":"http://example.org/x"}`, changed("new", "http://example.org/x", both, "true")},
		{`{"events":["token.expiring","token.expiring"]}`, changed("new", "http://example.org/x", `"token.expiring"`, "true")},
		{`{"isActive":false}`, changed("new", "http://example.org/x", `"token.expiring"`, "false")},
		// Only what is truthy counts, and isActive only as a boolean.
		{`{"name":"","url":"","events":[],"isActive":"true"}`, changed("new", "http://example.org/x", `"token.expiring"`, "false")},
		{`{"name":null,"url":null,"events":null,"isActive":1}`, changed("new", "http://example.org/x", `"token.expiring"`, "false")},
		{`{}`, changed("new", "http://example.org/x", `"token.expiring"`, "false")},
		{``, changed("new", "http://example.org/x", `"token.expiring"`, "false")},
		{`{"isActive":true}`, changed("new", "http://example.org/x", `"token.expiring"`, "true")},
	} {
		d.do("PATCH", "/webhooks/"+id, test.body).want(200, test.want)
	}

	a = d.do("POST", "/webhooks/"+id+"/regenerate-secret", "")
	var again struct{ Secret string }
	a.into(&again)
	a.want(200, `{"success":true,"secret":"`+again.Secret+`"}`)
	if again.Secret == secret || len(again.Secret) != 64 {
		t.Errorf("secrets %q and %q", secret, again.Secret)
	}
	d.do("DELETE", "/webhooks/"+id, "").want(200, `{"success":true}`)
	d.do("DELETE", "/webhooks/"+id, "").wantError(404, "Webhook not found")
	d.do("GET", "/webhooks", "").want(200, `{"success":true,"webhooks":[]}`)
}

// A URL with spaces around it was checked without them and called with them: no
// delivery could ever be made.
func TestTheURLOfAWebhookIsKeptAsItIsChecked(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	var made, changed struct{ Webhook struct{ URL string } }
	d.do("POST", "/webhooks", `{"name":"n","url":" https://example.org/in\n","events":["post.failed"]}`).into(&made)
	if made.Webhook.URL != "https://example.org/in" {
		t.Errorf("made with the URL %q", made.Webhook.URL)
	}
	var all struct {
		Webhooks []struct {
			ID string `json:"_id"`
		}
	}
	d.do("GET", "/webhooks", "").ok().into(&all)
	d.do("PATCH", "/webhooks/"+all.Webhooks[0].ID, `{"url":"\thttps://example.org/other "}`).ok().into(&changed)
	if changed.Webhook.URL != "https://example.org/other" {
		t.Errorf("changed to the URL %q", changed.Webhook.URL)
	}
	d.do("POST", "/webhooks", `{"name":"n","url":"  ","events":["post.failed"]}`).wantError(400, "Invalid URL format")
	d.do("PATCH", "/webhooks/"+all.Webhooks[0].ID, `{"url":"  "}`).wantError(400, "Invalid URL format")
}

// CONTRACT §2.10, the table of validations, in its order.
func TestAWebhookIsRefusedInTheContractsWords(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	const required = "Name, URL, and at least one event are required"
	body := func(url string) string { return `{"name":"n","url":"` + url + `","events":["post.failed"]}` }
	for _, test := range []struct{ body, want string }{
		{``, required},
		{`{}`, required},
		{`{"url":"nonsense","events":["nonsense"]}`, required},
		{`{"name":"  ","url":"nonsense","events":["nonsense"]}`, required},
		{`{"name":"n","events":["nonsense"]}`, required},
		{`{"name":"n","url":"nonsense"}`, required},
		{`{"name":"n","url":"nonsense","events":[]}`, required},
		{`{"name":"n","url":"nonsense","events":"post.failed"}`, required},
		{`{"name":"n","url":7,"events":["post.failed"]}`, required},
		{`{"name":"n","url":"nonsense","events":["nonsense"]}`, "Invalid URL format"},
		{body("https://"), "Invalid URL format"},
		{body("//example.org"), "Invalid URL format"},
		{body("https://exa mple.org"), "Invalid URL format"},
		{body("ftp://localhost"), "URL must use HTTPS"},
		{body("javascript:alert(1)"), "URL must use HTTPS"},
		{body("http://localhost/x"), "Localhost URLs are not allowed"},
		{body("https://LOCALHOST:9/x"), "Localhost URLs are not allowed"},
		{body("https://a.localhost"), "Localhost URLs are not allowed"},
		{body("https://localhost."), "Localhost URLs are not allowed"},
		{body("https://127.0.0.1"), "Localhost URLs are not allowed"},
		{body("https://127.8.8.8"), "Localhost URLs are not allowed"},
		{body("https://0.0.0.0"), "Localhost URLs are not allowed"},
		{body("https://127.1"), "Localhost URLs are not allowed"},
		{body("https://2130706433/x"), "Localhost URLs are not allowed"},
		{body("https://0x7f.0.0.1"), "Localhost URLs are not allowed"},
		{body("https://0177.0.0.01"), "Localhost URLs are not allowed"},
		{body("https://10.1"), "Private IP addresses are not allowed"},
		{body("https://0xa9fea9fe"), "Link-local addresses are not allowed"},
		{body("https://[::1]:443"), "Localhost URLs are not allowed"},
		{body("https://[::ffff:127.0.0.1]"), "Localhost URLs are not allowed"},
		{body("https://10.0.0.1"), "Private IP addresses are not allowed"},
		{body("https://172.16.0.1"), "Private IP addresses are not allowed"},
		{body("https://172.31.255.255"), "Private IP addresses are not allowed"},
		{body("https://192.168.1.1"), "Private IP addresses are not allowed"},
		{body("https://[fd12::1]"), "Private IP addresses are not allowed"},
		{body("https://[::ffff:10.0.0.1]"), "Private IP addresses are not allowed"},
		{body("https://100.64.0.1"), "Private IP addresses are not allowed"},
		{body("https://169.254.169.254/latest"), "Link-local addresses are not allowed"},
		{body("https://[fe80::1]"), "Link-local addresses are not allowed"},
		{body("https://metadata.google.internal"), "Cloud metadata endpoints are not allowed"},
		{body("https://168.63.129.16"), "Cloud metadata endpoints are not allowed"},
		{body("https://100.100.100.200"), "Cloud metadata endpoints are not allowed"},
		{body("https://[fd00:ec2::254]"), "Cloud metadata endpoints are not allowed"},
		{body("https://example.org:8443"), "Only ports 80 and 443 are allowed"},
		{`{"name":"n","url":"https://example.org","events":["post.failed","post.liked",7]}`, "Invalid events: post.liked, 7. Valid events: post.scheduled, post.published, post.failed, token.expiring, post.at_risk"},
	} {
		a := d.do("POST", "/webhooks", test.body)
		if a.wantError(400, test.want); t.Failed() {
			t.Fatalf("for %s", test.body)
		}
	}
	d.do("POST", "/webhooks", `{`).wantError(400, "Invalid JSON body")
	d.do("GET", "/webhooks", "", "x-api-key", "").wantError(401, "API key is required")

	for _, url := range []string{"https://93.184.216.34", "https://256.1", "https://1.2.3.4.5", "https://4294967296", "https://08.example.org"} {
		d.hook(body(url)) // of addresses that are public, and names that are no address
	}
	for range api.MostWebhooks - 5 {
		d.hook(goodHook)
	}
	d.do("POST", "/webhooks", goodHook).wantError(400, "Maximum of 10 webhooks per user")
}

func TestAChangeOfAWebhookIsRefusedInTheContractsWords(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	id := d.hook(goodHook).Webhook.ID
	for _, test := range []struct {
		body, want string
	}{
		{`{"url":"nonsense"}`, "Invalid URL format"},
		{`{"url":7}`, "Invalid URL format"},
		{`{"url":"ftp://a"}`, "URL must use HTTPS"},
		{`{"url":"https://10.1.1.1","events":["x"]}`, "Private IP addresses are not allowed"},
		{`{"events":["x","post.failed","y"]}`, "Invalid events: x, y"},
		{`{`, "Invalid JSON body"},
	} {
		d.do("PATCH", "/webhooks/"+id, test.body).wantError(400, test.want)
	}
	// The webhook that is not there comes before what is wrong with the change.
	const nobody = "507f1f77bcf86cd799439011"
	for _, path := range []string{"/webhooks/" + nobody, "/webhooks/nonsense"} {
		d.do("PATCH", path, `{"url":"nonsense"}`).wantError(404, "Webhook not found")
		d.do("DELETE", path, "").wantError(404, "Webhook not found")
		d.do("POST", path+"/regenerate-secret", "").wantError(404, "Webhook not found")
	}
	d.set.StrictCompat = true // CONTRACT §12 D1
	d.do("PATCH", "/webhooks/nonsense", `{}`).want(500, `{"error":"Failed to update webhook"}`)
	d.do("DELETE", "/webhooks/nonsense", "").want(500, `{"error":"Failed to delete webhook"}`)
	d.do("POST", "/webhooks/nonsense/regenerate-secret", "").want(500, `{"error":"Failed to regenerate secret"}`)
}

// Another account's webhook is as one that is not there.
func TestAnAccountReachesOnlyItsOwnWebhooks(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	w := post.Webhook{Account: "other", Name: "n", URL: "https://example.org", Events: post.Events, Active: true}
	if err := d.store.AddWebhook(t.Context(), &w, 1); err != nil {
		t.Fatal(err)
	}
	d.do("GET", "/webhooks", "").want(200, `{"success":true,"webhooks":[]}`)
	path := "/webhooks/" + w.ID.String()
	d.do("PATCH", path, `{"name":"mine"}`).wantError(404, "Webhook not found")
	d.do("DELETE", path, "").wantError(404, "Webhook not found")
	d.do("POST", path+"/regenerate-secret", "").wantError(404, "Webhook not found")
}

// CONTRACT §12 D11.
func TestPrivateWebhooksAreForThoseWhoSaySo(t *testing.T) {
	t.Parallel()
	d := newDesk(t, func(d *desk) { d.set.AllowPrivateWebhooks = true })
	for i, url := range []string{"http://127.0.0.1:9000/x", "http://printer.localhost", "https://10.0.0.1:8443"} {
		d.hook(fmt.Sprintf(`{"name":"%d","url":"%s","events":["post.failed"]}`, i, url))
	}
	d.do("POST", "/webhooks", `{"name":"n","url":"ftp://10.0.0.1","events":["post.failed"]}`).wantError(400, "URL must use HTTPS")
}

func TestP8_TheSecretOfAWebhookIsShownOnceAndStoredSealed(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	m := d.hook(goodHook)
	all, err := d.store.Webhooks(t.Context(), "acme")
	if err != nil || len(all) != 1 {
		t.Fatal(all, err)
	}
	if strings.Contains(string(all[0].Secret), m.Webhook.Secret) || len(all[0].Secret) == 0 {
		t.Error("the store holds the secret as it is")
	}
	if list := d.do("GET", "/webhooks", ""); strings.Contains(list.Body, m.Webhook.Secret) || strings.Contains(list.Body, "secret") {
		t.Errorf("the list shows a secret: %s", list.Body)
	}
}

// What the contract does not know cannot be asked for when it is to be strict.
func TestStrictWebhooksKnowTheContractsEvents(t *testing.T) {
	t.Parallel()
	const body = `{"name":"n","url":"https://example.org","events":["post.at_risk"]}`
	newDesk(t, strict).do("POST", "/webhooks", body).wantError(400, "Invalid events: post.at_risk. Valid events: post.scheduled, post.published, post.failed, token.expiring")
	if a := newDesk(t).do("POST", "/webhooks", body); a.Status != 201 {
		t.Errorf("%d %s", a.Status, a.Body)
	}
}
