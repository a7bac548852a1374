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

// Log returns the history of a group, oldest first.
func (s *Store) Log(ctx context.Context, group post.ID) ([]post.LogEntry, error) {
	var out []post.LogEntry
	err := s.view(ctx, func(tx *bolt.Tx) error {
		g, err := s.group(tx, group)
		if err != nil {
			return err
		}
		// What an import brings is not logged group by group.
		if !g.Import.IsZero() {
			out = append(out, post.LogEntry{ID: g.ID, Group: g.ID, Event: "scheduled", At: g.CreatedAt})
		}
		c := tx.Bucket(bucketLog).Cursor()
		for k, v := c.Seek(g.ID[:]); k != nil && post.ID(k[:post.IDLen]) == g.ID; k, v = c.Next() {
			e, err := decodeLog(k, v)
			if err != nil {
				return err
			}
			out = append(out, e)
		}
		return nil
	})
	return out, err
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
			if due, ok := firstOpen(tx, n); ok {
				st.NextDueAt = due
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

// Taken calls fn for every open post of an account that is due in [from, to).
// first is true for the first post of a group.
func (s *Store) Taken(ctx context.Context, account post.AccountID, from, to time.Time, fn func(c post.ConnectionID, due time.Time, first bool)) error {
	conns := s.names.ofAccount(account)
	slices.Sort(conns)
	for _, n := range conns {
		name, _ := s.names.conn(n)
		at := openKey(n, from, post.ID{})
		for at != nil {
			err := s.view(ctx, func(tx *bolt.Tx) error {
				h, read := hidden(tx), 0
				c := tx.Bucket(bucketOpen).Cursor()
				for k, v := c.Seek(at); k != nil && binary.BigEndian.Uint32(k) == n && binary.BigEndian.Uint32(k[4:]) < seconds(to); k, v = c.Next() {
					if read++; read > 50_000 {
						at = slices.Clone(k)
						return nil
					}
					if !h.has(openPost(k)) {
						fn(name.id, openDue(k), v[0] == 0)
					}
				}
				at = nil
				return nil
			})
			if err != nil {
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
