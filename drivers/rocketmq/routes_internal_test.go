package rocketmq

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/omconnect/omconnect/oms"
)

// A cluster of two brokers: one that has lost its master, and a topic with
// more queues to read than to write, as one that is being made smaller.
const wideRoute = `{"brokerDatas":[
	{"brokerAddrs":{0:"10.0.0.1:10911",1:"10.0.0.2:10911"},"brokerName":"a","cluster":"c"},
	{"brokerAddrs":{1:"10.0.0.4:10911"},"brokerName":"b","cluster":"c"}],
	"queueDatas":[{"brokerName":"b","perm":6,"readQueueNums":1,"writeQueueNums":1,"topicSysFlag":0},
	{"brokerName":"a","perm":4,"readQueueNums":3,"writeQueueNums":2,"topicSysFlag":0}]}`

func TestARouteHasTheQueuesOfAllBrokersInOrder(t *testing.T) {
	t.Parallel()
	var data routeData
	if err := decodeJSON([]byte(wideRoute), &data); err != nil {
		t.Fatal(err)
	}
	r := data.route("t", "native")
	if diff := cmp.Diff([]queue{{"a", 0}, {"a", 1}, {"a", 2}, {"b", 0}}, r.queues, cmp.AllowUnexported(queue{})); diff != "" {
		t.Errorf("queues (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]string{"a": "10.0.0.1:10911"}, r.masters); diff != "" {
		t.Errorf("masters (-want +got):\n%s", diff)
	}
	if _, err := r.address(queue{"b", 0}); oms.CodeOf(err) != oms.ErrUnavailable {
		t.Errorf("a queue whose master is away: %v, want ErrUnavailable", err)
	}
	for n, want := range map[int]oms.Code{-1: oms.ErrInvalid, 0: "", 3: "", 4: oms.ErrInvalid} {
		if _, err := r.at("t", n); oms.CodeOf(err) != want {
			t.Errorf("partition %d: %v, want %q", n, err, want)
		}
	}
}

// answerRoutes has the name server answer with something else.
func (f *fake) answerRoutes(a func() *command) {
	f.refuseWith(func(cmd *command) *command {
		if cmd.Code == reqRoute {
			return a()
		}
		return nil
	})
}

func TestAKnownRouteHoldsWhileNothingIsSaid(t *testing.T) {
	t.Parallel()
	for name, a := range map[string]func() *command{
		"an error":  func() *command { return refusal(resError, "shutting down") },
		"no JSON":   func() *command { return &command{body: []byte("<html>")} },
		"nothing":   func() *command { return &command{} },
		"no queues": func() *command { return &command{body: []byte(`{"brokerDatas":[],"queueDatas":[]}`)} },
		"no master": func() *command {
			return &command{body: []byte(`{"brokerDatas":[{"brokerAddrs":{1:"h:1"},"brokerName":"fake-broker"}],"queueDatas":[{"brokerName":"fake-broker","readQueueNums":1}]}`)}
		},
		"a broken array": func() *command { return &command{body: []byte(`{"queueDatas":[{"brokerName":7}]}`)} },
	} {
		f := startFake(t)
		c := connTo(t, f)
		known, err := c.routes.of(t.Context(), "t")
		if err != nil {
			t.Fatal(err)
		}
		f.answerRoutes(a)
		c.routes.renew("t")
		got, err := c.routes.of(t.Context(), "t")
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if diff := cmp.Diff(known.queues, got.queues, cmp.AllowUnexported(queue{})); diff != "" {
			t.Errorf("%s (-known +got):\n%s", name, diff)
		}
		if left := time.Until(got.asked.Add(routeAge)); left > routeAgain {
			t.Errorf("%s: it is asked again in %v", name, left)
		}
		if _, err := c.routes.of(t.Context(), "unknown"); err == nil {
			t.Errorf("%s: a topic that nobody knows has a route", name)
		}
	}
}

func TestATopicThatIsGoneIsForgotten(t *testing.T) {
	t.Parallel()
	f := startFake(t)
	c := connTo(t, f)
	if _, err := c.routes.of(t.Context(), "t"); err != nil {
		t.Fatal(err)
	}
	f.mu.Lock()
	delete(f.topics, "t")
	f.mu.Unlock()
	c.routes.renew("t")
	if _, err := c.routes.of(t.Context(), "t"); codeOf(err) != oms.ErrNotFound {
		t.Errorf("%v, want ErrNotFound", err)
	}
	if r, _ := c.routes.known("t"); r != nil {
		t.Errorf("its partitions are still numbered: %v", r.queues)
	}
}

// An administrator adds queues, and members and senders take them in.
func TestQueuesThatAreAddedAreRead(t *testing.T) {
	t.Parallel()
	f := startFake(t)
	c := connTo(t, f)
	w := c.watch(t, oms.ReceiverConfig{Topics: []string{"t"}})
	until(t, "the only partition", w.holds(0))
	f.mu.Lock()
	f.topics["t"].queues = append(f.topics["t"].queues, nil, nil)
	f.topics["t"].first = append(f.topics["t"].first, 0, 0)
	f.mu.Unlock()
	c.routes.renew("t") // or half a minute later
	signal(w.work)
	until(t, "three partitions", w.holds(0, 1, 2))
	fill(t, c, "t", 3, 1)
	seen := make(map[int]bool)
	for len(seen) < 3 {
		for _, m := range next(t, w) {
			seen[m.Partition] = true
		}
	}
}

// Brokers come back elsewhere, as containers do.
func TestABrokerThatHasMovedIsFollowed(t *testing.T) {
	t.Parallel()
	f := startFake(t)
	c := connTo(t, f)
	w := c.watch(t, oms.ReceiverConfig{Topics: []string{"t"}})
	until(t, "the only partition", w.holds(0))
	moved := f.listen(t)
	f.mu.Lock()
	f.advertise = moved
	old := f.members["g"][w.name]
	f.mu.Unlock()
	c.routes.renew("t")
	_ = old.Close()
	until(t, "the partition at the new address", func() bool {
		f.mu.Lock()
		at := f.members["g"][w.name]
		f.mu.Unlock()
		return at != nil && at.LocalAddr().String() == moved && w.holds(0)()
	})
	fill(t, c, "t", 1, 1)
	if msgs := next(t, w); len(msgs) != 1 {
		t.Errorf("%d messages come", len(msgs))
	}
}

// await is the driver's own wait for what a broker or a name server will know.
func TestWaitingEndsWithTheContext(t *testing.T) {
	t.Parallel()
	c := connTo(t, startFake(t))
	ctx, cancel := context.WithCancel(t.Context())
	asked := 0
	err := c.await(ctx, func() (bool, error) {
		asked++
		if asked == 3 {
			cancel()
		}
		return false, nil
	})
	if codeOf(err) != oms.ErrAborted || asked < 3 {
		t.Errorf("after %d questions: %v, want that it was given up", asked, err)
	}
}
