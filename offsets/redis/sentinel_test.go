package redis_test

import (
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/alicebob/miniredis/v2/server"
)

// TestSentinelsLeadToTheMaster has a server that answers as a sentinel does,
// and moves the master while the store is open.
func TestSentinelsLeadToTheMaster(t *testing.T) {
	first, second := miniredis.RunT(t), miniredis.RunT(t)
	var master atomic.Pointer[string]
	addr := first.Addr()
	master.Store(&addr)
	sentinel := miniredis.RunT(t)
	sentinel.Server().SetPreHook(func(p *server.Peer, cmd string, args ...string) bool {
		if !strings.EqualFold(cmd, "SENTINEL") {
			return false
		}
		if strings.EqualFold(args[0], "get-master-addr-by-name") && args[1] == "m" {
			host, port, _ := net.SplitHostPort(*master.Load())
			p.WriteStrings([]string{host, port})
		} else {
			p.WriteLen(0)
		}
		return true
	})
	s := open(t, "redis://"+sentinel.Addr()+"/?mode=sentinel&master=m")
	if err := s.Commit(t.Context(), acquire(t, s, "c", time.Hour), one); err != nil {
		t.Fatal(err)
	}
	if !first.Exists("omc:{default:c}:pos") || second.Exists("omc:{default:c}:pos") {
		t.Error("the commit is not at the master")
	}
	addr = second.Addr()
	master.Store(&addr)
	first.Close()
	if err := s.Commit(t.Context(), acquire(t, s, "c", time.Hour), one); err != nil {
		t.Fatal(err)
	}
	if !second.Exists("omc:{default:c}:pos") {
		t.Error("the commit is not at the new master")
	}
}
