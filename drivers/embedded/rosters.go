package embedded

import (
	"context"
	"errors"
	"sync"

	"github.com/nats-io/nats.go/jetstream"
)

// rostersBucket is where the members of all groups stand. It is not a topic:
// topics' names do not begin so.
const rostersBucket = "omconnect-members"

// rosters keeps the roster of the present session.
type rosters struct {
	conn      *conn
	following sync.WaitGroup

	turn    sync.Mutex // held while a roster is made
	mu      sync.Mutex
	current *roster
}

// of returns the roster of a session, complete as of now or later.
func (rs *rosters) of(ctx context.Context, s *session) (*roster, error) {
	rs.turn.Lock()
	defer rs.turn.Unlock()
	rs.mu.Lock()
	r := rs.current
	rs.mu.Unlock()
	if r != nil && r.session == s && s.alive() {
		return r, nil
	}
	r, err := rs.open(ctx, s)
	if err != nil {
		return nil, err
	}
	rs.mu.Lock()
	defer rs.mu.Unlock()
	rs.current = r
	return r, nil
}

// open makes the bucket where it is missing, and reads it. In process it is
// kept in memory: when that server stops, all its sessions have ended.
func (rs *rosters) open(ctx context.Context, s *session) (*roster, error) {
	ctx, cancel := s.within(ctx)
	defer cancel()
	kv, err := s.js.KeyValue(ctx, rostersBucket)
	if errors.Is(err, jetstream.ErrBucketNotFound) {
		cfg := jetstream.KeyValueConfig{Bucket: rostersBucket, History: 1, Replicas: rs.conn.options.replicas}
		if rs.conn.backend.inProcess() {
			cfg.Storage = jetstream.MemoryStorage
		}
		kv, err = s.js.CreateKeyValue(ctx, cfg)
		if errors.Is(err, jetstream.ErrBucketExists) {
			kv, err = s.js.KeyValue(ctx, rostersBucket)
		}
	}
	if err != nil {
		return nil, err
	}
	r := newRoster(rs.conn, s, kv)
	watching, end := context.WithCancel(context.WithoutCancel(ctx))
	watcher, err := kv.WatchAll(watching)
	if err != nil {
		end()
		return nil, err
	}
	complete := make(chan struct{})
	rs.following.Go(func() {
		defer end()
		r.follow(watcher, complete)
	})
	select {
	case <-complete:
	case <-ctx.Done():
		_ = watcher.Stop()
		return nil, ctx.Err()
	}
	err = r.watchTopics()
	return r, err
}

// close waits for the last roster to end, which it does with its session.
func (rs *rosters) close() { rs.following.Wait() }
