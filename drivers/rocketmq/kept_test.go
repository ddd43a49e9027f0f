package rocketmq_test

import (
	"context"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/omconnect/omconnect/drivers/rocketmq"
	"github.com/omconnect/omconnect/oms"
)

// What the library's clients for one cluster have at most; the package comment
// says so.
const (
	mostGoroutines = 200
	mostSockets    = 12 // two of them for the group of half messages
)

// The library's clients stay until the process ends. Connections that come and
// go add nothing to them.
func TestConnectionsThatComeAndGoLeaveNothing(t *testing.T) {
	b := startBroker(t)
	makeTopic(t, b.open(t, ""), "cycles", 2)
	sockets := func() int { return b.names.Connections() + b.data.Connections() }
	before, socketsBefore := libraryGoroutines(), sockets()
	cycle := func() {
		t.Helper()
		c, err := rocketmq.Driver{}.Open(t.Context(), parse(t, b.point(accessKey+":"+secretKey, "")))
		must(t, err)
		must(t, sendAll(t, c, &oms.Message{Topic: "cycles", Body: []byte("x")}))
		receiveAll(t, c, "cycling", "cycles", 1)
		s, err := c.(oms.HalfOpener).OpenHalf(within(t), "cycling", newJury(nil).check)
		must(t, err)
		sendHalf(t, s, &oms.Message{Topic: "cycles", Body: []byte("half")}, oms.Rollback)
		must(t, s.Close(within(t)))
		must(t, c.Close(within(t)))
	}
	for _, cycles := range []int{1, 100} {
		for range cycles {
			cycle()
		}
		await(t, func() (goroutines, n int, done bool) {
			goroutines, n = libraryGoroutines()-before, sockets()-socketsBefore
			return goroutines, n, goroutines <= mostGoroutines && n <= mostSockets
		})
		t.Logf("after %d cycles: %d goroutines of the library, %d sockets", cycles, libraryGoroutines()-before, sockets()-socketsBefore)
	}
}

// libraryGoroutines counts those that the client library has started, or is
// called by.
func libraryGoroutines() (n int) {
	stacks := make([]byte, 1<<20)
	for {
		size := runtime.Stack(stacks, true)
		if size < len(stacks) {
			stacks = stacks[:size]
			break
		}
		stacks = make([]byte, 2*len(stacks))
	}
	for stack := range strings.SplitSeq(string(stacks), "\n\n") {
		if strings.Contains(stack, "apache/rocketmq-client-go") {
			n++
		}
	}
	return n
}

// await polls until there are no more goroutines and sockets than there may be.
func await(t *testing.T, look func() (goroutines, sockets int, done bool)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		goroutines, sockets, done := look()
		if done {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("there are %d goroutines and %d sockets, at most %d and %d may stay", goroutines, sockets, mostGoroutines, mostSockets)
		}
	}
}
