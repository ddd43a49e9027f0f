// Package redis is the store that several gateways can share: a Redis 6.0 or
// newer, single, behind sentinels, or a cluster. It implements offsets.Store,
// and knows the gateways that share it: see [Store.Join].
//
// # Guarantees
//
// Each write is one script, so that the owner's token is checked and
// everything written in one step, or nothing. Writes are absolute: the client
// sends one again when it does not know what became of it, and that changes
// nothing. A write counts as done in the sense of the URL's durability:
//
//   - memory: the server has it. A server that dies may forget the last
//     second, or all that its append-only file does not have.
//   - disk: it is in the append-only file, on the disk. From Redis 7.2 on the
//     server tells (WAITAOF). Older ones do not: there a write takes the two
//     seconds in which appendfsync everysec has certainly happened, and none
//     with appendfsync always.
//   - replicas=N: N replicas have it (WAIT), and a failover to one of them
//     keeps it.
//
// A failover may hand out the same epoch twice; tokens are told apart by
// their uuid. Lease time is the server's. Only leases, statuses and members
// expire.
//
// # The server
//
// Open does not need it. Before the first call and every minute with one,
// the server is looked at: one that may evict keys that do not expire is
// refused, as is a replica, and data that only a newer omconnect can read;
// one without an append-only file is warned about. What a managed Redis does
// not tell is taken to be in order. Nothing latches: the next call looks
// again.
package redis

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	goredis "github.com/redis/go-redis/v9"

	"github.com/omconnect/omconnect/offsets"
	"github.com/omconnect/omconnect/oms"
)

// A Store is a client of a Redis. Its methods may be called concurrently; it
// has no goroutines but those of its connections.
type Store struct {
	config Config
	keys   keys
	client goredis.UniversalClient
	log    *slog.Logger
	health health
	closed atomic.Bool

	pollInterval time.Duration // between two looks of a Watch at the revision
	fsyncDelay   time.Duration // within which appendfsync everysec has happened
	waitLimit    time.Duration // for disk or replicas; shorter than the client's patience
}

var _ offsets.Store = (*Store)(nil)

// Open returns the store of a URL, as ParseURL takes it. It does not dial:
// while the server is away, calls return ErrUnavailable.
func Open(stateURL string, log *slog.Logger) (*Store, error) {
	c, err := ParseURL(stateURL)
	if err != nil {
		return nil, err
	}
	return New(c, log), nil
}

// New returns the store of a Config that ParseURL has made.
func New(c Config, log *slog.Logger) *Store {
	return &Store{
		config: c, keys: keys{c.Prefix, c.Namespace}, client: newClient(&c, log), log: log,
		health:       health{turn: make(chan struct{}, 1)},
		pollInterval: time.Second, fsyncDelay: 2 * time.Second, waitLimit: 2 * time.Second,
	}
}

// String returns the URL without the password.
func (s *Store) String() string { return s.config.String() }

// ID implements offsets.Store.
func (s *Store) ID(ctx context.Context) (string, error) {
	const op = "identify"
	if err := s.enter(ctx, op, ""); err != nil {
		return "", err
	}
	id, err := s.run(ctx, scriptID, []string{s.keys.meta()}, uuid.NewString(), offsets.FormatVersion, "omconnect")
	return id, s.fail(ctx, op, "", err)
}

// Check implements offsets.Store.
func (s *Store) Check(ctx context.Context) error {
	const op = "check"
	if err := s.enter(ctx, op, ""); err != nil {
		return err
	}
	return s.fail(ctx, op, "", s.client.Ping(ctx).Err())
}

// Close implements offsets.Store. Calls that are running fail.
func (s *Store) Close() error {
	if s.closed.Swap(true) {
		return nil
	}
	if err := s.client.Close(); err != nil {
		return &oms.Error{Op: "close", Driver: "redis", Target: s.String(), Code: oms.ErrUnavailable, Err: err}
	}
	return nil
}

// enter returns why a call is in vain, nil if it is not.
func (s *Store) enter(ctx context.Context, op, target string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.closed.Load() { // the client of a cluster would try again for seconds
		return s.fail(ctx, op, target, oms.ErrClosed)
	}
	return s.fail(ctx, op, target, s.examine(ctx))
}

// fail gives err its shape, its code, and advice. A call that was cancelled
// returns the context's error as it is.
func (s *Store) fail(ctx context.Context, op, target string, err error) error {
	if err == nil {
		return nil
	}
	if cancelled := ctx.Err(); errors.Is(cancelled, context.Canceled) {
		return cancelled
	}
	code, advice := classify(err)
	if s.closed.Load() {
		code, advice = oms.ErrClosed, ""
	}
	if code != oms.CodeOf(err) { // it came from outside: say from where
		err = fmt.Errorf("%s: %w", s.config.String(), err)
	}
	if advice != "" {
		err = fmt.Errorf("%w (%s)", err, advice)
	}
	return &oms.Error{Op: op, Driver: "redis", Target: target, Code: code, Err: err}
}
