package publish

import "testing"

func TestServersAreCalledWithoutASecretInTheClear(t *testing.T) {
	t.Parallel()
	for raw, ok := range map[string][2]bool{ // without and with plain
		"https://api.example":           {true, true},
		"https://api.example/v1":        {true, true},
		"http://api.example":            {false, true},
		"http://127.0.0.1:80":           {true, true},
		"http://[::1]:80":               {true, true},
		"http://localhost:80":           {true, true},
		"ftp://api.example":             {false, false},
		"https://me:secret@api.example": {false, false},
		"https://api.example/?a=b":      {false, false},
		"https://api.example/#a":        {false, false},
		"api.example":                   {false, false},
		"":                              {false, false},
	} {
		for i, plain := range []bool{false, true} {
			if err := CheckServer(raw, plain); (err == nil) != ok[i] {
				t.Errorf("%q, plain %v: %v", raw, plain, err)
			}
		}
	}
}

func TestPlacesToUploadToMayBeSigned(t *testing.T) {
	t.Parallel()
	for raw, ok := range map[string]bool{
		"https://uploads.example/a?X-Amz-Signature=b": true,
		"https://uploads.example/a":                   true,
		"http://127.0.0.1:80/a?sig=b":                 true,
		"http://uploads.example/a?sig=b":              false,
		"https://me:secret@uploads.example/a":         false,
		"/a?sig=b":                                    false,
		"":                                            false,
	} {
		if err := CheckUpload(raw); (err == nil) != ok {
			t.Errorf("%q: %v", raw, err)
		}
	}
}

func TestTokensGoToThePlatformAlone(t *testing.T) {
	t.Parallel()
	for to, ok := range map[string]bool{
		"https://api.example.com/upload?a=b":  true,
		"https://up.example.com/a":            true,
		"https://example.com/a":               true,
		"http://api.example.com/upload":       false,
		"http://up.example.com/a":             false,
		"https://api.example.com:8443/upload": true,
		"https://badexample.com/a":            false,
		"https://example.com.bad/a":           false,
		"https://api.example.com@bad.com/a":   false,
		"https://me@api.example.com/a":        false,
		"/upload":                             false,
	} {
		if got := IsOf(to, "https://api.example.com", "example.com"); got != ok {
			t.Errorf("%q: %v", to, got)
		}
	}
	if !IsOf("http://127.0.0.1:80/up", "http://127.0.0.1:80", "example.com") {
		t.Error("a server of tests is not its own")
	}
}
