// Package embedded is the store that needs no service: a file, state.db, in
// the gateway's data folder. It implements offsets.Store for one gateway; a
// second process that opens the same file is refused.
//
// # Guarantees
//
// When a call that writes has returned nil, what it wrote is on the disk: each
// is one transaction of bbolt, which ends with fsync. A process that is killed
// at any moment leaves the file as the last whole transaction made it.
//
// Definitions, positions with their broker, and leases are in the file, each record with the
// version of its format; leases end by the wall clock, and the same holder
// gets its own again at once. Statuses are in memory only: they tell of a
// process, and end with it. A Store has no goroutine of its own.
package embedded

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/omconnect/omconnect/offsets"
	"github.com/omconnect/omconnect/oms"
)

// FileName is the name of the file in the data folder.
const FileName = "state.db"

// lockTimeout is how long Open waits for another process to let go of the
// file, as one does that is just ending.
const lockTimeout = 500 * time.Millisecond

// The buckets of the file. That of connectors has one for each connector, and
// in it one of positions by partition, and one of leases by task, once it is
// known; and the key of the broker of the positions, known or not.
var (
	bucketMeta        = []byte("meta")
	bucketDefinitions = []byte("definitions") // its sequence is the revision
	bucketConnectors  = []byte("connectors")
	bucketPositions   = []byte("positions")
	bucketLeases      = []byte("leases")
	keyBroker         = []byte("broker")
)

// The keys of the bucket meta, as in every store.
var (
	keyStoreID   = []byte("store_id")
	keySchema    = []byte("schema")
	keyMinReader = []byte("min_reader")
)

// A Store is an open file. Its methods may be called concurrently; those that
// write take turns.
type Store struct {
	db       *bolt.DB
	path     string
	id       string
	statuses offsets.Memory

	mu      sync.Mutex
	changed chan struct{} // closed at the next change of definitions, and by Close
	closed  bool
}

var _ offsets.Store = (*Store)(nil)

// Open opens the store in a data folder, and makes both when they are missing,
// readable by their owner only. While another process has the file open, the
// error is ErrHeld; a file in a format that is newer, or none at all, is
// ErrFormat; a folder that may not be written is ErrDenied.
func Open(dir string) (*Store, error) {
	path := filepath.Join(dir, FileName)
	db, err := openFile(dir, path)
	if err != nil {
		return nil, &oms.Error{Op: "open", Driver: "embedded", Target: path, Code: oms.CodeOf(err), Err: err}
	}
	s := &Store{db: db, path: path, changed: make(chan struct{})}
	if err := s.prepare(); err != nil {
		_ = db.Close() // the error before says more
		return nil, err
	}
	return s, nil
}

// String returns the file's path.
func (s *Store) String() string { return s.path }

// ID implements offsets.Store.
func (s *Store) ID(ctx context.Context) (string, error) {
	return s.id, s.view(ctx, "identify", "", nothing)
}

// Check implements offsets.Store.
func (s *Store) Check(ctx context.Context) error {
	return s.view(ctx, "check", "", nothing)
}

func nothing(*bolt.Tx) error { return nil }

// Close implements offsets.Store. It waits for the calls that are running, and
// lets go of the file.
func (s *Store) Close() error {
	s.mu.Lock()
	first := !s.closed
	if first {
		s.closed = true
		close(s.changed)
	}
	s.mu.Unlock()
	if !first {
		return nil
	}
	_ = s.statuses.Close() // has nothing to fail with
	if err := s.db.Close(); err != nil {
		return s.fail("close", "", err)
	}
	return nil
}

// view runs f in a transaction that reads.
func (s *Store) view(ctx context.Context, op, target string, f func(*bolt.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return s.fail(op, target, s.db.View(f))
}

// update runs f in a transaction that is durable when it returns nil, and has
// no effect otherwise.
func (s *Store) update(ctx context.Context, op, target string, f func(*bolt.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return s.fail(op, target, s.db.Update(f))
}

// fail gives err its shape and code.
func (s *Store) fail(op, target string, err error) error {
	if err == nil {
		return nil
	}
	code := oms.CodeOf(err)
	if code == "" {
		code = classify(err)
		err = fmt.Errorf("%s: %w", s.path, err)
	}
	return &oms.Error{Op: op, Driver: "embedded", Target: target, Code: code, Err: err}
}
