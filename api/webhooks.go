package api

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/postroom/postroom/post"
)

// MostWebhooks is how many webhooks an account may have (CONTRACT §2.10).
const MostWebhooks = 10

// A Vault keeps secrets from whoever reads the store. What was sealed opens for
// the same owner only.
type Vault interface {
	Seal(text, owner string) []byte
	Open(sealed []byte, owner string) (string, error)
}

// OwnerOf is whose a webhook's secret is, as the vault knows it.
func OwnerOf(account post.AccountID) string { return "webhook of " + string(account) }

// The bodies of CONTRACT §2.10. Each call shows another part of a webhook, and the
// secret is shown when it is made and never again.
type (
	listedWebhooks struct {
		Success  bool            `json:"success"`
		Webhooks []listedWebhook `json:"webhooks"`
	}
	listedWebhook struct {
		ID              post.ID  `json:"_id"`
		Name            string   `json:"name"`
		URL             string   `json:"url"`
		Events          []string `json:"events"`
		IsActive        bool     `json:"isActive"`
		FailureCount    int      `json:"failureCount"`
		LastTriggeredAt stamp    `json:"lastTriggeredAt"`
		CreatedAt       stamp    `json:"createdAt"`
		UpdatedAt       stamp    `json:"updatedAt"`
	}
	createdWebhook struct {
		Success bool       `json:"success"`
		Webhook newWebhook `json:"webhook"`
	}
	newWebhook struct {
		ID        post.ID  `json:"_id"`
		Name      string   `json:"name"`
		URL       string   `json:"url"`
		Events    []string `json:"events"`
		Secret    string   `json:"secret"`
		IsActive  bool     `json:"isActive"`
		CreatedAt stamp    `json:"createdAt"`
	}
	changedWebhook struct {
		Success bool       `json:"success"`
		Webhook webhookNow `json:"webhook"`
	}
	webhookNow struct {
		ID        post.ID  `json:"_id"`
		Name      string   `json:"name"`
		URL       string   `json:"url"`
		Events    []string `json:"events"`
		IsActive  bool     `json:"isActive"`
		UpdatedAt stamp    `json:"updatedAt"`
	}
	newSecret struct {
		Success bool   `json:"success"`
		Secret  string `json:"secret"`
	}
)

func (a *API) listWebhooks(c *call) (any, error) {
	all, err := a.Store.Webhooks(c.Context(), c.account.ID)
	if err != nil {
		return nil, err
	}
	body := listedWebhooks{Success: true, Webhooks: make([]listedWebhook, len(all))}
	for i, w := range all {
		body.Webhooks[i] = listedWebhook{w.ID, w.Name, w.URL, w.Events, w.Active, w.Failures, stamp(w.LastAt), stamp(w.CreatedAt), stamp(w.UpdatedAt)}
	}
	return body, nil
}

const textWebhookFields = "Name, URL, and at least one event are required"

func (a *API) createWebhook(c *call) (any, error) {
	f, err := c.fields()
	if err != nil {
		return nil, err
	}
	name, named := f.text("name")
	to, addressed := f.text("url")
	events, listed := f.list("events")
	if name = strings.TrimSpace(name); !named || name == "" || !addressed || to == "" || !listed || len(events) == 0 {
		return nil, errBadRequest(textWebhookFields)
	}
	to = strings.TrimSpace(to) // as it is checked, and called
	if err := c.checkURL(to); err != nil {
		return nil, err
	}
	if unknown := c.unknownEvents(events); len(unknown) > 0 {
		return nil, errEvents("Invalid events: " + strings.Join(unknown, ", ") + ". Valid events: " + strings.Join(c.events(), ", "))
	}
	secret := newSecretText()
	w := post.Webhook{Account: c.account.ID, Name: name, URL: to, Events: unique(events), Active: true, Secret: a.Vault.Seal(secret, OwnerOf(c.account.ID))}
	err = a.Store.AddWebhook(c.Context(), &w, MostWebhooks)
	if _, many := errors.AsType[*post.CapExceeded](err); many {
		return nil, &Error{Status: http.StatusBadRequest, Text: "Maximum of 10 webhooks per user", Code: "TOO_MANY_WEBHOOKS"}
	}
	if err != nil {
		return nil, err
	}
	return answered{http.StatusCreated, createdWebhook{true, newWebhook{w.ID, w.Name, w.URL, w.Events, secret, w.Active, stamp(w.CreatedAt)}}}, nil
}

// updateWebhook changes what is given: texts and lists unless they are empty,
// isActive only when it is true or false.
func (a *API) updateWebhook(c *call) (any, error) {
	id, err := c.webhookID()
	if err != nil {
		return nil, err
	}
	f, err := c.fields()
	if err != nil {
		return nil, err
	}
	if err := c.ownWebhook(id); err != nil {
		return nil, err
	}
	name, _ := f.text("name")
	to, _ := f.text("url")
	to = strings.TrimSpace(to)
	events, _ := f.list("events")
	if to == "" && !f.absent("url") {
		return nil, errURL("Invalid URL format")
	}
	if to != "" {
		if err := c.checkURL(to); err != nil {
			return nil, err
		}
	}
	if unknown := c.unknownEvents(events); len(unknown) > 0 {
		return nil, errEvents("Invalid events: " + strings.Join(unknown, ", "))
	}
	w, err := a.Store.EditWebhook(c.Context(), c.account.ID, id, func(w *post.Webhook) {
		if s := strings.TrimSpace(name); s != "" {
			w.Name = s
		}
		if to != "" {
			w.URL = to
		}
		if len(events) > 0 {
			w.Events = unique(events)
		}
		switch string(f["isActive"]) {
		case "true":
			w.Active = true
		case "false":
			w.Active = false
		}
	})
	if err != nil {
		return nil, noWebhook(err)
	}
	return changedWebhook{true, webhookNow{w.ID, w.Name, w.URL, w.Events, w.Active, stamp(w.UpdatedAt)}}, nil
}

func (a *API) deleteWebhook(c *call) (any, error) {
	id, err := c.webhookID()
	if err != nil {
		return nil, err
	}
	if err := a.Store.DeleteWebhook(c.Context(), c.account.ID, id); err != nil {
		return nil, noWebhook(err)
	}
	return done{true}, nil
}

// regenerateSecret gives a webhook a new secret. What waits is signed with it too.
func (a *API) regenerateSecret(c *call) (any, error) {
	id, err := c.webhookID()
	if err != nil {
		return nil, err
	}
	secret := newSecretText()
	sealed := a.Vault.Seal(secret, OwnerOf(c.account.ID))
	if _, err := a.Store.EditWebhook(c.Context(), c.account.ID, id, func(w *post.Webhook) { w.Secret = sealed }); err != nil {
		return nil, noWebhook(err)
	}
	return newSecret{true, secret}, nil
}

// newSecretText makes a secret of 32 random bytes, in hexadecimal digits.
func newSecretText() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // it ends the program rather than fail
	return hex.EncodeToString(b[:])
}

// webhookID reads the id in the path. One that is malformed names no webhook
// (CONTRACT §12 D1; the original answers 500).
func (c *call) webhookID() (post.ID, error) {
	id, err := post.ParseID(c.PathValue("id"))
	if err != nil && !c.set.StrictCompat {
		err = errNotFound(textNoWebhook)
	}
	return id, err
}

const textNoWebhook = "Webhook not found"

// ownWebhook refuses an id that is none of the caller's webhooks'.
func (c *call) ownWebhook(id post.ID) error {
	all, err := c.api.Store.Webhooks(c.Context(), c.account.ID)
	if err == nil && !slices.ContainsFunc(all, func(w post.Webhook) bool { return w.ID == id }) {
		err = errNotFound(textNoWebhook)
	}
	return err
}

func noWebhook(err error) error {
	if errors.Is(err, post.ErrNotFound) {
		return errNotFound(textNoWebhook)
	}
	return err
}

// fields reads a JSON body as an object.
func (c *call) fields() (fields, error) {
	b, err := c.body()
	if err != nil {
		return nil, err
	}
	return parseFields(b)
}

// list returns a field that is a list, each member as JavaScript would write it.
func (f fields) list(name string) (all []string, ok bool) {
	var each []json.RawMessage
	if v := f[name]; len(v) == 0 || v[0] != '[' || json.Unmarshal(v, &each) != nil {
		return nil, false
	}
	for _, e := range each {
		all = append(all, asJavaScript(e))
	}
	return all, true
}

// events are those that a webhook may ask for.
func (c *call) events() []string {
	if c.set.StrictCompat {
		return post.ContractEvents
	}
	return post.Events
}

func (c *call) unknownEvents(given []string) (unknown []string) {
	for _, e := range given {
		if !slices.Contains(c.events(), e) {
			unknown = append(unknown, e)
		}
	}
	return unknown
}

// unique drops repeats and keeps the order.
func unique(all []string) (out []string) {
	for _, e := range all {
		if !slices.Contains(out, e) {
			out = append(out, e)
		}
	}
	return out
}

func errEvents(text string) error {
	return &Error{Status: http.StatusBadRequest, Text: text, Code: "INVALID_EVENTS"}
}

func errURL(text string) error {
	return &Error{Status: http.StatusBadRequest, Text: text, Code: "INVALID_WEBHOOK_URL"}
}

// checkURL refuses a URL that no webhook may have, by the order of CONTRACT §2.10.
// What a name resolves to is looked at when it is called: a check here would be of
// another moment.
func (c *call) checkURL(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Scheme == "" {
		return errURL("Invalid URL format")
	}
	if u.Scheme != "https" && u.Scheme != "http" {
		return errURL("URL must use HTTPS")
	}
	if u.Hostname() == "" {
		return errURL("Invalid URL format")
	}
	if c.set.AllowPrivateWebhooks {
		return nil
	}
	if why := refuseHost(strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))); why != "" {
		return errURL(why)
	}
	if p := u.Port(); p != "" && p != "80" && p != "443" {
		return errURL("Only ports 80 and 443 are allowed")
	}
	return nil
}

const (
	textLocalhost = "Localhost URLs are not allowed"
	textPrivate   = "Private IP addresses are not allowed"
	textLinkLocal = "Link-local addresses are not allowed"
	textMetadata  = "Cloud metadata endpoints are not allowed"
)

// metadataHosts are where clouds tell their machines what they are.
var metadataHosts = []string{"metadata", "metadata.google.internal", "metadata.goog", "instance-data", "instance-data.ec2.internal"}

// metadataAddrs are those that are neither link-local nor in a private range.
var metadataAddrs = []netip.Addr{netip.MustParseAddr("168.63.129.16"), netip.MustParseAddr("100.100.100.200"), netip.MustParseAddr("fd00:ec2::254")}

// carrierNAT is RFC 6598's shared address space: private as well.
var carrierNAT = netip.MustParsePrefix("100.64.0.0/10")

// hostAddr reads a host that is an address, also in the forms of IPv4 that the
// original's URLs take for one: 127.1, 2130706433, 0x7f.0.0.1.
func hostAddr(host string) (netip.Addr, bool) {
	if a, err := netip.ParseAddr(host); err == nil {
		return a.Unmap().WithZone(""), true
	}
	parts := strings.Split(host, ".")
	var v uint64
	for i, p := range parts {
		bits := 8
		if i == len(parts)-1 {
			bits = 8 * (4 - i) // the last number is all that is left
		}
		n, err := strconv.ParseUint(p, 0, 32)
		if i > 3 || err != nil || n>>bits > 0 {
			return netip.Addr{}, false
		}
		v = v<<bits | n
	}
	return netip.AddrFrom4([4]byte{byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)}), true
}

// refuseHost says why a host may not be called, "" when it may.
func refuseHost(host string) string {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return textLocalhost
	}
	if slices.Contains(metadataHosts, host) {
		return textMetadata
	}
	a, ok := hostAddr(host)
	switch {
	case !ok:
		return ""
	case slices.Contains(metadataAddrs, a):
		return textMetadata
	case a.IsLoopback(), a.IsUnspecified():
		return textLocalhost
	case a.IsLinkLocalUnicast(), a.IsLinkLocalMulticast():
		return textLinkLocal
	case a.IsPrivate(), carrierNAT.Contains(a), a.IsMulticast():
		return textPrivate
	}
	return ""
}
