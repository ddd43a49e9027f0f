package integration

import (
	"context"
	"strings"

	"github.com/omconnect/omconnect/integration/servers"
)

// A Redis is a redis-server of one's own, with an append-only file. Its
// methods must not be called concurrently, but Addr and URL may.
type Redis struct{ *servers.Server }

// StartRedis starts a server on a free loopback port, with its data and its
// log in dir, and returns when it answers. Arguments are pairs of a key and its
// value, such as "--maxmemory-policy", "allkeys-lru"; they must not ask for a
// password. The context bounds the start, not the server's life.
func StartRedis(ctx context.Context, dir string, args ...string) (*Redis, error) {
	var opts []servers.Option
	for i := 0; i+1 < len(args); i += 2 {
		opts = append(opts, servers.Config(strings.TrimPrefix(args[i], "--"), args[i+1]))
	}
	s, err := servers.StartRedis(ctx, dir, opts...)
	if err != nil {
		return nil, err
	}
	return &Redis{s}, nil
}

// URL returns the server's address as clients take it.
func (r *Redis) URL() string { return redisURL(r.Addr()) }

// Restart stops the server if it runs, and starts it on the same port and
// folder. It also brings back one that Stop or Kill has ended.
func (r *Redis) Restart(ctx context.Context) error {
	if err := r.Stop(ctx); err != nil {
		return err
	}
	return r.Start(ctx)
}

func redisURL(addr string) string { return "redis://" + addr + "/0" }
