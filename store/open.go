package store

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"github.com/postroom/postroom/post"
)

// What a store answers when it cannot do what was asked.
var (
	ErrInUse = errors.New("the store is in use by another process")
	ErrNewer = errors.New("the store was written by a newer postroom")
)

// format is the version of the layout in keys.go and of the records. It is raised
// when a program that knows the version before could not read, or would misread,
// what this one writes: that one must say so rather than call a record damaged.
//
//	1  groups, imports, rows, usage, connections
//	2  media with its pin, UIDs and revisions of rows, keys of the API, answers to
//	   named requests, jobs, webhooks
const format = 2

// Options are what a store is opened with; the zero value will do.
type Options struct {
	Now     func() time.Time // the store's clock; default time.Now
	Timeout time.Duration    // how long to wait for another process; default 1 s
	MaxSize int64            // bytes beyond which nothing new is taken ([post.ErrFull]); 0 for no bound
	Log     *slog.Logger     // default none
	Who     string           // what other processes are told about us

	// For tests of failing disks and of crashes.
	openFile     func(string, int, os.FileMode) (*os.File, error)
	beforeCommit func() error
}

// A Store is an open store. Its methods may be called at the same time.
type Store struct {
	db   *bolt.DB
	path string
	max  int64
	now  func() time.Time
	log  *slog.Logger

	names registry
	ids   idSource

	writes    chan *write
	closing   chan struct{}
	committed chan struct{}
	closeOnce sync.Once

	failed   chan struct{}
	failOnce sync.Once
	failure  atomic.Pointer[error]

	restored time.Time // when the store was made of a backup; zero when it was not

	leases   leaseTable
	acquired atomic.Int64 // when leases were last asked for, in Unix seconds
	rolls    rolls
	told     chan struct{} // there may be something to tell webhooks of

	beforeCommit func() error
}

// holder is written beside the file, for the message that another process gets.
type holder struct {
	PID     int       `json:"pid"`
	Command string    `json:"command"`
	Since   time.Time `json:"since"`
}

func holderPath(path string) string { return path + ".holder" }

// Open opens the store at path, and makes it when there is none. Every lease of
// an earlier process is void, and stages that were never sealed are swept away.
// It fails with an error that wraps [ErrInUse] and names the holder, or
// [ErrNewer].
func Open(path string, o Options) (*Store, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Timeout == 0 {
		o.Timeout = time.Second
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		if err := create(path); err != nil {
			return nil, fmt.Errorf("create store %s: %w", path, err)
		}
	}
	db, err := bolt.Open(path, 0o600, options(o))
	if errors.Is(err, berrors.ErrTimeout) {
		return nil, inUse(path)
	}
	if err != nil {
		return nil, fmt.Errorf("open store %s: %w", path, err)
	}
	s := &Store{
		db: db, path: path, max: o.MaxSize, now: o.Now, log: o.Log,
		writes: make(chan *write, mostTogether), closing: make(chan struct{}), committed: make(chan struct{}), told: make(chan struct{}, 1),
		failed: make(chan struct{}), beforeCommit: o.beforeCommit,
	}
	s.leases.held = map[uint32]holding{}
	if err := s.load(); err != nil {
		return nil, errors.Join(fmt.Errorf("open store %s: %w", path, err), db.Close())
	}
	go s.commitLoop()
	if err := errors.Join(s.mend(), s.sayWho(o.Who)); err != nil {
		return nil, errors.Join(fmt.Errorf("open store %s: %w", path, err), s.Close())
	}
	return s, nil
}

// reserve is what the file may grow beyond MaxSize, so that the outcome of every
// post that was taken still finds room.
const reserve = 64 << 20

// pageSize is the page size of a new store; bbolt goes on with what a file has. With
// pages of 16 KiB an import takes a tenth less of the processor's time than with the
// system's 4 KiB, and a dispatch gains too (PERFORMANCE §1.1).
const pageSize = 16 << 10

func options(o Options) *bolt.Options {
	opt := &bolt.Options{Timeout: o.Timeout, FreelistType: bolt.FreelistArrayType, OpenFile: o.openFile}
	if o.MaxSize > 0 {
		opt.MaxSize = int(o.MaxSize + reserve)
	}
	if size := int64(16) << 30; runtime.GOOS != "windows" && ^uint(0)>>63 == 1 {
		// Address space only: it spares remaps, which wait for every reader.
		opt.InitialMmapSize = int(size)
	}
	return opt
}

// room refuses new things in a store that is full.
func (s *Store) room(tx *bolt.Tx) error {
	if s.max > 0 && tx.Size()-int64(s.db.Stats().FreePageN*s.db.Info().PageSize) > s.max {
		return post.ErrFull
	}
	return nil
}

func inUse(path string) error {
	var h holder
	if b, err := os.ReadFile(holderPath(path)); err == nil && json.Unmarshal(b, &h) == nil && h.PID > 0 {
		return fmt.Errorf("%s: %w: process %d (%s), since %s", path, ErrInUse, h.PID, h.Command, h.Since.Local().Format(time.DateTime))
	}
	return fmt.Errorf("%s: %w", path, ErrInUse)
}

// create makes an empty store whole or not at all: bbolt's first pages are not
// safe against a crash by themselves (RELIABILITY §0.6).
func create(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".postroom-*.tmp")
	if err != nil {
		return err
	}
	tmp := f.Name()
	defer os.Remove(tmp) // gone already once it is renamed
	if err := f.Close(); err != nil {
		return err
	}
	db, err := bolt.Open(tmp, 0o600, &bolt.Options{PageSize: pageSize, Timeout: time.Second})
	if err != nil {
		return err
	}
	err = db.Update(func(tx *bolt.Tx) error {
		for _, name := range buckets {
			if _, err := tx.CreateBucketIfNotExists(name); err != nil {
				return err
			}
		}
		return tx.Bucket(bucketMeta).Put(metaFormat, []byte{format})
	})
	if err := errors.Join(err, db.Sync(), db.Close()); err != nil {
		return err
	}
	if err := os.Link(tmp, path); err != nil && !errors.Is(err, os.ErrExist) {
		if err := os.Rename(tmp, path); err != nil {
			return err
		}
	}
	return syncDir(filepath.Dir(path))
}

// syncDir makes names in dir durable, where the system can.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// formatOf returns the format of a store. One that this program does not know
// wraps [ErrNewer].
func formatOf(tx *bolt.Tx) (byte, error) {
	meta := tx.Bucket(bucketMeta)
	if meta == nil {
		return 0, errors.New("not a postroom store")
	}
	v := meta.Get(metaFormat)
	if len(v) != 1 || v[0] > format {
		return 0, fmt.Errorf("%w: format %v, this program knows %d", ErrNewer, v, format)
	}
	return v[0], nil
}

// load reads what the store must know in memory, and voids all leases.
func (s *Store) load() error {
	if _, err := rand.Read(s.ids.machine[:]); err != nil {
		return err
	}
	return s.db.Update(func(tx *bolt.Tx) error {
		was, err := formatOf(tx)
		if err != nil {
			return err
		}
		if was < format {
			if err := tx.Bucket(bucketMeta).Put(metaFormat, []byte{format}); err != nil {
				return err
			}
		}
		for _, name := range buckets {
			if _, err := tx.CreateBucketIfNotExists(name); err != nil {
				return err
			}
		}
		if err := s.names.load(tx); err != nil {
			return err
		}
		return errors.Join(s.restore(tx), s.voidLeases(tx))
	})
}

// mend goes on with what a crash cut off: stages that were never sealed are swept
// away, and imports that were being undone are undone.
func (s *Store) mend() error {
	ctx := context.Background()
	stages, err := s.keysOf(ctx, bucketStages)
	if err != nil {
		return err
	}
	for _, base := range stages {
		if err := s.sweepStage(ctx, base); err != nil {
			return fmt.Errorf("sweep the unsealed import %s: %w", base, err)
		}
	}
	undone, err := s.keysOf(ctx, bucketUndoing)
	if err != nil {
		return err
	}
	for _, imp := range undone {
		if _, _, err := s.undo(ctx, imp); err != nil {
			return fmt.Errorf("undo the import %s: %w", imp, err)
		}
	}
	return nil
}

// keysOf returns the keys of a bucket that has ids for keys.
func (s *Store) keysOf(ctx context.Context, bucket []byte) (ids []post.ID, err error) {
	err = s.view(ctx, func(tx *bolt.Tx) error {
		return tx.Bucket(bucket).ForEach(func(k, _ []byte) error {
			ids = append(ids, post.ID(k))
			return nil
		})
	})
	return ids, err
}

// sayWho leaves word of who holds the store.
func (s *Store) sayWho(who string) error {
	h, err := json.Marshal(holder{os.Getpid(), who, s.now()})
	if err != nil {
		return err
	}
	return os.WriteFile(holderPath(s.path), h, 0o600)
}

// Close waits for the change that is being written and closes the file. It does
// nothing the second time.
func (s *Store) Close() error {
	var err error
	s.closeOnce.Do(func() {
		close(s.closing)
		<-s.committed
		if err = os.Remove(holderPath(s.path)); errors.Is(err, os.ErrNotExist) {
			err = nil
		}
		err = errors.Join(err, s.db.Close())
	})
	return err
}

// view runs fn in a read transaction. Keep it short: one long read makes the
// file grow for good (STORE §7).
func (s *Store) view(ctx context.Context, fn func(*bolt.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return s.db.View(fn)
}

// An idSource gives out ids of groups made one by one.
type idSource struct {
	mu      sync.Mutex
	machine [5]byte
	second  int64
	counter uint32
}

// next returns an id with room for n more after it.
func (i *idSource) next(now time.Time, n int) post.ID {
	i.mu.Lock()
	defer i.mu.Unlock()
	if sec := now.Unix(); sec > i.second {
		i.second, i.counter = sec, 0
	}
	if i.counter+uint32(n)+1 >= 1<<24 {
		i.second, i.counter = i.second+1, 0
	}
	id := post.MakeID(time.Unix(i.second, 0), i.machine, i.counter)
	i.counter += uint32(n) + 1
	return id
}

// A registry knows the numbers of accounts and connections. There are few, and
// none is ever taken back.
type registry struct {
	mu       sync.RWMutex
	accounts map[uint32]post.AccountID
	numbers  map[post.AccountID]uint32
	conns    map[uint32]connName
	connNums map[connName]uint32
}

type connName struct {
	account post.AccountID
	id      post.ConnectionID
}

func (r *registry) account(n uint32) (post.AccountID, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	a, ok := r.accounts[n]
	return a, ok
}

func (r *registry) accountNumber(a post.AccountID) (uint32, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	n, ok := r.numbers[a]
	return n, ok
}

func (r *registry) conn(n uint32) (connName, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	c, ok := r.conns[n]
	return c, ok
}

func (r *registry) connNumber(c connName) (uint32, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	n, ok := r.connNums[c]
	return n, ok
}

// ofAccount returns the numbers of an account's connections.
func (r *registry) ofAccount(a post.AccountID) []uint32 {
	r.mu.RLock()
	defer r.mu.RUnlock()
	var ns []uint32
	for n, c := range r.conns {
		if a == "" || c.account == a {
			ns = append(ns, n)
		}
	}
	return ns
}

// load reads all names.
func (r *registry) load(tx *bolt.Tx) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.accounts, r.numbers = map[uint32]post.AccountID{}, map[post.AccountID]uint32{}
	r.conns, r.connNums = map[uint32]connName{}, map[connName]uint32{}
	err := tx.Bucket(bucketAccounts).ForEach(func(k, v []byte) error {
		n := binary.BigEndian.Uint32(v)
		r.accounts[n], r.numbers[post.AccountID(k)] = post.AccountID(k), n
		return nil
	})
	if err != nil {
		return err
	}
	return tx.Bucket(bucketConnIDs).ForEach(func(k, v []byte) error {
		name := connName{r.accounts[binary.BigEndian.Uint32(k)], post.ConnectionID(k[4:])}
		n := binary.BigEndian.Uint32(v)
		r.conns[n], r.connNums[name] = name, n
		return nil
	})
}

// register makes sure that names have numbers. It must not be called inside a
// transaction.
func (s *Store) register(ctx context.Context, account post.AccountID, conns []post.ConnectionID) error {
	known := func() bool {
		if _, ok := s.names.accountNumber(account); !ok {
			return false
		}
		for _, c := range conns {
			if _, ok := s.names.connNumber(connName{account, c}); !ok {
				return false
			}
		}
		return true
	}
	if known() {
		return nil
	}
	err := s.update(ctx, func(c *change) error {
		a, err := number(c.Tx, c.Bucket(bucketAccounts), []byte(account), bucketAccounts)
		if err != nil {
			return err
		}
		for _, id := range conns {
			n, err := number(c.Tx, c.Bucket(bucketConnIDs), append(key4(a), id...), bucketConns)
			if err != nil {
				return err
			}
			if c.Bucket(bucketConns).Get(key4(n)) == nil {
				if err := putConn(c.Tx, n, connRecord{}); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return s.view(context.WithoutCancel(ctx), s.names.load) // what is on disk must be known
}

// number returns the number stored under key, and gives the next one when there
// is none.
func number(tx *bolt.Tx, b *bolt.Bucket, key, counter []byte) (uint32, error) {
	if v := b.Get(key); v != nil {
		return binary.BigEndian.Uint32(v), nil
	}
	n, err := tx.Bucket(counter).NextSequence()
	if err != nil {
		return 0, err
	}
	return uint32(n), b.Put(key, key4(uint32(n)))
}

func key4(n uint32) []byte { return binary.BigEndian.AppendUint32(nil, n) }
