package connect_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/offsets"
	"github.com/omconnect/omconnect/oms"
)

// never is an interval in which no test looks a second time.
const never = "topics.regex.refresh.interval.ms=86400000"

// withoutBacklog makes the world's broker one on which a group gets what is
// sent once it is there. Groups of such a world begin at the latest message,
// so that one that comes too late is seen to lose something.
func (w *world) withoutBacklog() *spy {
	s := &spy{without: oms.Backlog}
	w.wrap = s.wrap
	return s
}

// define writes a definition of a sink that reads what matches.
func (w *world) define(name, regex string, target offsets.Target, config ...string) {
	w.t.Helper()
	kv := settings("test-sink", append(config, "topics=", "topics.regex="+regex, "consumer.auto.offset.reset=latest")...)
	if _, err := w.catalog.Create(w.t.Context(), connect.Request{Name: name, Config: kv, Target: target}); err != nil {
		w.t.Fatal(err)
	}
}

// Neither sink has looked when the source makes its topics, and one is stopped.
func TestASourceSendsNothingToANewTopicBeforeItsReadersAreThere(t *testing.T) {
	for name, config := range map[string][]string{
		"the topic of the connector": {"topic=t.x"},
		"topics of its records":      {"topic=unused"},
		"topics of a transform": {
			"topic=x", "transforms=r", "transforms.r.type=RegexRouter", "transforms.r.regex=.*", "transforms.r.replacement=t.routed",
		},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.withoutBacklog()
				got := w.keepLedger()
				if name == "topics of its records" {
					w.source.message = func(m *oms.Message, n int) { m.Topic = fmt.Sprintf("t.%d", n%4) }
				}
				w.start()
				w.define("one", `t\..*`, offsets.TargetRunning, never)
				w.define("two", `t.*`, offsets.TargetStopped, never)
				w.define("other", `u.*`, offsets.TargetRunning, never)
				w.wait(10 * time.Second)
				w.create("in", "test-source", append(config, "every.ms=10", "last=200")...)
				w.wait(20 * time.Second)
				want := slices.Sorted(slices.Values(numbers(200)))
				wantSame(t, "the sink that runs", got.of("one"), want)
				w.do(w.catalog.Resume, "two")
				w.wait(20 * time.Second)
				wantSame(t, "the sink that was stopped", got.of("two"), want)
				wantSame(t, "the sink of other topics", got.of("other"), nil)
			})
		})
	}
}

// A source that makes no topics sends to those that others have made, and does
// not have them made by a group.
func TestATopicThatIsNotThereIsNotMadeByItsReaders(t *testing.T) {
	inWorld(t, func(w *world) {
		w.withoutBacklog()
		got := w.keepLedger()
		w.start()
		w.define("out", `t.*`, offsets.TargetStopped, never)
		w.wait(10 * time.Second)
		w.create("in", "test-source", "topic=tx", "topic.creation.enable=false", "last=20", "every.ms=10")
		w.wait(10 * time.Second)
		w.wantState("in", connect.Failed)
		if names := w.topicNames(); len(names) > 0 {
			t.Errorf("the broker has %v, want no topic to be made", names)
		}
		w.fill("tx", 0, 1) // by somebody who takes no care of readers
		w.do(w.catalog.Restart, "in")
		w.wait(10 * time.Second)
		w.wantState("in", connect.Finished)
		w.do(w.catalog.Resume, "out")
		w.wait(20 * time.Second)
		wantSame(t, "the sink", got.of("out"), slices.Sorted(slices.Values(numbers(20))))
	})
}

// Nobody tells the gateway of such a topic, so it is found by looking.
func TestASinkThatDoesNotRunGetsTheGroupOfATopicThatOthersMake(t *testing.T) {
	for _, target := range []offsets.Target{offsets.TargetPaused, offsets.TargetStopped} {
		t.Run(string(target), func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.withoutBacklog()
				got := w.keepLedger()
				w.start()
				w.define("out", "t.*", target, "topics.regex.refresh.interval.ms=1000")
				w.wait(10 * time.Second)
				w.fill("t1", 0, 10) // lost: nobody waits for the group
				w.wait(5 * time.Second)
				w.fill("t1", 10, 10)
				w.shutdown()
				w.fill("t1", 20, 10)
				w.start()
				w.do(w.catalog.Resume, "out")
				w.wait(20 * time.Second)
				wantSame(t, "the sink", got.of("out"), filled("t1", 10, 20))
			})
		})
	}
}

// What is there is matched when the connector is created, and not only when a
// gateway runs it.
func TestGroupsOfTopicsThatMatchAreMadeAtCreation(t *testing.T) {
	inWorld(t, func(w *world) {
		s := w.withoutBacklog()
		w.fill("t1", 0, 10)
		w.start()
		w.shutdown()
		w.spawnCatalog()
		w.define("out", "t.*", offsets.TargetRunning)
		if calls := s.calls(); !slices.Equal(calls, []string{"EnsureGroup connect-out"}) {
			t.Errorf("the broker was asked for %v, want the group", calls)
		}
		w.fill("t1", 10, 10)
		got := w.keepLedger()
		w.start()
		w.wait(20 * time.Second)
		wantSame(t, "the sink", got.of("out"), filled("t1", 10, 10))
	})
}

// spawnCatalog opens the brokers of the world's gateway, which has been shut
// down, for its catalog alone.
func (w *world) spawnCatalog() {
	g := w.spawn("catalog")
	g.stop() // its runtime
	<-g.ended
	g.ended <- nil
	w.gateway = g
}

// A broker that denies the list of topics denies it to the tasks, and once it
// allows it all is well.
func TestTopicsThatCannotBeListedFailTheTaskThatNeedsThem(t *testing.T) {
	for name, late := range map[string]bool{"from the start": false, "later": true} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				var denied atomic.Bool
				w.wrap = func(d oms.Driver) oms.Driver { return &unlisted{d, &denied} }
				got := w.keepLedger()
				w.fill("t1", 0, 10)
				denied.Store(!late)
				w.start()
				w.create("out", "test-sink", "topics=", "topics.regex=t.*", "topics.regex.refresh.interval.ms=1000")
				w.wait(10 * time.Second)
				denied.Store(true)
				w.wait(10 * time.Second)
				w.wantState("out", connect.Retrying)
				if cause := w.status("out").Cause; !strings.Contains(cause, `look for topics that match "t.*"`) || !strings.Contains(cause, "listing is denied") {
					t.Errorf("the cause is %q", cause)
				}
				w.fill("t2", 0, 10)
				denied.Store(false)
				w.wait(2 * time.Minute)
				w.wantState("out", connect.Running)
				wantSame(t, "the sink", got.of("out"), together(filled("t1", 0, 10), filled("t2", 0, 10)))
			})
		})
	}
}

// unlisted is a broker that may deny the list of its topics.
type unlisted struct {
	oms.Driver
	denied *atomic.Bool
}

func (u *unlisted) Open(ctx context.Context, ap oms.AccessPoint) (oms.Conn, error) {
	conn, err := u.Driver.Open(ctx, ap)
	if err != nil {
		return nil, err
	}
	return &unlistedConn{conn.(admin), u.denied}, nil
}

type unlistedConn struct {
	admin
	denied *atomic.Bool
}

func (c *unlistedConn) Topics(ctx context.Context) ([]oms.TopicInfo, error) {
	if c.denied.Load() {
		return nil, &oms.Error{Op: "list topics", Code: oms.ErrDenied, Err: errors.New("listing is denied")}
	}
	return c.admin.Topics(ctx)
}

// A broker that is away for a while when it is looked at disturbs nobody.
func TestASinkGoesOnWhileTopicsCannotBeListedForNow(t *testing.T) {
	inWorld(t, func(w *world) {
		got := w.keepLedger()
		w.start()
		w.create("out", "test-sink", "topics=", "topics.regex=t.*", "topics.regex.refresh.interval.ms=1000")
		w.fill("t1", 0, 10)
		w.wait(5 * time.Second)
		w.driver.SetDown(&oms.Error{Op: "call", Code: oms.ErrUnavailable})
		w.wait(time.Minute)
		w.driver.SetDown(nil)
		w.fill("t1", 10, 10)
		w.fill("t2", 0, 10)
		w.wait(10 * time.Second)
		wantSame(t, "the sink", got.of("out"), together(filled("t1", 0, 20), filled("t2", 0, 10)))
		if hooks := w.sink.hooks(); hooks != "OnStart" {
			t.Errorf("hooks = %s, want the instance to stay", hooks)
		}
	})
}

func TestAGatewayIsNotIdleBeforeTopicsThatMatchAreRead(t *testing.T) {
	inWorld(t, func(w *world) {
		got := w.keepLedger()
		w.start()
		w.create("out", "test-sink", "topics=", "topics.regex=t.*", never)
		w.wait(10 * time.Second)
		idle := func() {
			t.Helper()
			soon, cancel := context.WithTimeout(w.t.Context(), time.Minute)
			defer cancel()
			if err := w.rt.WaitIdle(soon); err != nil {
				t.Errorf("WaitIdle: %v", err)
			}
		}
		idle() // no topic matches
		w.fill("t1", 0, 10)
		w.fill("other", 0, 10)
		idle()
		wantSame(t, "the sink", got.of("out"), filled("t1", 0, 10))
		w.deleteTopic("t1")
		idle()
	})
}
