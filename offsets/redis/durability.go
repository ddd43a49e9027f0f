package redis

import (
	"context"
	"fmt"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/omconnect/omconnect/oms"
)

// node returns the client of the server that has a key.
func (s *Store) node(ctx context.Context, key string) (*goredis.Client, error) {
	switch c := s.client.(type) {
	case *goredis.ClusterClient:
		return c.MasterForKey(ctx, key)
	case *goredis.Client:
		return c, nil
	}
	panic("redis: a client of an unknown kind")
}

// write runs a script, and returns once what it wrote is durable in the sense
// of the Config. When it returns a temporary error the write may have
// happened.
func (s *Store) write(ctx context.Context, sc *goredis.Script, ks []string, args ...any) (string, error) {
	d := s.config.Durability
	if d == (Durability{}) {
		return s.run(ctx, sc, ks, args...)
	}
	server := s.health.server.Load()
	if server == nil { // somebody found fault with it just now
		return "", fmt.Errorf("%w: the server is being examined", oms.ErrUnavailable)
	}
	if d.Disk && !server.waitAOF {
		value, err := s.run(ctx, sc, ks, args...)
		if err == nil && !server.fsyncing {
			err = s.awaitFsync(ctx)
		}
		return value, err
	}
	return s.writeAndWait(ctx, sc, ks, args)
}

// awaitFsync waits as long as a server takes to fsync that does not tell when
// it has.
func (s *Store) awaitFsync(ctx context.Context) error {
	timer := time.NewTimer(s.fsyncDelay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("the write is not known to be on the disk: %w", ctx.Err())
	}
}

// writeAndWait sends the script and the waiting as one pipeline: the server
// waits for what was written on the same connection.
func (s *Store) writeAndWait(ctx context.Context, sc *goredis.Script, ks []string, args []any) (string, error) {
	node, err := s.node(ctx, ks[0])
	if err != nil {
		return "", err
	}
	written, waited := s.pipeline(ctx, node, sc.EvalSha, ks, args)
	if isNoScript(written.Err()) { // in a pipeline the library does not send the text
		written, waited = s.pipeline(ctx, node, sc.Eval, ks, args)
	}
	a, err := parseAnswer(written.Result())
	if err == nil {
		err = a.err()
	}
	if err != nil {
		return a.value, err
	}
	return a.value, s.reached(waited)
}

type evaluate func(ctx context.Context, c goredis.Scripter, keys []string, args ...any) *goredis.Cmd

func (s *Store) pipeline(ctx context.Context, node *goredis.Client, eval evaluate, ks []string, args []any) (written, waited *goredis.Cmd) {
	pipe := node.Pipeline()
	written = eval(ctx, pipe, ks, args...)
	limit := s.waitLimit.Milliseconds()
	if s.config.Durability.Disk {
		waited = pipe.Do(ctx, "WAITAOF", 1, 0, limit)
	} else {
		waited = pipe.Do(ctx, "WAIT", s.config.Durability.Replicas, limit)
	}
	_, _ = pipe.Exec(ctx) // each command has its own error
	return written, waited
}

// reached returns nil if as many have the write as are asked for. The server
// answers with their number, and without an error when they are too few.
func (s *Store) reached(waited *goredis.Cmd) error {
	if err := waited.Err(); err != nil {
		return fmt.Errorf("waiting for durability: %w", err)
	}
	if s.config.Durability.Disk {
		if counts, err := waited.Int64Slice(); err != nil || len(counts) == 0 || counts[0] < 1 {
			return fmt.Errorf("%w: the write is not known to be on the disk after %s", oms.ErrUnavailable, s.waitLimit)
		}
		return nil
	}
	if n, err := waited.Int(); err != nil || n < s.config.Durability.Replicas {
		return fmt.Errorf("%w: %d of %d replicas have the write after %s", oms.ErrUnavailable, n, s.config.Durability.Replicas, s.waitLimit)
	}
	return nil
}
