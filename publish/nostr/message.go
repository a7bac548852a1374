package nostr

import (
	"encoding/json"
	"errors"
	"fmt"
)

// A message is what a relay says: OK, EVENT, EOSE, CLOSED, NOTICE, AUTH, or a word
// that we do not know.
type message struct {
	word string
	of   string // the event of OK, the subscription of EVENT, EOSE and CLOSED
	ok   bool   // of OK
	text string // of OK, CLOSED, NOTICE and AUTH
	note event  // of EVENT
}

// parseMessage reads one message. Fields behind those that are known are left.
func parseMessage(data []byte) (message, error) {
	var raw []json.RawMessage
	if err := json.Unmarshal(data, &raw); err != nil {
		return message{}, errors.New("not a list in JSON")
	}
	var m message
	if len(raw) == 0 || json.Unmarshal(raw[0], &m.word) != nil || m.word == "" {
		return message{}, errors.New("a list that does not begin with a word")
	}
	var into []any
	switch m.word {
	case "OK":
		into = []any{&m.of, &m.ok, &m.text}
		if len(raw) == 3 { // the text is to be there, and relays leave it out
			raw = append(raw, json.RawMessage(`""`))
		}
	case "EVENT":
		into = []any{&m.of, &m.note}
	case "EOSE":
		into = []any{&m.of}
	case "CLOSED":
		into = []any{&m.of, &m.text}
	case "NOTICE", "AUTH":
		into = []any{&m.text}
	}
	if len(raw) < 1+len(into) {
		return message{}, fmt.Errorf("%s with %d fields, want %d", m.word, len(raw)-1, len(into))
	}
	for i, v := range into {
		if json.Unmarshal(raw[1+i], v) != nil {
			return message{}, fmt.Errorf("%s whose field %d is of another kind", m.word, i+1)
		}
	}
	return m, nil
}
