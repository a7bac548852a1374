package main

import (
	"net"
	"net/url"
	"strconv"
	"strings"

	"github.com/postroom/postroom/post"
)

// listenAddress reads host:port, or off.
var listenAddress = parser[string]{
	want: "an address like 127.0.0.1:8080, or off",
	parse: func(text string) (string, string, bool) {
		if text == "" || strings.EqualFold(text, "off") {
			return "", "", true
		}
		if n, err := strconv.ParseUint(text, 10, 16); err == nil {
			return "", "did you mean 127.0.0.1:" + strconv.FormatUint(n, 10) + "?", false
		}
		_, port, err := net.SplitHostPort(text)
		if err != nil {
			return "", "", false
		}
		_, err = strconv.ParseUint(port, 10, 16)
		return text, "", err == nil
	},
}

// readListen refuses an address that other machines reach, unless the config
// says that this is meant: nothing on it is encrypted.
func (c *Config) readListen(v value) {
	scalar(&c.Listen, listenAddress)(v)
	if c.Listen == "" || c.ListenOpenly {
		return
	}
	host, _, err := net.SplitHostPort(c.Listen)
	if ip := net.ParseIP(host); err == nil && (host == "localhost" || ip != nil && ip.IsLoopback()) {
		return
	}
	v.problem(post.Problem{
		Got: post.Shorten(c.Listen), Want: "an address of this machine alone, like 127.0.0.1:8080: what is served is not encrypted",
		Hint: "put a reverse proxy with TLS before it, or add listen_openly: true",
	})
}

// readHeartbeat reads a URL without ever showing it: it is a key to a check.
func (c *Config) readHeartbeat(v value) {
	const want = "want a URL like https://example.org/ping"
	text, ok := v.text(want)
	if !ok {
		return
	}
	u, err := url.Parse(strings.TrimSpace(text))
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		v.problem(post.Problem{Want: want})
		return
	}
	c.HeartbeatURL = u.String()
}

// origins reads the web sites whose scripts may use the API.
func (v value) origins() []string {
	var all []string
	v.list("origins, like [https://desk.example.org]", func(v value) {
		origin := ""
		scalar(&origin, parser[string]{want: "an origin like https://desk.example.org, or \"*\" for all", parse: func(text string) (string, string, bool) {
			u, err := url.Parse(text)
			ok := text == "*" || err == nil && u.Host != "" && (u.Scheme == "http" || u.Scheme == "https") && u.Path == "" && u.RawQuery == "" && u.User == nil
			return text, "", ok
		}})(v)
		if origin != "" {
			all = append(all, origin)
		}
	})
	return all
}
