package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/postroom/postroom/calendar"
	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/store"
)

// mostFeed is how many post groups a calendar shows: the latest made.
const mostFeed = 20_000

// exportCalendar writes the groups of an account, or of all, as a calendar, and
// returns how many there are.
func exportCalendar(ctx context.Context, s *store.Store, account post.AccountID, w io.Writer) (int, error) {
	name := "postroom"
	if account != "" {
		name += ": " + string(account)
	}
	feed := calendar.NewFeed(name)
	n, cursor := 0, ""
	for n < mostFeed {
		groups, next, err := s.Groups(ctx, post.Filter{Account: account}, cursor, 500)
		if err != nil {
			return n, err
		}
		for i := range groups {
			feed.Add(&groups[i])
			n++
		}
		if next == "" {
			break
		}
		cursor = next
	}
	return n, feed.Encode(w)
}

// serveCalendar answers GET /calendar/ACCOUNT.ics?key=KEY with the account's plan,
// for calendar programs to subscribe to. Whatever is wrong, the answer is the
// same: nobody learns which accounts there are.
func (d *daemon) serveCalendar(w http.ResponseWriter, req *http.Request) {
	w.Header().Set("Cache-Control", "private, no-cache") // kept, but asked about each time
	w.Header().Set("X-Content-Type-Options", "nosniff")
	name, ok := strings.CutSuffix(req.PathValue("file"), ".ics")
	acc := d.room.accountConfig(post.AccountID(name))
	if !ok || acc == nil || acc.CalendarKey.IsZero() || !sameKey(req.URL.Query().Get("key"), acc.CalendarKey.Reveal()) {
		http.Error(w, "no such calendar, or not with this key", http.StatusNotFound)
		return
	}
	var b bytes.Buffer
	if _, err := exportCalendar(req.Context(), d.room.store, acc.ID, &b); err != nil {
		d.room.log.ErrorContext(req.Context(), "calendar not served", "account", acc.ID, "err", err)
		http.Error(w, "the calendar cannot be written now", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/calendar; charset=utf-8")
	w.Header().Set("ETag", fmt.Sprintf("\"%x\"", sha256.Sum256(b.Bytes())))
	// It answers If-None-Match: programs ask every few minutes, and little changes.
	http.ServeContent(w, req, "", time.Time{}, bytes.NewReader(b.Bytes()))
}

// sameKey compares keys in a time that tells nothing of them.
func sameKey(given, want string) bool {
	a, b := sha256.Sum256([]byte(given)), sha256.Sum256([]byte(want))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1
}
