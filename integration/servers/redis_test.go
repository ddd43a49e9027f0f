package servers_test

import (
	"errors"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/omconnect/omconnect/integration/servers"
)

func TestRedisComesBackWithItsDataAndLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	s := servers.Redis(t, servers.Config("databases", "3"))
	loopback(t, s)
	client := redisClient(t, &redis.Options{Addr: s.Addr()})
	if got := client.ConfigGet(t.Context(), "databases").Val()["databases"]; got != "3" {
		t.Errorf("the server has %q databases, want 3, as Config says", got)
	}
	if err := client.Set(t.Context(), "kept", "yes", 0).Err(); err != nil {
		t.Fatal(err)
	}
	lives(t, s, func() {
		t.Helper()
		if got, err := redisClient(t, &redis.Options{Addr: s.Addr()}).Get(t.Context(), "kept").Result(); err != nil || got != "yes" {
			t.Errorf("GET gives %q, %v, want yes", got, err)
		}
	})
}

func TestRedisTakesItsUsersOnly(t *testing.T) {
	t.Parallel()
	c := certificates(t)
	s := servers.Redis(t, servers.TLS(c), servers.ClientCertificates(), servers.User("alice", "wonder-land"), servers.User("bob", "secret.2"))
	with := clientConfig(t, c)
	without := with.Clone()
	without.Certificates = nil
	for name, tc := range map[string]struct {
		options redis.Options
		wanted  bool
	}{
		"first user":     {redis.Options{Addr: s.Addr(), TLSConfig: with, Username: "alice", Password: "wonder-land"}, true},
		"second user":    {redis.Options{Addr: s.Addr(), TLSConfig: with, Username: "bob", Password: "secret.2"}, true},
		"plain":          {redis.Options{Addr: s.AddrOf(servers.Plain), Username: "bob", Password: "secret.2"}, true},
		"wrong password": {redis.Options{Addr: s.Addr(), TLSConfig: with, Username: "bob", Password: "wonder-land"}, false},
		"no user":        {redis.Options{Addr: s.Addr(), TLSConfig: with}, false},
		"no certificate": {redis.Options{Addr: s.Addr(), TLSConfig: without, Username: "bob", Password: "secret.2"}, false},
	} {
		if err := redisClient(t, &tc.options).Ping(t.Context()).Err(); (err == nil) != tc.wanted {
			t.Errorf("%s: got %v, want that it is let in: %v", name, err, tc.wanted)
		}
	}
}

// TestAnotherServerOnThePortIsNotTakenForOurs: between the choice of a port
// and the start another server has taken it. It answers, but it is not the one
// that was started.
func TestAnotherServerOnThePortIsNotTakenForOurs(t *testing.T) {
	t.Parallel()
	if err := servers.LaunchOn(t.Context(), servers.Redis(t), t.TempDir()); !errors.Is(err, servers.ErrPortTaken) {
		t.Errorf("got %v, want that the port was taken", err)
	}
}

func redisClient(t *testing.T, options *redis.Options) *redis.Client {
	t.Helper()
	options.MaxRetries = -1
	client := redis.NewClient(options)
	t.Cleanup(func() { _ = client.Close() })
	return client
}
