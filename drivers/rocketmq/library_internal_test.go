package rocketmq

import (
	"testing"
	"time"

	"github.com/omconnect/omconnect/oms"
)

// The library's clients stay behind when they are closed, so that each cluster
// has them once, whoever opens and closes connections to it.
func TestConnectionsShareTheLibrarysClients(t *testing.T) {
	t.Parallel()
	f := startFake(t)
	held := func() int {
		f.mu.Lock()
		defer f.mu.Unlock()
		return len(f.conns)
	}
	var first int
	for i := range 10 {
		c := connTo(t, f)
		s, err := c.OpenSender(t.Context(), oms.SenderConfig{})
		if err := sendOne(t, open(t, s, err), "t"); err != nil {
			t.Fatal(err)
		}
		if err := c.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			first = held()
		}
	}
	if n := held(); n > first+1 { // one of the closed may not be gone yet
		t.Errorf("after one connection there are %d sockets, after ten %d", first, n)
	}
}

func TestUsersAndClustersHaveTheirOwnClients(t *testing.T) {
	t.Parallel()
	point := options{hosts: []string{"a:1"}}
	same := libraryOf(&point)
	if libraryOf(&options{hosts: []string{"a:1"}, timeout: time.Second, partitions: 3}) != same {
		t.Error("two connections to a cluster have clients each")
	}
	for name, other := range map[string]options{
		"host": {hosts: []string{"b:1"}}, "user": {hosts: point.hosts, accessKey: "ak"}, "TLS": {hosts: point.hosts, useTLS: true},
		"namespace": {hosts: point.hosts, namespace: "space"},
	} {
		if libraryOf(&other) == same {
			t.Errorf("with another %s the clients are the same", name)
		}
	}
}
