package redis_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/omconnect/omconnect/integration"
	"github.com/omconnect/omconnect/offsets"
	"github.com/omconnect/omconnect/offsets/redis"
	"github.com/omconnect/omconnect/oms"
)

// fill does one of everything that a store keeps.
func fill(t *testing.T, s *redis.Store) offsets.Lease {
	t.Helper()
	ctx := t.Context()
	if _, err := s.ID(ctx); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"c", "gone", "kept"} {
		revision, err := s.Put(ctx, offsets.Definition{Name: name, Target: offsets.TargetRunning})
		if err != nil {
			t.Fatal(err)
		}
		l := acquire(t, s, name, time.Hour)
		if err := errors.Join(s.Commit(ctx, l, one), s.Publish(ctx, offsets.Status{Connector: name, State: "RUNNING"}, time.Hour)); err != nil {
			t.Fatal(err)
		}
		if name != "c" {
			if err := s.Remove(ctx, name, revision, name == "kept"); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := s.Alter(ctx, "altered", one, nil); err != nil {
		t.Fatal(err)
	}
	if err := s.Adopt(ctx, "adopted", "", "broker", false); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Join(ctx, redis.Member{ID: "g"}, time.Hour); err != nil {
		t.Fatal(err)
	}
	l := acquire(t, s, "c", time.Hour)
	released := acquire(t, s, "released", time.Hour)
	if err := s.Release(ctx, released); err != nil {
		t.Fatal(err)
	}
	return l
}

func TestOnlyLeasesStatusesAndMembersExpire(t *testing.T) {
	r := integration.NewRedis(t)
	s := open(t, r.URL()+"?prefix=pre&namespace=ns")
	fill(t, s)
	behind := client(t, r.Addr())
	found, err := behind.Keys(t.Context(), "*").Result()
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{ // whether it expires
		"pre:{ns}:meta": false, "pre:{ns}:defs": false, "pre:{ns:c}:pos": false, "pre:{ns:kept}:pos": false, "pre:{ns:altered}:pos": false,
		"pre:{ns:adopted}:pos": false, "pre:{ns:released}:pos": false, "pre:{ns:c}:lease:0": true, "pre:{ns:c}:status": true, "pre:{ns}:members": true,
		"pre:{ns:gone}:lease:0": true, "pre:{ns:kept}:lease:0": true, // void, but there until they end
	}
	for _, key := range found {
		expires, known := want[key]
		delete(want, key)
		ttl, err := behind.TTL(t.Context(), key).Result()
		if err != nil || !known || (ttl > 0) != expires || !expires && ttl != -1 {
			t.Errorf("the key %s has the TTL %v, %v (known: %v, should expire: %v)", key, ttl, err, known, expires)
		}
	}
	for key := range want {
		t.Errorf("the key %s is not there", key)
	}
}

func TestEmptiedStoreIsLostAndAnother(t *testing.T) {
	r := integration.NewRedis(t)
	s := open(t, r.URL())
	l := fill(t, s)
	before, err := s.ID(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	behind := client(t, r.Addr())
	told := 0
	for d, err := range s.Watch(ctx, 0) {
		told++
		if told == 1 {
			if err != nil || d.Name != "c" {
				t.Fatalf("Watch yields %v, %v", d, err)
			}
			if err := behind.FlushAll(ctx).Err(); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if oms.CodeOf(err) != offsets.ErrStateLost {
			t.Fatalf("Watch of an emptied store yields %+v, %v, want ErrStateLost", d, err)
		}
		break
	}
	if err := s.Commit(ctx, l, one); oms.CodeOf(err) != offsets.ErrStateLost {
		t.Errorf("Commit: %v, want ErrStateLost", err)
	}
	if _, err := s.Renew(ctx, l, time.Hour); oms.CodeOf(err) != offsets.ErrStateLost {
		t.Errorf("Renew: %v, want ErrStateLost", err)
	}
	if n, err := behind.Exists(ctx, redis.PositionsKey(s, "c")).Result(); err != nil || n > 0 {
		t.Errorf("the refused commit has made positions: %d, %v", n, err)
	}
	after, err := s.ID(ctx)
	if err != nil || after == "" || after == before {
		t.Errorf("the id was %s and is %s, %v", before, after, err)
	}
}

func TestRedisServersThatAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		args    []string
		options string
		code    oms.Code
		says    string
		mend    []any
	}{
		"evicting":   {[]string{"--maxmemory-policy", "allkeys-lru"}, "", oms.ErrInvalid, "noeviction", []any{"CONFIG", "SET", "maxmemory-policy", "noeviction"}},
		"no file":    {[]string{"--appendonly", "no"}, "?durability=disk", oms.ErrInvalid, "appendonly yes", nil},
		"no fsync":   {[]string{"--appendfsync", "no"}, "?durability=disk", oms.ErrInvalid, "everysec", []any{"CONFIG", "SET", "appendfsync", "always"}},
		"no such db": {nil, "", oms.ErrInvalid, "fewer databases", nil},
	} {
		t.Run(name, func(t *testing.T) {
			r := integration.NewRedis(t, c.args...)
			url := r.URL() + c.options
			if name == "no such db" {
				url = "redis://" + r.Addr() + "/99"
			}
			s := open(t, url)
			for range 2 {
				_, err := s.Acquire(t.Context(), offsets.Owner{Connector: "c"}, "a", time.Hour)
				if oms.CodeOf(err) != c.code || !strings.Contains(err.Error(), c.says) {
					t.Errorf("Acquire: %v, want the code %q and %q", err, c.code, c.says)
				}
			}
			if c.mend == nil {
				return
			}
			if err := client(t, r.Addr()).Do(t.Context(), c.mend...).Err(); err != nil {
				t.Fatal(err)
			}
			if err := s.Commit(t.Context(), acquire(t, s, "c", time.Hour), one); err != nil {
				t.Errorf("once it is mended: %v", err)
			}
		})
	}
}

func TestWrongPasswordIsDeniedUntilItIsRight(t *testing.T) {
	r := integration.NewRedis(t)
	behind := client(t, r.Addr())
	ctx := t.Context()
	set := func(args ...any) {
		t.Helper()
		if err := behind.Do(ctx, args...).Err(); err != nil {
			t.Fatal(err)
		}
	}
	set("ACL", "SETUSER", "gw", "on", ">right", "~omc:*", "+@all", "-@admin", "-@dangerous")
	s := open(t, "redis://gw:wrong@"+r.Addr())
	for range 2 {
		err := s.Check(ctx)
		if oms.CodeOf(err) != oms.ErrDenied || !strings.Contains(err.Error(), "WRONGPASS") || strings.Contains(err.Error(), "gw:wrong") {
			t.Errorf("Check with the wrong password: %v, want ErrDenied without the password", err)
		}
	}
	set("ACL", "SETUSER", "gw", ">wrong") // a user may have several
	fill(t, s)                            // INFO and CONFIG are not allowed: taken to be in order

	set("ACL", "SETUSER", "gw", "-hset")
	if err := s.Commit(ctx, acquireBehind(t, behind, s), one); oms.CodeOf(err) != oms.ErrDenied {
		t.Errorf("Commit without the right to HSET: %v, want ErrDenied", err)
	}
	set("ACL", "SETUSER", "gw", "+hset", "resetkeys", "~other:*")
	if _, err := s.List(ctx); oms.CodeOf(err) != oms.ErrDenied {
		t.Errorf("List without the right to the keys: %v, want ErrDenied", err)
	}
	set("CONFIG", "SET", "requirepass", "x")
	if err := open(t, r.URL()).Check(ctx); oms.CodeOf(err) != oms.ErrDenied || !strings.Contains(err.Error(), "has no password") {
		t.Errorf("Check without a password: %v, want ErrDenied", err)
	}
}

// acquireBehind returns the present lease of c, as it stands in the store.
func acquireBehind(t *testing.T, behind *goredis.Client, s *redis.Store) offsets.Lease {
	t.Helper()
	token, err := behind.HGet(t.Context(), redis.PositionsKey(s, "c"), "!owner:0").Result()
	if err != nil {
		t.Fatal(err)
	}
	return offsets.Lease{Owner: offsets.Owner{Connector: "c"}, Holder: "gateway-a", Token: token}
}

func TestFullMemoryIsTemporaryAndWritesNothing(t *testing.T) {
	r := integration.NewRedis(t)
	s := open(t, r.URL())
	l := fill(t, s)
	behind := client(t, r.Addr())
	limit := func(n string) {
		t.Helper()
		if err := behind.ConfigSet(t.Context(), "maxmemory", n).Err(); err != nil {
			t.Fatal(err)
		}
	}
	limit("1")
	err := s.Commit(t.Context(), l, map[offsets.Partition]offsets.Position{`{"p":1}`: `{"n":2}`, `{"p":2}`: `{"n":2}`})
	if oms.CodeOf(err) != oms.ErrFull || !strings.Contains(err.Error(), "maxmemory") {
		t.Errorf("Commit: %v, want ErrFull", err)
	}
	if ps, err := s.Load(t.Context(), "c"); err != nil || len(ps) != 1 || ps[`{"p":1}`] != `{"n":1}` {
		t.Errorf("the positions are %v, %v, want those from before", ps, err)
	}
	limit("0")
	if err := s.Commit(t.Context(), l, one); err != nil {
		t.Errorf("Commit when there is room: %v", err)
	}
}

func TestForeignKeysAreNamed(t *testing.T) {
	r := integration.NewRedis(t)
	s := open(t, r.URL())
	if err := client(t, r.Addr()).Set(t.Context(), redis.PositionsKey(s, "c"), "x", 0).Err(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Load(t.Context(), "c"); oms.CodeOf(err) != oms.ErrFormat || !strings.Contains(err.Error(), "prefix") {
		t.Errorf("Load of a string: %v, want ErrFormat", err)
	}
}

func TestDamagedDefinitionIsNamed(t *testing.T) {
	r := integration.NewRedis(t)
	s := open(t, r.URL())
	fill(t, s)
	behind := client(t, r.Addr())
	for record, says := range map[string]string{`x`: "damaged", `{"v":2}`: "newer omconnect", `[1]`: "damaged", `{"v":1}`: "no name"} {
		if err := behind.HSet(t.Context(), redis.DefinitionsKey(s), "orders", record).Err(); err != nil {
			t.Fatal(err)
		}
		_, list := s.List(t.Context())
		_, put := s.Put(t.Context(), offsets.Definition{Name: "orders", Target: offsets.TargetRunning, Revision: 1})
		for call, err := range map[string]error{"List": list, "Put": put, "Remove": s.Remove(t.Context(), "orders", 1, false)} {
			if oms.CodeOf(err) != oms.ErrFormat || !strings.Contains(err.Error(), "orders") || !strings.Contains(err.Error(), says) {
				t.Errorf("%s with the record %s: %v, want ErrFormat naming orders and %q", call, record, err, says)
			}
		}
		good := false
		for d, err := range s.Watch(t.Context(), 0) {
			good = good || d.Name == "c"
			if err != nil {
				if !good || oms.CodeOf(err) != oms.ErrFormat {
					t.Errorf("Watch yields %v, after the good one: %v", err, good)
				}
				break
			}
		}
	}
}
