package redis_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/alicebob/miniredis/v2/server"

	"github.com/omconnect/omconnect/offsets"
	"github.com/omconnect/omconnect/offsets/redis"
	"github.com/omconnect/omconnect/oms"
)

// durable starts a server of Redis 7.2 that answers WAIT and WAITAOF with the
// numbers in reached, or an error when it is below 0, and counts them.
func durable(t *testing.T, reached, waits *atomic.Int64) *miniredis.Miniredis {
	t.Helper()
	m := miniredis.RunT(t)
	m.Server().SetPreHook(func(p *server.Peer, cmd string, _ ...string) bool {
		switch strings.ToUpper(cmd) {
		case "INFO":
			p.WriteBulk("redis_version:7.2.4\r\naof_enabled:1\r\n")
			return true
		case "WAIT", "WAITAOF":
		default:
			return false
		}
		waits.Add(1)
		switch n := int(reached.Load()); {
		case n < 0:
			p.WriteError("ERR cannot wait")
		case strings.EqualFold(cmd, "WAIT"):
			p.WriteInt(n)
		default:
			p.WriteLen(2)
			p.WriteInt(n)
			p.WriteInt(0)
		}
		return true
	})
	return m
}

func TestWritesWaitForTheirDurability(t *testing.T) {
	for option, want := range map[string]int64{"disk": 1, "replicas=2": 2} {
		t.Run(option, func(t *testing.T) {
			var reached, waits atomic.Int64
			m := durable(t, &reached, &waits)
			s := open(t, "redis://"+m.Addr()+"?durability="+option)
			l := acquire(t, s, "c", time.Hour)
			for n := int64(-1); n <= want; n++ {
				reached.Store(n)
				before := waits.Load()
				err := s.Commit(t.Context(), l, one)
				switch {
				case n == want && err != nil:
					t.Errorf("reached by %d: %v", n, err)
				case n >= 0 && n < want && oms.CodeOf(err) != oms.ErrUnavailable, n < 0 && err == nil:
					t.Errorf("reached by %d of %d: %v, want ErrUnavailable", n, want, err)
				case waits.Load() == before:
					t.Error("the commit waited for nothing")
				}
			}
			d := offsets.Definition{Name: "c", Target: offsets.TargetRunning}
			revision, err := s.Put(t.Context(), d)
			if err != nil {
				t.Fatal(err)
			}
			before := waits.Load()
			if err := s.Alter(t.Context(), "c", one, nil); err != nil {
				t.Error(err)
			}
			if err := s.Adopt(t.Context(), "c", "", "first", true); err != nil {
				t.Error(err)
			}
			if err := s.Remove(t.Context(), "c", revision, false); err != nil {
				t.Error(err)
			}
			if waits.Load() < before+3 {
				t.Error("Alter, Adopt or Remove waited for nothing")
			}
		})
	}
}

func TestRefusalsNeedNoDurability(t *testing.T) {
	var reached, waits atomic.Int64
	m := durable(t, &reached, &waits)
	s := open(t, "redis://"+m.Addr()+"?durability=disk")
	former := acquire(t, s, "c", time.Hour)
	acquire(t, s, "c", time.Hour)
	if err := s.Commit(t.Context(), former, one); oms.CodeOf(err) != oms.ErrFenced {
		t.Errorf("commit by a former owner: %v, want ErrFenced", err)
	}
	unknown := offsets.Lease{Owner: offsets.Owner{Connector: "x"}, Token: former.Token}
	if err := s.Commit(t.Context(), unknown, one); oms.CodeOf(err) != offsets.ErrStateLost {
		t.Errorf("commit for an unknown connector: %v, want ErrStateLost", err)
	}
}

func TestForgottenScriptsAreSentAgain(t *testing.T) {
	var reached, waits atomic.Int64
	reached.Store(1)
	m := durable(t, &reached, &waits)
	behind := client(t, m.Addr())
	for _, option := range []string{"memory", "disk", "replicas=1"} {
		s := open(t, "redis://"+m.Addr()+"?durability="+option)
		l := acquire(t, s, option, time.Hour)
		for n := range 3 {
			if err := behind.ScriptFlush(t.Context()).Err(); err != nil {
				t.Fatal(err)
			}
			p := offsets.Position(fmt.Sprintf(`{"n":%d}`, n))
			if err := s.Commit(t.Context(), l, map[offsets.Partition]offsets.Position{`{}`: p}); err != nil {
				t.Errorf("durability=%s, commit after SCRIPT FLUSH: %v", option, err)
			}
			if ps, err := s.Load(t.Context(), option); err != nil || ps[`{}`] != p {
				t.Errorf("durability=%s: the position is %v, %v, want %s", option, ps, err, p)
			}
		}
	}
}

func TestFsyncSecondEndsWithTheContext(t *testing.T) {
	m := reporting(t, "redis_version:7.0.15\naof_enabled:1\n", "everysec")
	s := open(t, "redis://"+m.Addr()+"?durability=disk")
	l := acquire(t, s, "c", time.Hour)
	redis.Tune(s, time.Millisecond, time.Hour)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	err := s.Commit(ctx, l, one)
	if oms.CodeOf(err) != oms.ErrTimeout || !strings.Contains(err.Error(), "not known to be on the disk") {
		t.Errorf("Commit: %v, want ErrTimeout that says why", err)
	}
}
