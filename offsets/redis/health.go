package redis

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/omconnect/omconnect/offsets"
	"github.com/omconnect/omconnect/oms"
)

// examineEvery is how long a good examination holds.
const examineEvery = time.Minute

// health is what is known of the server. One call at a time examines it.
type health struct {
	turn   chan struct{}             // holds one while somebody examines
	server atomic.Pointer[condition] // the last good one
	fault  atomic.Pointer[fault]     // the last bad one
	warned atomic.Bool
}

// A fault is how an examination failed, and when.
type fault struct {
	err error
	at  time.Time
}

// A condition is what a good examination found.
type condition struct {
	at       time.Time
	waitAOF  bool // the server has WAITAOF
	fsyncing bool // it fsyncs before it answers
}

// examine returns why the server cannot be used. While one call examines, the
// others go by the last good examination, if there was one.
func (s *Store) examine(ctx context.Context) error {
	began := time.Now()
	last := s.health.server.Load()
	if last != nil && time.Since(last.at) < examineEvery {
		return nil
	}
	if last != nil {
		select {
		case s.health.turn <- struct{}{}:
		default:
			return nil
		}
	} else {
		select {
		case s.health.turn <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	defer func() { <-s.health.turn }()
	if now := s.health.server.Load(); now != last {
		return nil // somebody else has just done it
	}
	if f := s.health.fault.Load(); f != nil && f.at.After(began) {
		return f.err // this call has waited for it: to look again would make a queue
	}
	found, err := s.look(ctx)
	if err != nil {
		if ctx.Err() == nil {
			s.health.fault.Store(&fault{err, time.Now()})
		}
		s.health.server.Store(nil) // the next call looks again
		return err
	}
	s.health.server.Store(found)
	return nil
}

// look examines the server and the data.
func (s *Store) look(ctx context.Context) (*condition, error) {
	text, err := s.info(ctx)
	if err != nil {
		return nil, err
	}
	found := &condition{at: time.Now(), waitAOF: hasWaitAOF(text["redis_version"])}
	if err := s.judge(ctx, text, found); err != nil {
		return nil, err
	}
	oldest, err := s.client.HGet(ctx, s.keys.meta(), "min_reader").Result()
	switch {
	case err == goredis.Nil: //nolint:errorlint // never wrapped
		return found, nil // an empty store
	case err != nil:
		return nil, err
	}
	version, err := strconv.Atoi(oldest)
	if err != nil {
		return nil, fmt.Errorf("%w: %s does not say who may read it", oms.ErrFormat, s.keys.meta())
	}
	return found, offsets.CheckFormat(version)
}

// info returns the fields of INFO: of the server, or of that one of a cluster
// that has the definitions. It is empty where the user may not read it.
func (s *Store) info(ctx context.Context) (map[string]string, error) {
	node, err := s.node(ctx, s.keys.defs())
	if err != nil {
		return nil, err
	}
	text, err := node.Info(ctx).Result()
	if err != nil {
		if code, _ := classify(err); code != oms.ErrUnsupported && !goredis.HasErrorPrefix(err, "NOPERM") {
			return nil, err
		}
		s.warnOnce("the state store does not tell about itself: make sure that it evicts nothing and has an append-only file")
		return nil, nil
	}
	fields := make(map[string]string)
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			fields[name] = value
		}
	}
	return fields, nil
}

// judge refuses a server that could lose positions, and one that cannot give
// the durability asked for.
func (s *Store) judge(ctx context.Context, info map[string]string, found *condition) error {
	if policy := info["maxmemory_policy"]; strings.HasPrefix(policy, "allkeys-") {
		return fmt.Errorf("%w: the server has maxmemory-policy %s, by which it may throw positions away: set it to noeviction", oms.ErrInvalid, policy)
	}
	if info["role"] == "slave" {
		return fmt.Errorf("%w: the server is a replica of %s:%s; name the master, or use mode=sentinel",
			oms.ErrUnavailable, info["master_host"], info["master_port"])
	}
	if info["aof_enabled"] == "0" {
		if s.config.Durability.Disk {
			return fmt.Errorf("%w: durability=disk needs an append-only file, and the server has none: set appendonly yes", oms.ErrInvalid)
		}
		s.warnOnce("the state store has no append-only file: a restart may set positions back; set appendonly yes")
	}
	if s.config.Durability.Disk && !found.waitAOF {
		policy, err := s.fsyncPolicy(ctx)
		switch {
		case err != nil:
			return err
		case policy == "no":
			return fmt.Errorf("%w: durability=disk needs appendfsync everysec or always, and the server has no", oms.ErrInvalid)
		}
		found.fsyncing = policy == "always"
	}
	return nil
}

// fsyncPolicy returns the server's appendfsync, "" if it does not tell.
func (s *Store) fsyncPolicy(ctx context.Context) (string, error) {
	node, err := s.node(ctx, s.keys.defs())
	if err != nil {
		return "", err
	}
	config, err := node.ConfigGet(ctx, "appendfsync").Result()
	if err != nil {
		if _, answered := err.(goredis.Error); answered { //nolint:errorlint // a reply is never wrapped
			return "", nil // CONFIG is closed on managed servers
		}
		return "", err
	}
	return config["appendfsync"], nil
}

func (s *Store) warnOnce(text string) {
	if !s.health.warned.Swap(true) {
		s.log.Warn(text, "store", s.config.String()) //nolint:sloglint // one of a few constants
	}
}

// hasWaitAOF reports whether a version is 7.2 or later.
func hasWaitAOF(version string) bool {
	var major, minor int
	if n, _ := fmt.Sscanf(version, "%d.%d", &major, &minor); n < 2 {
		return false
	}
	return major > 7 || major == 7 && minor >= 2
}
