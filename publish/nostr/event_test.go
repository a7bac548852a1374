package nostr

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2/schnorr"
)

const (
	testKey    = "67dea2ed018072d675f5415ecfaed7d2597555e202d85b3d65ea4e58d2d92ffa"
	testSecret = "nsec1vl029mgpspedva04g90vltkh6fvh240zqtv9k0t9af8935ke9laqsnlfe5"
	testPublic = "7e7e9c42a91bfef19fa929e5fda1b72e0ebc1a4c1141673e2794234d86addf4e"
)

// The ids were computed with Python: hashlib.sha256 of json.dumps with
// ensure_ascii=False and separators=(',',':').
func TestTheIDIsTheHashThatNIP01Wants(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		tags    [][]string
		content string
		id      string
	}{
		"plain":             {nil, "hello", "e163c5994ee43e01959358e7432ddcb8243b34efac6cd89ccb066840ca56cc0e"},
		"seven escapes":     {nil, "a\n\"b\"\\\r\t\b\f/c", "0db6729275d2c50b28fe178569cb4915525333c1a50fc7e738e9a89eafda0a48"},
		"marks as they are": {nil, "<b> & </b>", "4569dbc369e75db8a9c93c380febcd0b6b3c96a52a92efbc7f37e7b78f5c135e"},
		"line separators":   {nil, "x\u2028y\u2029z\u007f", "a072b922a10920ee7e6c5a1230893d4f7e61fe726f7a1f2ce496d099034241d7"},
		"beyond ASCII":      {[][]string{{"t", "grüße"}}, "Grüße 👋 #grüße", "4b1cfffc1298eac0e49c0069671b1ee8745676b78ed0bc546471d564ec712381"},
		"tags": {
			[][]string{{"r", "https://go.dev/?a=1&b=<2>"}, {"imeta", "url https://x.example/a.png", `alt a "b"`}}, "see",
			"394574911b434223ca4b499487a0222b4d0f2443aad25d4eaaefb074b07e39ca",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			key, err := parseKey(testSecret)
			if err != nil {
				t.Fatal(err)
			}
			e := event{CreatedAt: 1772355600, Kind: kindNote, Tags: tt.tags, Content: tt.content}
			if err := e.sign(key); err != nil {
				t.Fatal(err)
			}
			if e.ID != tt.id || e.PubKey != testPublic {
				t.Errorf("id %s of %s, want %s", e.ID, e.serialised(), tt.id)
			}
			raw, err := hex.DecodeString(e.Sig)
			if err != nil {
				t.Fatal(err)
			}
			sig, err := schnorr.ParseSignature(raw)
			if id := e.hash(); err != nil || !sig.Verify(id[:], key.PubKey()) {
				t.Errorf("signature %s: %v", e.Sig, err)
			}
		})
	}
}

func TestKeysAreReadAsBech32AndAsHex(t *testing.T) {
	t.Parallel()
	for _, text := range []string{testSecret, strings.ToUpper(testSecret), testKey} {
		key, err := parseKey(text)
		if err != nil || publicKey(key) != testPublic {
			t.Errorf("%v", err)
		}
	}
}

// The address was made with a Python bech32.
func TestNotesAreNamedAsNIP19Wants(t *testing.T) {
	t.Parallel()
	id, err := hex.DecodeString("e163c5994ee43e01959358e7432ddcb8243b34efac6cd89ccb066840ca56cc0e")
	if err != nil {
		t.Fatal(err)
	}
	author, err := hex.DecodeString(testPublic)
	if err != nil {
		t.Fatal(err)
	}
	const want = "nevent1qqswzc79n98wg0spjkf43e6r9hwtsfpmxnh6cmxcnn9sv6zqeftvcrspzamhxue69uhhyetvv9ujuetcv9khqmr99ehhyeczypl8a8zz4ydlauvl4y57tldpkuhqa0q6fsg5zee7y72zxnvx4h05uqcyqqqqqqgggu2tl"
	if got := neventOf(id, author, []string{"wss://relay.example.org"}); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func FuzzBech32ReadsWhatItWrites(f *testing.F) {
	f.Add([]byte("x"), testSecret)
	f.Add([]byte{}, "nsec1")
	f.Fuzz(func(t *testing.T, data []byte, text string) {
		got, err := decode("nsec", encode("nsec", data))
		if err != nil || string(got) != string(data) {
			t.Fatalf("%x became %x, %v", data, got, err)
		}
		if _, err := decode("nsec", text); err != nil && len(text) > 4 && strings.Contains(err.Error(), text) {
			t.Fatalf("the error shows what it cannot read: %v", err)
		}
	})
}

func TestMessagesThatAreNoneAreErrors(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`["OK","a",true,""]`:                      "",
		`["OK","a",false]`:                        "", // as some relays have it
		`["EOSE","s","more"]`:                     "",
		`["COUNT","s",{"count":1}]`:               "", // a word that is not ours
		`["EVENT","s",{"id":"a","tags":[["x"]]}]`: "",
		`{}`:                   "not a list",
		`["OK",17,"`:           "not a list",
		`[]`:                   "begin with a word",
		`[""]`:                 "begin with a word",
		`["OK","a"]`:           "OK with 1 fields, want 3",
		`["OK","a","true",""]`: "OK whose field 2",
		`["EVENT","s",[]]`:     "EVENT whose field 2",
		`["NOTICE",1]`:         "NOTICE whose field 1",
	} {
		_, err := parseMessage([]byte(text))
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", text, err, want)
		}
	}
}

func FuzzMessage(f *testing.F) {
	for _, text := range []string{
		`["OK","a",true,"duplicate:"]`, `["OK","a",null,null]`, `["EVENT","s",{"id":"a","tags":[[]],"kind":1}]`,
		`["EOSE","s"]`, `["CLOSED","s","x"]`, `["NOTICE","x"]`, `["AUTH","x"]`, `[[]]`, `null`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := parseMessage(data)
		if (err == nil) == (m.word == "") {
			t.Fatalf("%q: %+v, %v", data, m, err)
		}
		if err != nil && (m.ok || m.of != "") {
			t.Fatalf("%q: an error, and %+v", data, m)
		}
		m.note.hash() // of whatever it says
	})
}
