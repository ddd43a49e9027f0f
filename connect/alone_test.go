package connect_test

import (
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func always() bool { return true }

func TestAGatewayThatIsAloneGoesOnWhileTheStoreIsAway(t *testing.T) {
	inWorld(t, func(w *world) {
		w.options.Alone = always
		w.start()
		w.create("in", "test-source", "every.ms=100", "uncommitted.max.records=300")
		w.wait(9 * time.Second)
		w.store.setFault(away())
		w.wait(20 * time.Second) // twice as long as a lease
		if got := len(w.topic("t")[0]); got < 270 {
			t.Errorf("the broker has %d records after 29 s, want the source to go on", got)
		}
		w.wait(time.Hour)
		before := w.source.lastPoll()
		w.wait(time.Hour)
		if w.source.lastPoll() != before {
			t.Error("the source goes on, however much is not committed")
		}
		if got := len(w.topic("t")[0]); got > 90+300+10 {
			t.Errorf("the broker has %d records, want at most 300 that are not committed", got)
		}
		w.store.setFault(nil)
		w.wait(20 * time.Second)
		if got := w.source.hooks(); got != "OnStart Seek" {
			t.Errorf("hooks = %s, want the source to run all the time", got)
		}
		if got := w.position("in"); got < 400 {
			t.Errorf("position = %d, want the source to go on when the store is back", got)
		}
		wantOnce(t, w.topic("t")[0])
	})
}

// wantOnce fails the test unless the bodies are the numbers from 1, once each.
func wantOnce(t *testing.T, bodies []string) {
	t.Helper()
	for i, b := range bodies {
		if b != strconv.Itoa(i+1) {
			t.Fatalf("record %d is %s: %s", i+1, b, strings.Join(bodies[max(0, i-3):min(len(bodies), i+4)], " "))
		}
	}
}

func TestAGatewayThatIsNotAloneAnyMoreStopsWhileTheStoreIsAway(t *testing.T) {
	inWorld(t, func(w *world) {
		var alone atomic.Bool
		alone.Store(true)
		w.options.Alone = alone.Load
		w.start()
		w.create("in", "test-source", "every.ms=100")
		w.wait(9 * time.Second)
		w.store.setFault(away("Renew", "Acquire"))
		w.wait(time.Minute)
		if got := w.source.hooks(); got != "OnStart Seek" {
			t.Errorf("hooks = %s, want the source to run as long as the gateway is alone", got)
		}
		alone.Store(false)
		w.wait(2 * time.Second)
		seen := w.source.lastPoll()
		w.wait(time.Minute)
		if w.source.lastPoll() != seen || !strings.HasPrefix(w.source.hooks(), "OnStart Seek OnFailed OnStop") {
			t.Errorf("hooks = %s; want the source to have stopped when the gateway was not alone any more", w.source.hooks())
		}
		w.store.setFault(nil)
	})
}

// TestAGatewayThatOnlyThoughtItWasAloneIsFenced: it is cut off, and another one
// has come that it does not know of.
func TestAGatewayThatOnlyThoughtItWasAloneIsFenced(t *testing.T) {
	inWorld(t, func(w *world) {
		w.options.Alone = always
		w.start()
		first := w.gateway
		w.create("in", "test-source", "every.ms=100")
		w.wait(9 * time.Second)
		first.dead.Store(true)
		w.wait(5 * time.Second)
		w.gateway = w.spawn("gateway-2")
		w.wait(30 * time.Second)
		if got := w.source.pollers(); len(got) != 2 {
			t.Fatalf("the instances that polled: %v; want the second gateway to have taken over", got)
		}
		first.dead.Store(false)
		w.wait(10 * time.Second)
		now := w.source.pollers()
		w.wait(time.Minute)
		if got := w.source.pollers(); !slices.Equal(got, now) || len(got) != 2 {
			t.Errorf("the instances that polled: %v, a minute later %v; want the same two", now, got)
		}
		if s := w.status("in"); len(s.Tasks) != 1 || s.Tasks[0].Worker != "gateway-2:8083" {
			t.Errorf("after it was back: %+v", s)
		}
		polled := w.source.lastPoll()
		if time.Since(polled) > time.Second {
			t.Error("the second gateway does not go on")
		}
	})
}
