package redis_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	goredis "github.com/redis/go-redis/v9"

	"github.com/omconnect/omconnect/integration"
	"github.com/omconnect/omconnect/internal/leaks"
	"github.com/omconnect/omconnect/offsets"
	"github.com/omconnect/omconnect/offsets/offsetstest"
	"github.com/omconnect/omconnect/offsets/redis"
)

func TestMain(m *testing.M) {
	if url := os.Getenv(childURL); url != "" {
		os.Exit(child(url))
	}
	leaks.Main(m)
}

// quiet discards what a store logs.
var quiet = slog.New(slog.DiscardHandler)

// open opens a store that looks often, and closes it with the test.
func open(t *testing.T, url string) *redis.Store {
	t.Helper()
	s, err := redis.Open(url, quiet)
	if err != nil {
		t.Fatal(err)
	}
	redis.Tune(s, 5*time.Millisecond, time.Millisecond)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// client returns a client of one's own, to look behind the store's back.
func client(t *testing.T, addr string) *goredis.Client {
	t.Helper()
	c := goredis.NewClient(&goredis.Options{Addr: addr})
	t.Cleanup(func() { c.Close() })
	return c
}

// harness is that of stores at a URL, whose server is empty or has nothing
// with its prefix.
func harness(t *testing.T, url, addr string) offsetstest.Harness {
	t.Helper()
	behind := client(t, addr)
	names := open(t, url)
	return offsetstest.Harness{
		Open: func() (offsets.Store, error) {
			s, err := redis.Open(url, quiet)
			if err == nil {
				redis.Tune(s, 5*time.Millisecond, time.Millisecond)
			}
			return s, err
		},
		Reopens: true,
		Corrupt: func(connector string, p offsets.Partition, record string) error {
			return behind.HSet(t.Context(), redis.PositionsKey(names, connector), string(p), record).Err()
		},
	}
}

func TestMiniredisKeepsTheContract(t *testing.T) {
	for _, mode := range []string{"single", "cluster"} {
		t.Run(mode, func(t *testing.T) {
			offsetstest.Run(t, func(t *testing.T) offsetstest.Harness {
				t.Helper()
				m := miniredis.RunT(t)
				h := harness(t, "redis://"+m.Addr()+"/?mode="+mode, m.Addr())
				var mu sync.Mutex
				now := time.Now()
				m.SetTime(now)
				h.Advance = func(d time.Duration) {
					mu.Lock()
					defer mu.Unlock()
					now = now.Add(d)
					m.SetTime(now)
					m.FastForward(d)
				}
				return h
			})
		})
	}
}

func TestRedisKeepsTheContract(t *testing.T) {
	url := integration.RedisURL(t)
	options, err := goredis.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	offsetstest.Run(t, func(t *testing.T) offsetstest.Harness {
		t.Helper()
		n++
		h := harness(t, url+"?namespace="+namespace(t, n), options.Addr)
		return h
	})
}

// TestRedisClusterKeepsTheContract is what finds scripts with keys of more
// than one slot.
func TestRedisClusterKeepsTheContract(t *testing.T) {
	r := integration.NewRedis(t, "--cluster-enabled", "yes")
	behind := client(t, r.Addr())
	if err := behind.Do(t.Context(), "CLUSTER", "ADDSLOTSRANGE", 0, 16383).Err(); err != nil {
		t.Fatal(err)
	}
	await(t, "the cluster", func(ctx context.Context) (bool, error) {
		info, err := behind.ClusterInfo(ctx).Result()
		return strings.Contains(info, "cluster_state:ok"), err
	})
	n := 0
	offsetstest.Run(t, func(t *testing.T) offsetstest.Harness {
		t.Helper()
		n++
		return harness(t, r.URL()+"?mode=cluster&namespace="+namespace(t, n), r.Addr())
	})
}

// TestReplicasAreNeverRead looks at what the library is told.
func TestReplicasAreNeverRead(t *testing.T) {
	cluster, ok := redis.Client(open(t, "redis://h?mode=cluster")).(*goredis.ClusterClient)
	if !ok {
		t.Fatal("mode=cluster has another client")
	}
	o := cluster.Options()
	if o.ReadOnly || o.RouteByLatency || o.RouteRandomly || !o.ContextTimeoutEnabled {
		t.Errorf("the options are %+v", o)
	}
	for _, url := range []string{"redis://h", "redis://h?mode=sentinel&master=m"} {
		single, ok := redis.Client(open(t, url)).(*goredis.Client)
		if !ok || !single.Options().ContextTimeoutEnabled {
			t.Errorf("%s: the options are %+v", url, single.Options())
		}
	}
}

// namespace returns one that no other test run uses.
func namespace(t *testing.T, n int) string {
	t.Helper()
	return strings.Join([]string{"t", time.Now().Format("150405.000000000"), string(rune('a'+n%26)) + string(rune('a'+n/26))}, "-")
}

// await asks until cond holds, for half a minute.
func await(t *testing.T, what string, cond func(context.Context) (bool, error)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for {
		done, err := cond(ctx)
		if done {
			return
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			t.Fatalf("%s does not come: %v", what, errors.Join(err, ctx.Err()))
		}
	}
}
