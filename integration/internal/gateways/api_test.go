package gateways_test

import (
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"github.com/omconnect/omconnect/integration/internal/gateways"
)

// A recorder is a test that may fail.
type recorder struct {
	testing.TB
	said string
}

func (r *recorder) Fatal(args ...any) { r.Fatalf("%s", fmt.Sprint(args...)) }

func (r *recorder) Fatalf(format string, args ...any) {
	r.said = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

// failure runs f as a test that has to fail, and returns what it said.
func failure(t *testing.T, f func(testing.TB)) string {
	t.Helper()
	r := &recorder{TB: t}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		f(r)
		r.said = "nothing: it did not fail"
	}()
	<-ended
	return r.said
}

func TestAnAPIAnswersWithCodeAndText(t *testing.T) {
	t.Parallel()
	p := newProcess(t)
	p.Start()
	code, answer := p.Call(http.MethodPut, "/echo?x=y", "body")
	if code != http.StatusAccepted || answer != "y" {
		t.Errorf("the answer is %d %q", code, answer)
	}
	if answer := p.Want(http.StatusAccepted, http.MethodPut, "/echo?x=z", ""); answer != "z" {
		t.Errorf("the answer is %q", answer)
	}
	got := failure(t, func(tb testing.TB) {
		tb.Helper()
		a := gateways.NewAPI(tb, p)
		a.Want(http.StatusOK, http.MethodPut, "/echo?x=why", "")
	})
	if !strings.Contains(got, "PUT /echo?x=why = 202 why, want 200") {
		t.Errorf("an answer with another code is told as %q", got)
	}
}

func TestWaitingGoesOnUntilItIsSo(t *testing.T) {
	t.Parallel()
	p := newProcess(t)
	p.Start()
	watched := 0
	p.Watch = func(what string) {
		if what != "3 looks of the watch" {
			t.Errorf("the watch is told of %s", what)
		}
		watched++
	}
	moved, looked := 0, 0
	p.UntilBy("3 looks of the watch", func() bool { return watched == 3 }, func() int {
		looked++
		moved = p.Detail("c").Records()
		return moved
	})
	p.Watch = nil
	if looked < 150 || moved != looked+1 { // the other task has moved one
		t.Errorf("after %d looks %d records have moved", looked, moved)
	}
	if d := p.Is("c", "RUNNING"); d.Records() != moved+1 || len(d.Tasks) != 2 {
		t.Errorf("it runs, and is %+v", d)
	}
	if d := p.Is("stopped", "STOPPED"); len(d.Tasks) != 0 {
		t.Errorf("it is stopped, and is %+v", d)
	}
	if d := p.Detail("none"); d.State != "" {
		t.Errorf("what is not there is %+v", d)
	}
}

func TestAnEndWhileSomethingIsWaitedForFailsTheTest(t *testing.T) {
	t.Parallel()
	p := newProcess(t)
	p.Start()
	got := failure(t, func(tb testing.TB) {
		tb.Helper()
		a := gateways.NewAPI(tb, p)
		a.Until("rain", func() bool { p.Kill(); return false })
	})
	if want := "the gateway ended (signal: killed) while waiting for rain"; got != want {
		t.Errorf("the test ends with %q, want %q", got, want)
	}
}

func TestATranscriptMayBeReadWhileItIsWritten(t *testing.T) {
	t.Parallel()
	var s gateways.Transcript
	written := make(chan struct{})
	go func() {
		defer close(written)
		for i := range 1000 {
			fmt.Fprintf(&s, "%03d\n", i)
		}
	}()
	for s.Tail(4) != "999\n" {
		if text := s.String(); len(text)%4 != 0 {
			t.Fatalf("half of a line was read: %q", text[max(0, len(text)-8):])
		}
		runtime.Gosched()
	}
	<-written
	if n := strings.Count(s.String(), "\n"); n != 1000 || len(s.Tail(10_000)) != 4000 {
		t.Errorf("%d lines were said", n)
	}
}
