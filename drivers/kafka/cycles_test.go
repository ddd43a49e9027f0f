package kafka_test

import (
	"context"
	"runtime"
	"testing"
	"time"

	"github.com/omconnect/omconnect/oms"
	"github.com/omconnect/omconnect/oms/omstest"
)

// Connections, senders and receivers that come and go leave neither goroutines
// nor sockets.
func TestConnectionsThatComeAndGoLeaveNothing(t *testing.T) {
	b := realBroker(t)
	proxy, err := omstest.NewProxy(b.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := proxy.Close(); err != nil {
			t.Errorf("close the proxy: %v", err)
		}
	})
	topic := b.topic(t, 2)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	ok := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	cycle := func() {
		t.Helper()
		conn, err := b.by(proxy.Addr()).Open(ctx, point(t, b.point("")))
		ok("open", err)
		s := sender(t, conn)
		ok("send", outcome(t, s, &oms.Message{Topic: topic, Body: []byte("x")}))
		r := receiver(t, conn, oms.ReceiverConfig{Group: "cycling", Topics: []string{topic}})
		msgs, err := r.Receive(ctx, 1)
		ok("receive", err)
		ok("acknowledge", r.Ack(ctx, msgs))
		ok("close the sender", s.Close(ctx))
		ok("close the receiver", r.Close(ctx))
		ok("close", conn.Close(ctx))
	}
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	until := func(cond func() bool) {
		t.Helper()
		for !cond() {
			select {
			case <-again.C:
			case <-ctx.Done():
				t.Fatalf("there are %d goroutines and %d sockets", runtime.NumGoroutine(), proxy.Connections())
			}
		}
	}
	cycle() // what is made once is there
	goroutines := 0
	until(func() bool {
		goroutines = runtime.NumGoroutine()
		return proxy.Connections() == 0
	})
	for range 100 {
		cycle()
	}
	until(func() bool { return runtime.NumGoroutine() <= goroutines && proxy.Connections() == 0 })
}
