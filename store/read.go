package store

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/postroom/postroom/post"
)

// longestRead is how long one read transaction of a list may last (STORE §7).
const longestRead = 50 * time.Millisecond

// Groups lists groups that filter selects, the latest made first, at most most;
// those of one import come in row order. next is the cursor of what follows, ""
// at the end. No read lasts longer than a moment, however few groups match.
func (s *Store) Groups(ctx context.Context, f post.Filter, cursor string, most int) (gs []post.Group, next string, err error) {
	at := post.ID{}
	if cursor != "" {
		if at, err = post.ParseID(cursor); err != nil {
			return nil, "", fmt.Errorf("cursor: %w", err)
		}
	}
	if !f.Import.IsZero() {
		return s.groupsOfImport(ctx, f, at, most)
	}
	first := cursor == ""
	for {
		var more bool
		err := s.view(ctx, func(tx *bolt.Tx) error {
			more = false
			start := time.Now()
			h := hidden(tx)
			c := tx.Bucket(bucketGroups).Cursor()
			var k, v []byte
			if first {
				k, v = c.Last()
			} else if k, v = c.Seek(at[:]); k == nil {
				k, v = c.Last()
			} else if post.ID(k) != at {
				k, v = c.Prev()
			}
			for n := 0; k != nil; k, v = c.Prev() {
				id := post.ID(k)
				if n++; n%256 == 0 && time.Since(start) > longestRead {
					at, first, more = id, false, true
					return nil
				}
				if h.has(id) {
					continue
				}
				g, err := decodeGroup(k, v, &s.names)
				if err != nil {
					return err
				}
				if !selects(f, &g) {
					continue
				}
				if len(gs) == most {
					next = id.String()
					return nil
				}
				gs = append(gs, g)
			}
			return nil
		})
		if err != nil || !more {
			return gs, next, err
		}
		if err := ctx.Err(); err != nil {
			return nil, "", err
		}
	}
}

func (s *Store) groupsOfImport(ctx context.Context, f post.Filter, at post.ID, most int) (gs []post.Group, next string, err error) {
	if at.IsZero() {
		at = f.Import
	}
	for more := true; more; {
		var page []post.Group
		err := s.view(ctx, func(tx *bolt.Tx) error {
			if _, err := getImport(tx, f.Import); err != nil {
				return err
			}
			page, at, more, err = s.importPage(tx, f.Import, at, 500)
			return err
		})
		if err != nil {
			return nil, "", err
		}
		for i := range page {
			if !selects(f, &page[i]) {
				continue
			}
			if len(gs) == most {
				return gs, page[i].ID.String(), nil
			}
			gs = append(gs, page[i])
		}
	}
	return gs, "", nil
}

// selects reports whether a filter selects a group.
func selects(f post.Filter, g *post.Group) bool {
	switch {
	case f.Account != "" && g.Account != f.Account,
		!f.Import.IsZero() && g.Import != f.Import,
		!f.From.IsZero() && g.ScheduledAt.Before(f.From),
		!f.To.IsZero() && !g.ScheduledAt.Before(f.To),
		f.Held && (g.Held == "" || g.Status() == post.StatusCancelled),
		len(f.Statuses) > 0 && !slices.Contains(f.Statuses, g.Status()):
		return false
	}
	return len(f.Connections) == 0 || slices.ContainsFunc(g.Posts, func(p post.Post) bool { return slices.Contains(f.Connections, p.Connection) })
}

// Connections returns what is known of every connection that ever had a post.
func (s *Store) Connections(ctx context.Context) ([]post.ConnectionState, error) {
	var out []post.ConnectionState
	err := s.view(ctx, func(tx *bolt.Tx) error {
		for _, n := range s.names.ofAccount("") {
			name, _ := s.names.conn(n)
			account, _ := s.names.accountNumber(name.account)
			r, err := getConn(tx, n)
			if err != nil {
				return err
			}
			st := post.ConnectionState{
				Account: name.account, Connection: name.id, PauseWhy: r.pauseWhy, LastSuccess: r.lastSuccess,
				LastErrorAt: r.lastErrorAt, LastError: r.lastError, ErrorsInRow: r.errorsInRow,
			}
			if r.notBefore.After(s.now()) {
				st.NotBefore = r.notBefore
			} else {
				st.PauseWhy = ""
			}
			if v := tx.Bucket(bucketUsage).Get(usageKey(account, n, 0)); v != nil {
				st.Open = int(binary.BigEndian.Uint32(v))
			}
			if st.SentHour, err = sentSince(tx, n, s.now().Add(-time.Hour)); err != nil {
				return err
			}
			if st.SentDay, err = sentSince(tx, n, s.now().Add(-sentKept)); err != nil {
				return err
			}
			e, ok, err := firstOpen(tx, n)
			if err != nil {
				return err
			}
			if ok {
				st.NextDueAt = e.due
			}
			out = append(out, st)
		}
		return nil
	})
	slices.SortFunc(out, func(a, b post.ConnectionState) int {
		return slices.Compare([]string{string(a.Account), string(a.Connection)}, []string{string(b.Account), string(b.Connection)})
	})
	return out, err
}

// Usage counts what an account has promised.
func (s *Store) Usage(ctx context.Context, account post.AccountID) (post.Usage, error) {
	u := post.NewUsage()
	n, ok := s.names.accountNumber(account)
	if !ok {
		return u, nil
	}
	err := s.view(ctx, func(tx *bolt.Tx) error {
		c := tx.Bucket(bucketUsage).Cursor()
		for k, v := c.Seek(key4(n)); k != nil && binary.BigEndian.Uint32(k) == n; k, v = c.Next() {
			name, ok := s.names.conn(binary.BigEndian.Uint32(k[4:]))
			if !ok {
				return fmt.Errorf("usage %x: %w", k, errRecord)
			}
			count, month := int(binary.BigEndian.Uint32(v)), post.Month(binary.BigEndian.Uint32(k[8:]))
			if month == 0 {
				u.Active[name.id] = count
				continue
			}
			if u.Monthly[month] == nil {
				u.Monthly[month] = map[post.ConnectionID]int{}
			}
			u.Monthly[month][name.id] = count
		}
		return nil
	})
	return u, err
}

// Taken calls fn for every post of an account that waits and is due in [from, to),
// by connection. first is true for the first post of a group. An error of fn ends
// it. No read is open while fn runs.
func (s *Store) Taken(ctx context.Context, account post.AccountID, from, to time.Time, fn func(c post.ConnectionID, due time.Time, first bool) error) error {
	conns := s.names.ofAccount(account)
	slices.Sort(conns)
	type slot struct {
		due   uint32
		first bool
	}
	var slots []slot
	for _, n := range conns {
		slots = slots[:0]
		err := s.view(ctx, func(tx *bolt.Tx) error {
			return eachOpen(tx, n, from, to, func(e openEntry) { slots = append(slots, slot{seconds(e.due), e.at == 0}) })
		})
		if err != nil {
			return err
		}
		name, _ := s.names.conn(n)
		for _, at := range slots {
			if err := fn(name.id, time.Unix(int64(at.due), 0).UTC(), at.first); err != nil {
				return err
			}
		}
	}
	return nil
}

// Totals counts platform posts by status.
func (s *Store) Totals(ctx context.Context) (map[post.Status]int, error) {
	out := map[post.Status]int{}
	err := s.view(ctx, func(tx *bolt.Tx) error {
		return tx.Bucket(bucketTotals).ForEach(func(k, v []byte) error {
			out[post.Status(k[0])] = int(binary.BigEndian.Uint64(v))
			return nil
		})
	})
	return out, err
}
