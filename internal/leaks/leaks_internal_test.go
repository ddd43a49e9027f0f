package leaks

import (
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { Main(m) }

func TestWhatIsSlowToEndIsWaitedFor(t *testing.T) {
	before := goleak.IgnoreCurrent()
	time.AfterFunc(0, func() { <-time.After(4 * time.Second) }) // goleak alone gives up before
	if err := Find(before); err != nil {
		t.Error(err)
	}
}

func linger(until <-chan struct{}) { <-until }

func TestWhatDoesNotEndIsShown(t *testing.T) {
	before := goleak.IgnoreCurrent()
	until := make(chan struct{})
	go linger(until)
	if err := find(0, before); err == nil || !strings.Contains(err.Error(), "leaks.linger") {
		t.Errorf("got %v, want the function that does not end", err)
	}
	close(until)
	if err := Find(before); err != nil {
		t.Errorf("once it has ended: %v", err)
	}
}
