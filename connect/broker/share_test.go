package broker_test

import (
	"context"
	"testing"
	"time"

	"github.com/omconnect/omconnect/drivers/mem"
	"github.com/omconnect/omconnect/oms"
)

// A partition that goes to another member is handed over when everything that
// was read of it is committed, so nothing comes twice.
func TestAPartitionThatMovesIsHandedOverWithoutRepeats(t *testing.T) {
	inWorld(t, map[string]mem.Options{"a": {ConfirmAfter: 50 * time.Millisecond, DurableAfter: 500 * time.Millisecond}, "b": {Partitions: 4}}, func(w *world) {
		w.start()
		w.create("in", "broker-source", "source.broker=b", "source.topics=t", "source.group=g", "source.max.poll.records=5", "rate.records.per.second=50")
		w.number("b", "t", 0, 400)
		w.wait(time.Second)
		var theirs []string
		w.client("b", func(ctx context.Context, c *oms.Client) { // a program of somebody else
			r, err := c.NewPullConsumer(ctx, oms.ReceiverConfig{Topics: []string{"t"}, Group: "g"})
			if err != nil {
				w.t.Fatal(err)
			}
			for end := time.Now().Add(20 * time.Second); time.Now().Before(end); {
				msgs, err := r.Receive(ctx, 10, time.Second)
				if err == nil {
					err = r.Ack(ctx, msgs...)
				}
				if err != nil {
					w.t.Fatal(err)
				}
				for _, m := range msgs {
					theirs = append(theirs, string(m.Body))
				}
			}
			if err := r.Close(ctx); err != nil {
				t.Error(err)
			}
		})
		w.eventually("everything is read", func() bool { return w.acknowledged("b", "g", "t") == 400 })
		ours := w.bodies("a", "t")
		if len(theirs) == 0 || len(ours) == 0 {
			t.Errorf("%d were read by the other member and %d here: the partitions were not shared", len(theirs), len(ours))
		}
		same(t, append(theirs, ours...), numbers(400))
	})
}

// While nothing can be committed, the partition goes all the same, after a
// while. What was read of it is not acknowledged here any more.
func TestAHandoverDoesNotWaitForEver(t *testing.T) {
	inWorld(t, map[string]mem.Options{"b": {Partitions: 2}}, func(w *world) {
		w.start()
		w.create("in", "broker-source", "source.broker=b", "source.topics=t", "source.group=g")
		w.number("b", "t", 0, 10)
		w.has("a", "t", 10)
		w.store.away.Store(true)
		w.number("b", "t", 10, 30)
		w.has("a", "t", 40)
		got := 0
		w.client("b", func(ctx context.Context, c *oms.Client) {
			r, err := c.NewPullConsumer(ctx, oms.ReceiverConfig{Topics: []string{"t"}, Group: "g"})
			if err != nil {
				w.t.Fatal(err)
			}
			began := time.Now()
			for got == 0 {
				msgs, err := r.Receive(ctx, 100, time.Second)
				if err != nil {
					w.t.Fatal(err)
				}
				got += len(msgs)
				if time.Since(began) > time.Minute {
					w.t.Fatal("the partition is kept")
				}
			}
			w.store.away.Store(false)
			w.wait(10 * time.Second) // the source commits what it has; it is not to acknowledge what is read here
			lag, err := c.Lag(ctx, "g", []string{"t"})
			if err != nil || lag < int64(got) {
				t.Errorf("the group's lag is %d, %v, while %d are held here", lag, err, got)
			}
			if err := r.Close(ctx); err != nil {
				t.Error(err)
			}
		})
		w.eventually("everything is acknowledged", func() bool { return w.acknowledged("b", "g", "t") == 40 })
		same(t, once(w.bodies("a", "t")), numbers(40))
	})
}

func TestTasksShareTopicsThatMatch(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.start()
		w.create("in", "broker-source", "source.broker=b", `source.topics.regex=orders\..+`, "source.topics.refresh.interval.ms=1000", "tasks.max=2")
		w.wait(5 * time.Second) // none is there
		w.number("b", "orders.new", 0, 20)
		w.number("b", "other.orders.x", 900, 20)
		w.has("a", "orders.new", 20)
		w.number("b", "orders.paid", 100, 20)
		w.number("b", "orders.new", 20, 5)
		w.has("a", "orders.paid", 20)
		w.has("a", "orders.new", 25)
		same(t, w.bodies("a", "orders.new"), numbers(25))
		if got := w.topic("a", "other.orders.x"); len(got) > 0 {
			t.Errorf("a topic that does not match was read: %d records", len(got))
		}
		if n := w.acknowledged("b", "connect-in", "orders.paid"); n != 20 {
			t.Errorf("%d of 20 are acknowledged", n)
		}
	})
}

func TestWhereAGroupStarts(t *testing.T) {
	for _, c := range []struct {
		start string
		want  []string
	}{
		{"earliest", []string{"0", "1", "2"}},
		{"latest", []string{"2"}},
		{"2000-01-01T00:00:30Z", []string{"1", "2"}},
	} {
		t.Run(c.start, func(t *testing.T) {
			inWorld(t, nil, func(w *world) {
				w.start()
				w.number("b", "t", 0, 1)
				w.wait(time.Minute)
				w.number("b", "t", 1, 1)
				w.wait(time.Minute)
				w.create("in", "broker-source", "source.broker=b", "source.topics=t", "source.start="+c.start)
				w.wait(10 * time.Second)
				w.number("b", "t", 2, 1)
				w.wait(10 * time.Second)
				same(t, w.bodies("a", "t"), c.want)
			})
		})
	}
}

func TestATopicThatIsMissingIsWaitedFor(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.limits["b"] = []oms.Capability{oms.ManageGroups} // else the group would make it
		w.start()
		w.create("in", "broker-source", "source.broker=b", "source.topics=later")
		w.wait(time.Minute)
		w.number("b", "later", 0, 10)
		w.has("a", "later", 10)
		w.client("b", func(ctx context.Context, c *oms.Client) {
			if err := c.DeleteTopic(ctx, "later"); err != nil {
				w.t.Fatal(err)
			}
		})
		w.wait(time.Minute)
		w.number("b", "later", 10, 10)
		w.has("a", "later", 20)
		same(t, w.bodies("a", "later"), numbers(20))
	})
}

func TestDeletingAConnectorKeepsItsGroupOrNot(t *testing.T) {
	for _, c := range []struct {
		config string
		want   int
	}{
		{"source.group.delete=false", 10},
		{"source.group.delete=true", 20}, // a new one reads from the beginning
	} {
		t.Run(c.config, func(t *testing.T) {
			inWorld(t, nil, func(w *world) {
				w.start()
				w.create("in", "broker-source", "source.broker=b", "source.topics=t", c.config)
				w.number("b", "t", 0, 10)
				w.has("a", "t", 10)
				w.do(w.catalog.Delete, "in")
				w.eventually("it is gone", func() bool {
					_, err := w.catalog.Get(w.t.Context(), "in")
					return oms.CodeOf(err) == oms.ErrNotFound
				})
				w.wait(10 * time.Second)
				w.create("in", "broker-source", "source.broker=b", "source.topics=t", c.config)
				w.wait(10 * time.Second)
				if got := len(w.topic("a", "t")); got != c.want {
					t.Errorf("after deleting and creating it again %d records have come, want %d", got, c.want)
				}
			})
		})
	}
}
