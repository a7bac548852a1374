package twitter

import (
	"strings"
	"testing"
)

// The values are those of RFC 5849 §1.2, as far as the method allows: its example
// is a request with parameters in the query and no others.
func TestCallsAreSignedAsOAuthWants(t *testing.T) {
	t.Parallel()
	fixed := func(s string) func() string { return func() string { return s } }
	k := Keys{Key: fixed("dpf43f3p2l4k3l03"), KeySecret: fixed("kd94hf93k423kf44"), Token: fixed("nnch734d00sl2jdk"), TokenSecret: fixed("pfkkdhi9sl3r4s00")}
	got, err := k.signed("GET", "http://photos.example.net/photos?file=vacation.jpg&size=original", "1191242096", "kllo9940pd9333jh")
	if err != nil {
		t.Fatal(err)
	}
	if want := `oauth_signature="tR3%2BTy81lMeYAr%2FFid0kMTYa%2FWM%3D"`; !strings.Contains(got, want) {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestEscapingKeepsWhatOAuthKeeps(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]string{"Az09-._~": "Az09-._~", "a b+c": "a%20b%2Bc", "☃*": "%E2%98%83%2A"} {
		if got := escape(s); got != want {
			t.Errorf("%q: got %s, want %s", s, got, want)
		}
	}
}
