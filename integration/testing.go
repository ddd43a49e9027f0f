package integration

import (
	"context"
	"os"
	"strings"
	"testing"
)

// RedisEnv is the environment variable that names a Redis for tests, as a URL.
const RedisEnv = "OMCONNECT_TEST_REDIS"

// FullEnv is the environment variable that asks for the counts that a release
// is held to, as make test-full does.
const FullEnv = "OMCONNECT_TEST_FULL"

// Count returns how many of something a test takes: usual, or full where
// [FullEnv] is set.
func Count(usual, full int) int {
	if os.Getenv(FullEnv) != "" {
		return full
	}
	return usual
}

// RedisURL returns the URL of a Redis: the one that [RedisEnv] names, or else
// one started for this test. Others may use the same: a test keeps to a key
// prefix of its own and takes nothing for granted. Tests that stop the server
// take [NewRedis].
func RedisURL(tb testing.TB) string {
	tb.Helper()
	url, set := os.LookupEnv(RedisEnv)
	if !set || url == "" {
		return NewRedis(tb).URL()
	}
	if !strings.HasPrefix(url, "redis://") && !strings.HasPrefix(url, "rediss://") {
		tb.Fatalf("%s=%s: want a URL such as redis://127.0.0.1:6379/0; make brokers prints one", RedisEnv, url)
	}
	return url
}

// NewRedis returns a Redis that belongs to this test alone and ends with it.
// Arguments are added to the server's command line.
func NewRedis(tb testing.TB, args ...string) *Redis {
	tb.Helper()
	r, err := StartRedis(tb.Context(), tb.TempDir(), args...)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := r.Close(context.WithoutCancel(tb.Context())); err != nil {
			tb.Error(err)
		}
	})
	return r
}
