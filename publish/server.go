package publish

import (
	"errors"
	"net"
	"net/url"
)

// CheckServer reports what is wrong with the base URL of a platform's API: it is
// https, or http on this machine or where plain allows it, and has no credentials,
// query or fragment.
func CheckServer(raw string, plain bool) error {
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return errors.New("want a URL of https")
	case u.Scheme == "https", u.Scheme == "http" && (plain || loopback(u.Hostname())):
		return nil
	}
	return errors.New("want https, as the credentials go with every call")
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
