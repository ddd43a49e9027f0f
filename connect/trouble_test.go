package connect_test

import (
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/oms"
)

// ailing has the broker of a world refuse every message for as long as the
// returned fault is not nil.
func ailing(w *world) *atomic.Pointer[oms.Error] {
	fault := new(atomic.Pointer[oms.Error])
	w.broker.OnSend = func(*oms.Message) error {
		if err := fault.Load(); err != nil {
			return err
		}
		return nil
	}
	return fault
}

func full(cause string) *oms.Error {
	return &oms.Error{Op: "send", Driver: "mem", Code: oms.ErrFull, Err: errors.New(cause)}
}

func TestSourceThatCannotSendShowsWhyForAsLongAsItLasts(t *testing.T) {
	inWorld(t, func(w *world) {
		fault := ailing(w)
		logged := new(lockedBuffer)
		w.log = slog.NewTextHandler(logged, nil)
		w.start()
		w.create("in", "test-source", "every.ms=100", "secret="+canary)
		w.create("well", "test-source", "every.ms=100", "broker=mem", "topic=other", "last=3")
		w.wait(10 * time.Second)
		before := w.position("in")

		fault.Store(full("the disk of the broker is full, says " + canary))
		w.wait(3 * time.Hour)
		s := w.status("in")
		if s.State != connect.Running || s.Tasks[0].State != connect.Running || s.Tasks[0].Attempts != 0 {
			t.Fatalf("status %+v, want RUNNING: the task has not failed", s)
		}
		for who, cause := range map[string]string{"connector": s.Cause, "task": s.Tasks[0].Cause, "trace": s.Tasks[0].Trace} {
			for _, want := range []string{"2000-01-01T00:00:10Z", "the disk of the broker is full", string(oms.ErrFull)} {
				if !strings.Contains(cause, want) {
					t.Errorf("cause of the %s is %q, want it to say %q", who, cause, want)
				}
			}
			if strings.Contains(cause, canary) {
				t.Errorf("cause of the %s has the secret: %q", who, cause)
			}
		}
		if s := w.status("well"); s.State != connect.Finished || s.Cause != "" {
			t.Errorf("a connector that sends nothing: %+v, want no cause", s)
		}
		if n := strings.Count(logged.String(), "messages cannot be sent"); n < 10 || n > 30 { // 7 in the first 10 minutes, then 6 an hour
			t.Errorf("%d warnings in three hours:\n%s", n, logged.String())
		}

		fault.Store(full("now it is the quota"))
		w.wait(20 * time.Second)
		if cause := w.status("in").Cause; !strings.Contains(cause, "quota") {
			t.Errorf("cause = %q, want what it is now", cause)
		}

		fault.Store(nil)
		w.wait(20 * time.Second)
		s = w.status("in")
		if s.State != connect.Running || s.Cause+s.Trace+s.Tasks[0].Cause+s.Tasks[0].Trace != "" {
			t.Errorf("status %+v, want RUNNING and no cause any more", s)
		}
		if after := w.position("in"); after <= before {
			t.Errorf("position %d after the trouble, %d before: the source does not go on", after, before)
		}
		text := logged.String()
		if n := strings.Count(text, "no message waits to be sent again"); n != 1 || !strings.Contains(text, "after=3h0m") {
			t.Errorf("told %d times that it is over, want once, and after how long:\n%s", n, text)
		}
		for line := range strings.SplitSeq(text, "\n") {
			if strings.Contains(line, "messages cannot be sent") && (!strings.Contains(line, "connector=in") || strings.Contains(line, canary)) {
				t.Errorf("the log does not name the connector, or has its secret: %s", line)
			}
		}
	})
}

func TestShortInterruptionIsNeitherShownNorLogged(t *testing.T) {
	inWorld(t, func(w *world) {
		fault := ailing(w)
		logged := new(lockedBuffer)
		w.log = slog.NewTextHandler(logged, nil)
		w.options.StatusEvery = 100 * time.Millisecond
		w.start()
		w.create("in", "test-source", "every.ms=100")
		for range 10 {
			w.wait(10 * time.Second)
			fault.Store(full("for a moment"))
			w.wait(2 * time.Second)
			if s := w.status("in"); s.State != connect.Running || s.Cause != "" {
				t.Errorf("status %+v, want RUNNING and no cause", s)
			}
			fault.Store(nil)
		}
		w.wait(10 * time.Second)
		if text := logged.String(); strings.Contains(text, "cannot be sent") || strings.Contains(text, "sent again") {
			t.Errorf("short interruptions were logged:\n%s", text)
		}
	})
}

// What a connector that is paused or stopped meanwhile was waiting for is no
// cause of its state, and what it starts with is a new trouble.
func TestTroubleWithSendingIsOverForWhatDoesNotRun(t *testing.T) {
	inWorld(t, func(w *world) {
		fault := ailing(w)
		w.start()
		w.create("in", "test-source", "every.ms=100")
		w.wait(10 * time.Second)
		fault.Store(full("the disk is full"))
		w.wait(time.Minute)
		if s := w.status("in"); !strings.Contains(s.Cause, "the disk is full") {
			t.Fatalf("cause = %q", s.Cause)
		}
		w.do(w.catalog.Stop, "in")
		w.wait(time.Minute)
		if s := w.status("in"); s.State != connect.Stopped || s.Cause != "" {
			t.Errorf("status %+v, want STOPPED and no cause", s)
		}
		w.do(w.catalog.Resume, "in")
		w.wait(time.Second)
		if s := w.status("in"); s.State != connect.Running || s.Cause != "" {
			t.Errorf("status %+v, want RUNNING and no cause yet", s)
		}
		w.wait(time.Minute)
		if s := w.status("in"); !strings.Contains(s.Cause, "the disk is full") {
			t.Errorf("cause = %q, want why it does not move", s.Cause)
		}
		fault.Store(nil)
		w.wait(time.Minute)
		w.wantState("in", connect.Running)
	})
}

func TestBrokerThatIsAwayIsShownAsTheCause(t *testing.T) {
	inWorld(t, func(w *world) {
		w.start()
		w.create("in", "test-source", "every.ms=100")
		w.wait(10 * time.Second)
		w.driver.SetDown(&oms.Error{Op: "send", Driver: "mem", Code: oms.ErrUnavailable, Err: errors.New("nobody answers at 192.0.2.7")})
		w.wait(time.Hour)
		if s := w.status("in"); s.State != connect.Running || !strings.Contains(s.Cause, "nobody answers at 192.0.2.7") {
			t.Errorf("status %+v, want RUNNING with the cause", s)
		}
		w.driver.SetDown(nil)
		w.wait(time.Minute)
		if s := w.status("in"); s.State != connect.Running || s.Cause != "" {
			t.Errorf("status %+v, want no cause any more", s)
		}
	})
}
