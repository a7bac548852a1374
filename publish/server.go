package publish

import (
	"errors"
	"net"
	"net/url"
	"strings"
)

// CheckServer reports what is wrong with the base URL of a platform's API: it is
// https, or http on this machine or where plain allows it, and has no credentials,
// query or fragment.
func CheckServer(raw string, plain bool) error {
	u, err := url.Parse(raw)
	if err == nil && u.RawQuery != "" {
		err = errors.New("it has a query")
	}
	return checkURL(u, err, plain)
}

// CheckUpload is CheckServer for an address that a platform gives to upload a file to,
// of which a query is a part: the signature stands in it.
func CheckUpload(raw string) error {
	u, err := url.Parse(raw)
	return checkURL(u, err, false)
}

func checkURL(u *url.URL, err error, plain bool) error {
	switch {
	case err != nil || u.Host == "" || u.User != nil || u.Fragment != "":
		return errors.New("want a URL of https")
	case u.Scheme == "https", u.Scheme == "http" && (plain || loopback(u.Hostname())):
		return nil
	}
	return errors.New("want https, as the credentials go with every call")
}

// IsOf reports whether an address that a platform gives is the platform's own, so that
// the token may go there: on the server of api, or by https on one below domain.
func IsOf(to, api, domain string) bool {
	at, err := url.Parse(to)
	own, ownErr := url.Parse(api)
	if err != nil || ownErr != nil || at.User != nil {
		return false
	}
	return at.Scheme == own.Scheme && at.Host == own.Host ||
		at.Scheme == "https" && (at.Hostname() == domain || strings.HasSuffix(at.Hostname(), "."+domain))
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
