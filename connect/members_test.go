package connect_test

import (
	"bytes"
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/drivers/mem"
	"github.com/omconnect/omconnect/oms"
)

// stranger has another program in a group, from before the first gateway on if
// there is none yet.
func (w *world) stranger(group, name string, topics ...string) (leave func()) {
	if w.driver == nil {
		w.driver = mem.New(w.broker)
	}
	return w.driver.Stranger(group, name, topics...)
}

// wantAlone checks that a sink waits for others to leave its group, and says so.
// Now and then it looks again.
func (w *world) wantAlone(name string, says ...string) {
	w.t.Helper()
	w.eventually(10*time.Second, name+" waits", func() bool { return w.status(name).State == connect.Retrying })
	for _, task := range w.status(name).Tasks {
		for _, text := range append(says, "consumer.group.shared=true", "choose another consumer.group") {
			if !strings.Contains(task.Cause, text) {
				w.t.Errorf("the cause does not say %q: %s", text, task.Cause)
			}
		}
	}
}

func TestASinkDoesNotShareItsGroupWithOtherPrograms(t *testing.T) {
	for _, mode := range []string{"pull", "push"} {
		inWorld(t, func(w *world) {
			leave := w.stranger("g", "somebody at 10.0.0.1", "t")
			w.start()
			w.create("in", "test-source", "last=20", "every.ms=1")
			w.create("out", "test-sink", "consumer.group=g", "consumer.mode="+mode, "restart.backoff.max.ms=3600000")
			for range 3 {
				w.wait(20 * time.Minute)
				w.wantAlone("out", "g", "somebody at 10.0.0.1")
			}
			if got := w.sink.hooks(); got != "" {
				t.Errorf("hooks = %s of a sink that has nothing to do", got)
			}
			leave()
			w.wait(7 * time.Second)
			w.wantState("out", connect.Running)
			if got := w.sink.bodies(); !slices.Equal(got, numbers(20)) {
				t.Errorf("%s: the sink has %v, want 1 to 20", mode, got)
			}
		})
	}
}

func TestASinkSharesItsGroupIfItIsToldTo(t *testing.T) {
	inWorld(t, func(w *world) {
		w.stranger("g", "somebody", "t")
		w.start()
		w.create("out", "test-sink", "consumer.group=g", "consumer.group.shared=true")
		w.wait(time.Second / 2) // before a second look
		w.wantState("out", connect.Running)
	})
}

func TestOtherProgramsInOtherGroupsAndTopicsAreNoConcern(t *testing.T) {
	inWorld(t, func(w *world) {
		w.stranger("g", "somebody", "other")
		w.stranger("other", "somebody", "t")
		w.start()
		w.create("out", "test-sink", "consumer.group=g", "tasks.max=3")
		w.wait(time.Second / 2)
		w.wantState("out", connect.Running)
	})
}

// A member is listed for a moment after it has left: nobody is to hear of it.
func TestAProgramThatIsJustLeavingIsNotHeardOf(t *testing.T) {
	inWorld(t, func(w *world) {
		leave := w.stranger("g", "somebody", "t")
		w.start()
		w.create("out", "test-sink", "consumer.group=g")
		w.wait(time.Second / 2)
		leave()
		w.stranger("g", "somebody else", "other")
		w.wait(time.Second)
		w.wantState("out", connect.Running)
		if tasks := w.status("out").Tasks; tasks[0].Attempts != 0 {
			t.Errorf("the task has failed %d times, want none", tasks[0].Attempts)
		}
	})
}

func TestASinkLooksForOtherProgramsAtEachStart(t *testing.T) {
	for name, again := range map[string]func(*world){
		"resumed":   func(w *world) { w.do(w.catalog.Pause, "out"); w.wait(time.Second); w.do(w.catalog.Resume, "out") },
		"restarted": func(w *world) { w.do(w.catalog.Stop, "out"); w.wait(time.Second); w.do(w.catalog.Resume, "out") },
		"in another gateway": func(w *world) {
			w.shutdown()
			w.start()
		},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.start()
				w.create("out", "test-sink", "consumer.group=g")
				w.wait(5 * time.Second)
				leave := w.stranger("g", "somebody", "t")
				w.wait(time.Minute)
				w.wantState("out", connect.Running) // it has been there first
				again(w)
				w.wait(time.Minute)
				w.wantAlone("out", "somebody")
				leave()
				w.wait(7 * time.Second)
				w.wantState("out", connect.Running)
			})
		})
	}
}

func TestASinkThatWaitsForOtherProgramsCanBePausedAndStopped(t *testing.T) {
	inWorld(t, func(w *world) {
		w.stranger("g", "somebody", "t")
		w.start()
		w.create("out", "test-sink", "consumer.group=g")
		w.wait(time.Second / 2) // between the looks
		w.do(w.catalog.Pause, "out")
		w.wait(time.Second / 4)
		w.wantState("out", connect.Paused)
		w.do(w.catalog.Resume, "out")
		w.wait(10 * time.Second)
		w.wantAlone("out")
		w.do(w.catalog.Stop, "out")
		w.wait(time.Second)
		w.wantState("out", connect.Stopped)
	})
}

func TestOtherProgramsInTopicsThatMatchAreSeen(t *testing.T) {
	inWorld(t, func(w *world) {
		w.fill("orders.new", 0, 1)
		leave := w.stranger("g", "somebody", "orders.new")
		w.start()
		w.create("out", "test-sink", "topics=", `topics.regex=orders\..+`, "consumer.group=g")
		w.wait(time.Minute)
		w.wantAlone("out", "somebody")
		leave()
		w.wait(7 * time.Second)
		w.wantState("out", connect.Running)
	})
}

// A listing is a broker whose list of members fails.
type listing struct {
	oms.Driver
	err atomic.Pointer[oms.Error]
}

func (l *listing) wrap(d oms.Driver) oms.Driver { l.Driver = d; return l }

func (l *listing) Open(ctx context.Context, ap oms.AccessPoint) (oms.Conn, error) {
	conn, err := l.Driver.Open(ctx, ap)
	if err != nil {
		return nil, err
	}
	return &listingConn{conn.(admin), l}, nil
}

type listingConn struct {
	admin
	listing *listing
}

func (c *listingConn) Members(ctx context.Context, group string, topics []string) ([]oms.Member, error) {
	if err := c.listing.err.Load(); err != nil {
		return nil, err
	}
	return c.admin.Members(ctx, group, topics)
}

func TestAUserWhoMayNotAskForMembersIsWarned(t *testing.T) {
	inWorld(t, func(w *world) {
		var l listing
		var logged bytes.Buffer
		l.err.Store(&oms.Error{Op: "list members", Driver: "mem", Target: "g", Code: oms.ErrDenied})
		w.wrap, w.log = l.wrap, slog.NewTextHandler(&logged, nil)
		w.stranger("g", "somebody", "t")
		w.start()
		w.create("out", "test-sink", "consumer.group=g")
		w.wait(5 * time.Second)
		w.wantState("out", connect.Running)
		w.shutdown()
		if said := logged.String(); !strings.Contains(said, "level=WARN") || !strings.Contains(said, "the broker does not let this user ask") || !strings.Contains(said, "group=g") {
			t.Errorf("the log has no warning about the group: %s", said)
		}
	})
}

func TestABrokerThatCannotSayWhoIsInTheGroupIsAskedAgain(t *testing.T) {
	inWorld(t, func(w *world) {
		var l listing
		l.err.Store(&oms.Error{Op: "list members", Driver: "mem", Target: "g", Code: oms.ErrTimeout})
		w.wrap = l.wrap
		w.start()
		w.create("out", "test-sink", "consumer.group=g")
		w.wait(5 * time.Second)
		w.wantState("out", connect.Retrying)
		if cause := w.status("out").Tasks[0].Cause; !strings.Contains(cause, "group g") {
			t.Errorf("the cause does not name the group: %s", cause)
		}
		l.err.Store(nil)
		w.wait(2 * time.Minute)
		w.wantState("out", connect.Running)
	})
}

func TestWhereTheBrokerDoesNotTellASinkStarts(t *testing.T) {
	inWorld(t, func(w *world) {
		w.broker.Unclaimed = []oms.Capability{oms.ForeignMembers}
		w.stranger("g", "somebody", "t")
		w.start()
		w.create("out", "test-sink", "consumer.group=g")
		w.wait(time.Second / 2)
		w.wantState("out", connect.Running)
	})
}
