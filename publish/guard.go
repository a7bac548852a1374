package publish

import (
	"context"
	"fmt"
	"net/netip"
	"syscall"
)

// A Guard keeps requests to URLs that came from content or from callers away
// from this machine and the networks around it (SSRF). It looks at the address
// that is dialled, so that a name which resolves anew between check and use
// gains nothing. The zero value allows public addresses on ports 80 and 443.
type Guard struct {
	AllowPrivate bool // every address and port, for receivers inside, and for tests on loopback
}

// guardError is a refusal to dial.
type guardError struct{ addr, why string }

func (e *guardError) Error() string {
	return fmt.Sprintf("refused to connect to %s: %s", e.addr, e.why)
}

// forbidden are the special-purpose ranges of the IANA registries (RFC 6890),
// the ranges that carry IPv4 addresses inside IPv6 ones, and the address of
// Azure's metadata service, which looks public.
var forbidden = func() []netip.Prefix {
	var out []netip.Prefix
	for _, s := range []string{
		"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
		"192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15",
		"198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4", "168.63.129.16/32",
		"::/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16",
		"3fff::/20", "5f00::/16", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8",
	} {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}()

// Control is a net.Dialer's ControlContext: it refuses the dial or lets it be.
func (g Guard) Control(_ context.Context, _, address string, _ syscall.RawConn) error {
	if g.AllowPrivate {
		return nil
	}
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return &guardError{address, "not an address"}
	}
	if why := refusal(to.Addr()); why != "" {
		return &guardError{address, why}
	}
	if to.Port() != 80 && to.Port() != 443 {
		return &guardError{address, "only ports 80 and 443 are allowed"}
	}
	return nil
}

func refusal(a netip.Addr) string {
	a = a.Unmap().WithZone("")
	for _, p := range forbidden {
		if p.Contains(a) {
			return "not a public address"
		}
	}
	return ""
}
