package offsetstest_test

import (
	"context"
	"iter"
	"sync"
	"time"

	"github.com/omconnect/omconnect/offsets"
	"github.com/omconnect/omconnect/offsets/offsetstest"
)

// A broken store is one in memory of which some methods are replaced. It
// outlives Close, so that the rules about reopening apply, and its positions
// can be damaged.
type broken struct {
	*offsets.Memory
	acquire  func(context.Context, offsets.Owner, string, time.Duration) (offsets.Lease, error)
	renew    func(context.Context, offsets.Lease, time.Duration) (offsets.Lease, error)
	release  func(context.Context, offsets.Lease) error
	load     func(context.Context, string) (map[offsets.Partition]offsets.Position, error)
	list     func(context.Context) ([]string, error)
	commit   func(context.Context, offsets.Lease, map[offsets.Partition]offsets.Position) error
	alter    func(context.Context, string, map[offsets.Partition]offsets.Position, []offsets.Partition) error
	broker   func(context.Context, string) (string, error)
	adopt    func(ctx context.Context, c, from, to string, forget bool) error
	put      func(context.Context, offsets.Definition) (int64, error)
	remove   func(context.Context, string, int64, bool) error
	watch    func(context.Context, int64) iter.Seq2[offsets.Definition, error]
	publish  func(context.Context, offsets.Status, time.Duration) error
	id       func(context.Context) (string, error)
	closeAll func() error

	mu      sync.Mutex
	granted map[offsets.Owner]offsets.Lease // the last one
	damaged map[string]map[offsets.Partition]string
	sparing bool // Adopt leaves what is damaged
}

func (s *broken) Acquire(ctx context.Context, o offsets.Owner, holder string, ttl time.Duration) (offsets.Lease, error) {
	l, err := s.acquire(ctx, o, holder, ttl)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		s.granted[o] = l
	}
	return l, err
}

// last returns the last lease granted for o.
func (s *broken) last(o offsets.Owner) offsets.Lease {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.granted[o]
}

func (s *broken) Renew(ctx context.Context, l offsets.Lease, ttl time.Duration) (offsets.Lease, error) {
	return s.renew(ctx, l, ttl)
}

func (s *broken) Release(ctx context.Context, l offsets.Lease) error { return s.release(ctx, l) }

func (s *broken) Load(ctx context.Context, c string) (map[offsets.Partition]offsets.Position, error) {
	return s.load(ctx, c)
}

func (s *broken) Connectors(ctx context.Context) ([]string, error) { return s.list(ctx) }

func (s *broken) Commit(ctx context.Context, l offsets.Lease, ps map[offsets.Partition]offsets.Position) error {
	return s.commit(ctx, l, ps)
}

func (s *broken) Alter(ctx context.Context, c string, set map[offsets.Partition]offsets.Position, del []offsets.Partition) error {
	err := s.alter(ctx, c, set, del)
	s.mu.Lock()
	defer s.mu.Unlock()
	for p := range set {
		delete(s.damaged[c], p)
	}
	for _, p := range del {
		delete(s.damaged[c], p)
	}
	return err
}

func (s *broken) Broker(ctx context.Context, c string) (string, error) { return s.broker(ctx, c) }

func (s *broken) Adopt(ctx context.Context, c, from, to string, forget bool) error {
	err := s.adopt(ctx, c, from, to, forget)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil && forget && !s.sparing {
		delete(s.damaged, c)
	}
	return err
}

func (s *broken) Put(ctx context.Context, d offsets.Definition) (int64, error) { return s.put(ctx, d) }

func (s *broken) Remove(ctx context.Context, name string, revision int64, keep bool) error {
	return s.remove(ctx, name, revision, keep)
}

func (s *broken) Watch(ctx context.Context, after int64) iter.Seq2[offsets.Definition, error] {
	return s.watch(ctx, after)
}

func (s *broken) Publish(ctx context.Context, st offsets.Status, ttl time.Duration) error {
	return s.publish(ctx, st, ttl)
}

func (s *broken) ID(ctx context.Context) (string, error) { return s.id(ctx) }

func (s *broken) Close() error { return s.closeAll() }

// corrupt is the harness's Corrupt.
func (s *broken) corrupt(c string, p offsets.Partition, record string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.damaged[c] == nil {
		s.damaged[c] = make(map[offsets.Partition]string)
	}
	s.damaged[c][p] = record
	return nil
}

// loadChecked is what Load does when nothing is broken.
func (s *broken) loadChecked(ctx context.Context, c string) (map[offsets.Partition]offsets.Position, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for p, record := range s.damaged[c] {
		if _, err := offsets.UnmarshalPosition([]byte(record)); err != nil {
			return nil, unreadable(c, p, err)
		}
	}
	return s.Memory.Load(ctx, c)
}

// newBroken returns a store in which nothing is broken yet.
func newBroken(m *offsets.Memory) *broken {
	s := &broken{
		Memory: m, granted: make(map[offsets.Owner]offsets.Lease), damaged: make(map[string]map[offsets.Partition]string),
		acquire: m.Acquire, renew: m.Renew, release: m.Release, list: m.Connectors, commit: m.Commit, alter: m.Alter,
		broker: m.Broker, adopt: m.Adopt, put: m.Put, remove: m.Remove, watch: m.Watch, publish: m.Publish, id: m.ID, closeAll: m.Close,
	}
	s.load = s.loadChecked
	return s
}

func harness(spoil func(*broken)) func() offsetstest.Harness {
	return func() offsetstest.Harness {
		s := newBroken(offsets.NewMemory())
		spoil(s)
		return offsetstest.Harness{
			Open:    func() (offsets.Store, error) { return s, nil },
			Advance: time.Sleep, // of the bubble's clock
			Corrupt: s.corrupt,
		}
	}
}
