package connect_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/offsets"
	"github.com/omconnect/omconnect/oms"
)

func TestAcceptedMessagesAreFlushedInTimeAndBeforeAStop(t *testing.T) {
	for _, mode := range []string{"pull", "push"} {
		inWorld(t, func(w *world) {
			w.sink.flush = true
			w.start()
			w.create("in", "test-source", "every.ms=20", "last=1000")
			w.create("out", "test-sink", "consumer.mode="+mode, "consumer.max.poll.records=5")
			for range 10 {
				w.wait(time.Second)
				if sent, safe := w.source.highest(), len(w.sink.bodies()); safe < sent-120 {
					t.Fatalf("%s: %d were sent and %d are safe: more than a second's worth waits", mode, sent, safe)
				}
			}
			w.do(w.catalog.Pause, "out")
			w.wait(10 * time.Millisecond)
			safe := len(w.sink.bodies())
			if lag := w.lag("connect-out"); int(lag) != w.source.highest()-safe {
				t.Errorf("%s: paused with %d of %d safe and a lag of %d: what was accepted is not flushed and acknowledged", mode, safe, w.source.highest(), lag)
			}
			w.do(w.catalog.Resume, "out")
			w.wait(time.Minute)
			if got := w.sink.bodies(); !slices.Equal(got, numbers(1000)) {
				t.Errorf("%s: the sink has %d records, want 1 to 1000 in order and none twice", mode, len(got))
			}
		})
	}
}

// lag returns how many messages a group has not acknowledged.
func (w *world) lag(group string) int64 {
	w.t.Helper()
	client, err := w.brokers.Client(w.t.Context(), connect.DefaultBroker)
	if err != nil {
		w.t.Fatal(err)
	}
	n, err := client.Lag(w.t.Context(), group, []string{"t"})
	if err != nil {
		w.t.Fatal(err)
	}
	return n
}

// Tasks and connectors of one group come and go while messages are in hand.
// None is lost, and whoever has lost a partition puts nothing of it after the
// next one has begun to.
func TestMembersOfAGroupShareAndHandOver(t *testing.T) {
	for _, flush := range []bool{false, true} {
		for _, mode := range []string{"pull", "push"} {
			t.Run(fmt.Sprintf("%s, flush %v", mode, flush), func(t *testing.T) {
				seeds(t, 5, func(w *world, r *rand.Rand) { testHandOver(w, r, mode, flush) })
			})
		}
	}
}

func testHandOver(w *world, r *rand.Rand, mode string, flush bool) {
	type place struct{ partition, offset int64 }
	type delivery struct {
		number int
		by     *lifeline
	}
	var mu sync.Mutex
	last := make(map[place]delivery)
	hands := make(map[*lifeline]bool)
	w.sink.onPut = func(l *lifeline, msgs []*oms.Message) {
		mu.Lock()
		defer mu.Unlock()
		hands[l] = true
		for _, m := range msgs {
			at, now := place{int64(m.Partition), m.Offset}, delivery{m.Deliveries, l}
			if was := last[at]; was.by != nil && was.by != l && was.number >= now.number {
				w.t.Errorf("%s/%d has put delivery %d of %v after another had put delivery %d of it", l.env.Connector, l.env.Task, now.number, at, was.number)
			}
			last[at] = now
		}
	}
	w.sink.flush = flush
	pause := time.Duration(r.IntN(600)) * time.Millisecond
	w.sink.onCall = on("Put", func() error { time.Sleep(pause); return nil })
	w.broker.Partitions = 6
	w.start()
	config := []string{"consumer.group=g", "consumer.mode=" + mode, fmt.Sprintf("consumer.max.poll.records=%d", 2+r.IntN(40))}
	w.create("in", "test-source", "every.ms=50", "batch=2", "last=600")
	w.create("one", "test-sink", append(config, "tasks.max=2")...)
	w.wait(5 * time.Second)
	w.create("two", "test-sink", append(config, "tasks.max=3")...)
	w.wait(5 * time.Second)
	for range 3 {
		name := []string{"one", "two"}[r.IntN(2)]
		w.do([]func(context.Context, string) error{w.catalog.Stop, w.catalog.Pause}[r.IntN(2)], name)
		w.wait(time.Duration(r.IntN(4000)) * time.Millisecond)
		w.do(w.catalog.Resume, name)
		w.wait(time.Duration(r.IntN(4000)) * time.Millisecond)
	}
	w.eventually(10*time.Minute, "everything is at the sink", func() bool { return len(missing(w.sink.bodies(), 600)) == 0 })
	mu.Lock()
	defer mu.Unlock()
	if len(hands) < 3 {
		w.t.Errorf("%d instances have put something, want the partitions to be shared", len(hands))
	}
}

// A push consumer takes a *oms.BatchError for an answer about its own batch.
func TestErrorOfASinkThatNamesIndicesAcknowledgesNothing(t *testing.T) {
	for _, mode := range []string{"pull", "push"} {
		inWorld(t, func(w *world) {
			w.start()
			w.create("in", "test-source", "last=4", "batch=4")
			w.wait(5 * time.Second)
			w.sink.onCall = on("Put", func() error { return &oms.BatchError{Failed: map[int]error{2: errLasts}} })
			w.create("out", "test-sink", "consumer.mode="+mode)
			w.wait(5 * time.Second)
			w.wantState("out", connect.Failed)
			if got := w.lag("connect-out"); got != 4 {
				t.Errorf("%s: %d messages are unacknowledged, want all 4", mode, got)
			}
		})
	}
}

// A broker without groups to make says that a topic is not there: the sink is
// RUNNING and waits for it, and then reads it from its beginning.
func TestSinkWaitsForATopicThatDoesNotExistYet(t *testing.T) {
	for _, mode := range []string{"pull", "push"} {
		inWorld(t, func(w *world) {
			s := &spy{without: oms.ManageGroups}
			w.wrap = s.wrap
			w.start()
			w.create("out", "test-sink", "consumer.mode="+mode)
			w.wait(time.Minute)
			w.wantState("out", connect.Running)
			if got := w.sink.hooks(); got != "OnStart" {
				t.Errorf("hooks = %s while waiting for the topic, want OnStart only", got)
			}
			w.create("in", "test-source", "last=5", "every.ms=1")
			w.wait(time.Minute)
			if got := w.sink.bodies(); !slices.Equal(got, numbers(5)) {
				t.Errorf("the sink has %v, want 1 to 5", got)
			}
		})
	}
}

// Where a broker keeps nothing for a group that is not there yet, the groups
// of all sinks are made before the first record is sent.
func TestGroupsOfAllSinksAreThereBeforeTheFirstRecordIsSent(t *testing.T) {
	inWorld(t, func(w *world) {
		s := &spy{without: oms.Backlog}
		w.wrap = s.wrap
		w.start()
		for name, target := range map[string]offsets.Target{"stopped": offsets.TargetStopped, "paused": offsets.TargetPaused} {
			d := definitionOf(name, settings("test-sink"))
			d.Target = target
			if _, err := w.store.Put(w.t.Context(), d); err != nil {
				t.Fatal(err)
			}
		}
		w.create("in", "test-source", "last=5")
		w.wait(10 * time.Second)
		got := strings.Join(s.calls(), " ")
		if want := "EnsureGroup connect-paused EnsureGroup connect-stopped SendAsync"; !strings.HasPrefix(got, want) {
			t.Errorf("the broker was asked for %s; want it to begin with %s", got, want)
		}
	})
}

// A spy is a broker that lacks a capability, and notes what is asked of it. It
// refuses receivers of topics that do not exist.
type spy struct {
	oms.Driver
	without oms.Capability

	mu  sync.Mutex
	log []string
}

func (s *spy) wrap(d oms.Driver) oms.Driver { s.Driver = d; return s }

func (s *spy) note(call string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log = append(s.log, call)
}

func (s *spy) calls() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.log)
}

func (s *spy) Capabilities(ap oms.AccessPoint) oms.Capabilities {
	c := s.Driver.Capabilities(ap)
	delete(c.Claims, s.without)
	return c
}

func (s *spy) Open(ctx context.Context, ap oms.AccessPoint) (oms.Conn, error) {
	conn, err := s.Driver.Open(ctx, ap)
	if err != nil {
		return nil, err
	}
	return &spyConn{admin: conn.(admin), spy: s}, nil
}

type spyConn struct {
	admin
	spy *spy
}

func (c *spyConn) EnsureGroup(ctx context.Context, group string, topics []string, start oms.Start) error {
	c.spy.note("EnsureGroup " + group)
	if c.spy.without == oms.Backlog { // there is nothing from before to begin with
		start = oms.Start{From: oms.StartLatest}
	}
	return c.admin.EnsureGroup(ctx, group, topics, start)
}

func (c *spyConn) OpenReceiver(ctx context.Context, cfg oms.ReceiverConfig) (oms.Receiver, error) {
	topics, err := c.Topics(ctx)
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(topics, func(t oms.TopicInfo) bool { return t.Name == cfg.Topics[0] }) {
		return nil, &oms.Error{Op: "open receiver", Target: cfg.Topics[0], Code: oms.ErrNotFound}
	}
	return c.admin.OpenReceiver(ctx, cfg)
}

func (c *spyConn) OpenSender(ctx context.Context, cfg oms.SenderConfig) (oms.Sender, error) {
	s, err := c.admin.OpenSender(ctx, cfg)
	return &spySender{s, c.spy}, err
}

type spySender struct {
	oms.Sender
	spy *spy
}

func (s *spySender) SendAsync(ctx context.Context, msgs []*oms.Message, done func(error)) {
	s.spy.note("SendAsync")
	s.Sender.SendAsync(ctx, msgs, done)
}
