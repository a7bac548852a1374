package twitter

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Keys are the four secrets of OAuth 1.0a, as the developer portal shows them.
// They are functions so that no print of a config shows them.
type Keys struct {
	Key, KeySecret     func() string // of the app
	Token, TokenSecret func() string // of the user
}

func (k *Keys) check() error {
	for _, part := range []func() string{k.Key, k.KeySecret, k.Token, k.TokenSecret} {
		if part == nil || part() == "" {
			return errors.New("want all four keys of OAuth 1.0a")
		}
	}
	return nil
}

func (k *Keys) secrets() []string {
	return []string{k.Key(), k.KeySecret(), k.Token(), k.TokenSecret()}
}

// sign returns the Authorization header of a call whose body is no form (RFC
// 5849 §3.4 and §3.5.1).
func (k *Keys) sign(method, raw string, now time.Time) (string, error) {
	return k.signed(method, raw, strconv.FormatInt(now.Unix(), 10), rand.Text())
}

func (k *Keys) signed(method, raw, timestamp, nonce string) (string, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return "", fmt.Errorf("sign the call: %w", err)
	}
	own := [][2]string{
		{"oauth_consumer_key", k.Key()}, {"oauth_nonce", nonce}, {"oauth_signature_method", "HMAC-SHA1"},
		{"oauth_timestamp", timestamp}, {"oauth_token", k.Token()}, {"oauth_version", "1.0"},
	}
	var all []string
	for _, p := range own {
		all = append(all, escape(p[0])+"="+escape(p[1]))
	}
	for name, values := range u.Query() {
		for _, v := range values {
			all = append(all, escape(name)+"="+escape(v))
		}
	}
	slices.Sort(all)
	base := strings.Join([]string{method, escape(u.Scheme + "://" + u.Host + u.EscapedPath()), escape(strings.Join(all, "&"))}, "&")
	mac := hmac.New(sha1.New, []byte(escape(k.KeySecret())+"&"+escape(k.TokenSecret())))
	mac.Write([]byte(base))
	own = append(own, [2]string{"oauth_signature", base64.StdEncoding.EncodeToString(mac.Sum(nil))})
	var b strings.Builder
	for i, p := range own {
		b.WriteString([]string{"OAuth ", ", "}[min(i, 1)])
		fmt.Fprintf(&b, `%s="%s"`, p[0], escape(p[1]))
	}
	return b.String(), nil
}

// escape is percent-encoding as RFC 5849 §3.6 wants it: all but letters, digits
// and -._~.
func escape(s string) string {
	return strings.NewReplacer("+", "%20").Replace(url.QueryEscape(s))
}
