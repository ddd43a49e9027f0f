package redis_test

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/omconnect/omconnect/integration"
	"github.com/omconnect/omconnect/offsets"
)

// A lossy proxy passes everything on, except that it loses answers when it is
// told to: the server has done what it was asked, and the client does not know.
type lossy struct {
	addr string // of the proxy
	lose atomic.Int64
	lost atomic.Int64
}

func newLossy(t *testing.T, to string) *lossy {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &lossy{addr: ln.Addr().String()}
	var wg sync.WaitGroup
	t.Cleanup(func() {
		ln.Close()
		wg.Wait()
	})
	wg.Go(func() {
		for {
			in, err := ln.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", to)
			if err != nil {
				in.Close()
				continue
			}
			wg.Go(func() { io.Copy(out, in); out.Close() })
			wg.Go(func() { p.answers(in, out); in.Close(); out.Close() })
		}
	})
	return p
}

func (p *lossy) answers(in, out net.Conn) {
	buf := make([]byte, 1<<16)
	for {
		n, err := out.Read(buf)
		if err != nil {
			return
		}
		if p.lose.Add(-1) >= 0 {
			p.lost.Add(1)
			return
		}
		if _, err := in.Write(buf[:n]); err != nil {
			return
		}
	}
}

// TestLostAnswersDoNoHarm has the client send what was done already again.
func TestLostAnswersDoNoHarm(t *testing.T) {
	m := miniredis.RunT(t)
	p := newLossy(t, m.Addr())
	s := open(t, "redis://"+p.addr)
	ctx := t.Context()
	d := offsets.Definition{Name: "c", Target: offsets.TargetRunning}
	var l offsets.Lease
	// Twice: at first the server does not have the scripts, and it is the
	// answer that says so which is lost.
	for round := range 2 {
		losing := func(what string, f func() error) {
			t.Helper()
			before := p.lost.Load()
			p.lose.Store(1)
			if err := f(); err != nil {
				t.Errorf("round %d: %s: %v", round, what, err)
			}
			if p.lost.Load() == before {
				t.Errorf("%s: no answer was lost", what)
			}
		}
		d.Revision = 0
		for _, what := range []string{"create", "change"} {
			losing(what, func() (err error) {
				before := d.Revision
				d.Revision, err = s.Put(ctx, d)
				if d.Revision != before+1 && before > 0 {
					t.Errorf("%s: revision %d follows %d", what, d.Revision, before)
				}
				return err
			})
		}
		losing("acquire", func() (err error) {
			l, err = s.Acquire(ctx, offsets.Owner{Connector: "c"}, "a", time.Hour)
			return err
		})
		losing("renew", func() error { _, err := s.Renew(ctx, l, time.Hour); return err })
		losing("commit", func() error { return s.Commit(ctx, l, one) })
		losing("load", func() error {
			ps, err := s.Load(ctx, "c")
			if len(ps) != 1 {
				t.Errorf("the positions are %v", ps)
			}
			return err
		})
		losing("release", func() error { return s.Release(ctx, l) })
		losing("alter", func() error { return s.Alter(ctx, "c", one, nil) })
		losing("adopt", func() error { return s.Adopt(ctx, "c", "", "first", false) })
		losing("adopt another", func() error { return s.Adopt(ctx, "c", "first", "second", true) })
		losing("ask for the broker", func() error {
			id, err := s.Broker(ctx, "c")
			if id != "second" {
				t.Errorf("the broker is %q", id)
			}
			return err
		})
		losing("remove", func() error { return s.Remove(ctx, "c", d.Revision, false) })
		losing("id", func() error { _, err := s.ID(ctx); return err })
	}
}

func TestRealServersForgetScripts(t *testing.T) {
	r := integration.NewRedis(t, "--appendfsync", "always")
	behind := client(t, r.Addr())
	s := open(t, r.URL()+"?durability=disk")
	l := acquire(t, s, "c", time.Hour)
	for n := range 5 {
		if err := behind.ScriptFlush(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		if err := s.Commit(t.Context(), l, position(n)); err != nil {
			t.Errorf("commit after SCRIPT FLUSH: %v", err)
		}
		if got := stored(t, s); got != n {
			t.Errorf("the position is %d, want %d", got, n)
		}
	}
}
