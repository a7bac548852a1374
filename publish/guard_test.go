package publish

import (
	"context"
	"testing"
)

func TestGuardRefusesWhatIsNotPublic(t *testing.T) {
	t.Parallel()
	for address, ok := range map[string]bool{
		"93.184.215.14:443": true, "93.184.215.14:80": true, "[2606:2800:21f::1]:443": true,
		"93.184.215.14:8080": false, "93.184.215.14:22": false,
		"127.0.0.1:443": false, "127.8.8.8:443": false, "0.0.0.0:80": false, "10.1.2.3:80": false, "172.31.0.1:443": false,
		"192.168.1.1:80": false, "169.254.169.254:80": false, "100.100.100.200:80": false, "168.63.129.16:80": false,
		"198.18.0.1:80": false, "192.0.2.1:80": false, "224.0.0.1:80": false, "255.255.255.255:80": false,
		"[::1]:443": false, "[::]:443": false, "[fe80::1%eth0]:443": false, "[fd00:ec2::254]:80": false, "[ff02::1]:80": false,
		"[::ffff:127.0.0.1]:443": false, "[::ffff:10.0.0.1]:443": false, "[::127.0.0.1]:443": false,
		"[64:ff9b::7f00:1]:443": false, "[2002:7f00:1::]:443": false, "[2001::1]:443": false, "[2001:db8::1]:443": false,
		"not an address": false, "": false,
	} {
		if err := (Guard{}).Control(context.Background(), "tcp", address, nil); (err == nil) != ok {
			t.Errorf("%s: %v, want allowed %v", address, err, ok)
		}
		if err := (Guard{AllowPrivate: true}).Control(context.Background(), "tcp", address, nil); err != nil {
			t.Errorf("%s, private allowed: %v", address, err)
		}
	}
}
