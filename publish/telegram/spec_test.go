package telegram_test

import (
	"testing"

	"github.com/postroom/postroom/publish/publishtest"
	"github.com/postroom/postroom/publish/telegram/telegramtest"
)

// The judge of what is sent is Telegram's own description of the Bot API. It has
// no types for the fields of forms, so calls with files are held against nothing.
func TestTextsKeepToTheDocument(t *testing.T) {
	t.Parallel()
	publishtest.Documented(t, "telegram.openapi.json")
	server := &telegramtest.Server{}
	p, _ := publisher(t, server, publishtest.NewSpec(t, "telegram.openapi.json", server), telegramtest.Chat)
	d := delivery("*see* [this](https://go.dev)")
	d.Content.Settings = []byte(`{"telegram":{"disableNotification":true,"protectContent":true,"disableWebPagePreview":true}}`)
	if _, err := p.Publish(t.Context(), d, keep(&d)); err != nil {
		t.Fatal(err)
	}
}
