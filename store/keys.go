package store

import (
	"bytes"
	"encoding/binary"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/postroom/postroom/post"
)

// The layout. Numbers are big endian, so that keys sort as their values do; an
// account and a connection are named by a number of four bytes each, given out
// once and never again.
//
//	meta      name                                  format, counters, the machine part of ids
//	accounts  account name                        → number(4)
//	conns     number(4)                           → connection record
//	connIDs   account(4) connection id            → number(4)
//	groups    group(12)                           → group record, with its posts and history; ids ascend
//	open      conn(4) due(4) post(12)             → index of the post in its group(1), and import(12) at the end of a run's head
//	runs      conn(4) import(12) last entry(8)    → block of posts that wait, as index.go has it
//	flight    conn(4) post(12)                    → index of the post in its group(1): the intent to send is written, the outcome is not
//	wake      due(4) conn(4)                      → nothing: connections by when they next have work
//	imports   import(12)                          → import record
//	digests   account(4) sha256(32)               → import(12)
//	lineages  account(4) lineage                  → import(12), the latest
//	rows      import(12) first row(4)             → block of rows
//	keyruns   import(12) first hash(8)            → block of sorted row keys
//	twinruns  import(12) first hash(8)            → block of sorted row twins
//	usage     account(4) conn(4) month(4)         → posts promised(4); month 0 counts what is active
//	totals    status(1)                           → posts(8)
//	dirty     import(12)                          → changes(8)
//	stages    stage(12)                           → nothing: unsealed; all ids with its machine part are hidden
//	undoing   import(12)                          → who asked for it: not all of it is cancelled yet
//	apikeys   id of the key                       → API key record, with its hash
//	once      account(4) hash of the key(32)      → what a request was answered with
//	jobs      job(12)                             → job record
//	openjobs  job(12)                             → nothing: jobs that are not over
//	webhooks  account(4) webhook(12)              → webhook record
//	uploads   medium(12)                          → group(12) it is of
//	notices   webhook(12) sequence(8) group(12)   → an event for a webhook, or an import of which events are still to be made
//	sent      conn(4) five minutes(4)             → posts that went out(4), of the last day
//	onceages  until(4) key in once(36)            → nothing: answers by when they may go
//
// Only wake and totals are rewritten all the time. open and runs are keyed by
// connection first, and a run is written in blocks, which is what makes an import
// cheap (STORE §7: key order beats every setting).
var (
	bucketMeta     = []byte("meta")
	bucketAccounts = []byte("accounts")
	bucketConns    = []byte("conns")
	bucketConnIDs  = []byte("connIDs")
	bucketGroups   = []byte("groups")
	bucketOpen     = []byte("open")
	bucketRuns     = []byte("runs")
	bucketFlight   = []byte("flight")
	bucketWake     = []byte("wake")
	bucketImports  = []byte("imports")
	bucketDigests  = []byte("digests")
	bucketLineages = []byte("lineages")
	bucketRows     = []byte("rows")
	bucketKeyRuns  = []byte("keyruns")
	bucketTwinRuns = []byte("twinruns")
	bucketUsage    = []byte("usage")
	bucketTotals   = []byte("totals")
	bucketDirty    = []byte("dirty")
	bucketStages   = []byte("stages")
	bucketUndoing  = []byte("undoing")
	bucketAPIKeys  = []byte("apikeys")
	bucketOnce     = []byte("once")
	bucketOnceAges = []byte("onceages")
	bucketJobs     = []byte("jobs")
	bucketOpenJobs = []byte("openjobs")
	bucketWebhooks = []byte("webhooks")
	bucketNotices  = []byte("notices")
	bucketUploads  = []byte("uploads")
	bucketSent     = []byte("sent")
)

var buckets = [][]byte{
	bucketMeta, bucketAccounts, bucketConns, bucketConnIDs, bucketGroups, bucketOpen, bucketRuns, bucketFlight, bucketWake, bucketImports,
	bucketDigests, bucketLineages, bucketRows, bucketKeyRuns, bucketTwinRuns, bucketUsage, bucketTotals,
	bucketDirty, bucketStages, bucketUndoing, bucketAPIKeys, bucketOnce, bucketOnceAges,
	bucketJobs, bucketOpenJobs, bucketWebhooks, bucketNotices, bucketUploads, bucketSent,
}

var metaFormat = []byte("format")

// metaCopied is in a backup: when it was taken, as Unix seconds. metaRestored is in
// a store that was one: when it was first opened.
var metaCopied, metaRestored = []byte("copied"), []byte("restored")

// ascending is the fill of pages whose keys only grow; others keep bbolt's.
const ascending = 0.9

// seconds gives an instant as four bytes hold it: whole seconds until 2106.
func seconds(t time.Time) uint32 {
	return uint32(max(0, min(t.Unix(), 1<<32-1)))
}

// wholeSecond rounds up: nothing goes out before its time.
func wholeSecond(t time.Time) time.Time {
	if t.IsZero() || t.Nanosecond() == 0 {
		return t
	}
	return t.Truncate(time.Second).Add(time.Second)
}

// openKey is conn, due, post.
func openKey(conn uint32, due time.Time, id post.ID) []byte {
	k := make([]byte, 0, 20)
	k = binary.BigEndian.AppendUint32(k, conn)
	k = binary.BigEndian.AppendUint32(k, seconds(due))
	return append(k, id[:]...)
}

func openDue(k []byte) time.Time {
	return time.Unix(int64(binary.BigEndian.Uint32(k[4:])), 0).UTC()
}

// wakeKey is due, conn.
func wakeKey(due uint32, conn uint32) []byte {
	return binary.BigEndian.AppendUint32(key4(due), conn)
}

// usageKey is account, connection, month; month 0 is what is active now.
func usageKey(account, conn uint32, month post.Month) []byte {
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(key4(account), conn), uint32(month))
}

// stepBack moves a cursor to the last item before key, and returns it: nil when there
// is none. at is what Seek of key has just given.
//
// Where this transaction deleted all items of a page, bbolt's Prev stops on its way, as
// at the beginning; where it deleted all there are, Last never ends.
func stepBack(c *bolt.Cursor, at, key []byte) (k, v []byte) {
	if at != nil {
		if k, v = c.Prev(); k != nil {
			return k, v
		}
	}
	switch first, _ := c.First(); {
	case first == nil, bytes.Compare(first, key) >= 0:
		return nil, nil
	case at == nil:
		return c.Last()
	}
	c.Seek(key)
	for k == nil {
		k, v = c.Prev()
	}
	return k, v
}
