package redis_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/alicebob/miniredis/v2/server"

	"github.com/omconnect/omconnect/offsets/redis"
	"github.com/omconnect/omconnect/oms"
)

// reporting starts a server that answers INFO with the given lines, and
// CONFIG GET with appendfsync, if it is not "".
func reporting(t *testing.T, info, appendfsync string) *miniredis.Miniredis {
	t.Helper()
	m := miniredis.RunT(t)
	m.Server().SetPreHook(func(p *server.Peer, cmd string, _ ...string) bool {
		switch strings.ToUpper(cmd) {
		case "INFO":
			if strings.HasPrefix(info, "-") {
				p.WriteError(info[1:])
			} else {
				p.WriteBulk(strings.ReplaceAll(info, "\n", "\r\n"))
			}
		case "CONFIG":
			if appendfsync == "" {
				p.WriteError("NOPERM this user has no permissions to run the 'config|get' command")
			} else {
				p.WriteStrings([]string{"appendfsync", appendfsync})
			}
		default:
			return false
		}
		return true
	})
	return m
}

func TestServersThatAreLookedAt(t *testing.T) {
	const good = "redis_version:7.0.15\nrole:master\nmaxmemory_policy:noeviction\naof_enabled:1\n"
	for _, c := range []struct {
		name, info, appendfsync, options string
		code                             oms.Code
		says, warns                      string
	}{
		{name: "a good one", info: good},
		{name: "one that says nothing", info: ""},
		{name: "one that may not be asked", info: "-NOPERM this user has no permissions to run the 'info' command", warns: "does not tell"},
		{name: "one without INFO", info: "-ERR unknown command 'INFO'", warns: "does not tell"},
		{name: "one without a file", info: "aof_enabled:0\nrole:master\n", warns: "appendonly yes"},
		{name: "evicting, LRU", info: "maxmemory_policy:allkeys-lru\n", code: oms.ErrInvalid, says: "noeviction"},
		{name: "evicting, random", info: "maxmemory_policy:allkeys-random\n", code: oms.ErrInvalid, says: "allkeys-random"},
		{name: "evicting what expires anyway", info: "maxmemory_policy:volatile-lru\n"},
		{name: "a replica", info: "role:slave\nmaster_host:m\nmaster_port:1\n", code: oms.ErrUnavailable, says: "m:1"},
		{name: "disk, no file", info: "redis_version:7.2.0\naof_enabled:0\n", options: "?durability=disk", code: oms.ErrInvalid, says: "appendonly yes"},
		{name: "disk, never", info: good, appendfsync: "no", options: "?durability=disk", code: oms.ErrInvalid, says: "everysec"},
		{name: "disk, old, every second", info: good, appendfsync: "everysec", options: "?durability=disk"},
		{name: "disk, old, always", info: good, appendfsync: "always", options: "?durability=disk"},
		{name: "disk, old, not told", info: good, options: "?durability=disk"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := reporting(t, c.info, c.appendfsync)
			var logged bytes.Buffer
			s, err := redis.Open("redis://:pw@"+m.Addr()+c.options, slog.New(slog.NewTextHandler(&logged, nil)))
			if err != nil {
				t.Fatal(err)
			}
			m.RequireAuth("pw")
			redis.Tune(s, time.Millisecond, time.Millisecond)
			defer s.Close()
			for range 2 {
				err = s.Check(t.Context())
				if oms.CodeOf(err) != c.code || err != nil && !strings.Contains(err.Error(), c.says) {
					t.Errorf("Check: %v, want the code %q and %q", err, c.code, c.says)
				}
				redis.Forget(s)
			}
			if n := strings.Count(logged.String(), "level=WARN"); c.warns == "" && n > 0 || c.warns != "" && n != 1 {
				t.Errorf("%d warnings: %s", n, logged.String())
			}
			if !strings.Contains(logged.String(), c.warns) || strings.Contains(logged.String(), "pw@") {
				t.Errorf("the log is %s, want %q and no password", logged.String(), c.warns)
			}
		})
	}
}

func TestNewerDataIsRefusedUntilItIsNot(t *testing.T) {
	m := miniredis.RunT(t)
	s := open(t, "redis://"+m.Addr())
	if _, err := s.ID(t.Context()); err != nil {
		t.Fatal(err)
	}
	for version, says := range map[string]string{"2": "newer omconnect", "x": "who may read it"} {
		redis.Forget(s)
		m.HSet(redis.MetaKey(s), "min_reader", version)
		for range 2 {
			_, err := s.List(t.Context())
			if oms.CodeOf(err) != oms.ErrFormat || !strings.Contains(err.Error(), says) {
				t.Errorf("List with min_reader %s: %v, want ErrFormat and %q", version, err, says)
			}
		}
	}
	m.HSet(redis.MetaKey(s), "min_reader", "1")
	if _, err := s.List(t.Context()); err != nil {
		t.Errorf("List of what can be read again: %v", err)
	}
}
