package connect_test

import (
	"context"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/oms"
)

// A memberDriver is of a broker that takes positions of a group from members
// only, once it has any: for topics of that prefix EnsureGroup does nothing,
// and no position is known when one is asked for first.
type memberDriver struct {
	oms.Driver
	prefix string
	asked  atomic.Int64
}

func (d *memberDriver) Open(ctx context.Context, ap oms.AccessPoint) (oms.Conn, error) {
	conn, err := d.Driver.Open(ctx, ap)
	if err != nil {
		return nil, err
	}
	return &memberConn{conn.(admin), d}, nil
}

type memberConn struct {
	admin
	driver *memberDriver
}

func (c *memberConn) EnsureGroup(ctx context.Context, group string, topics []string, start oms.Start) error {
	topics = slices.DeleteFunc(slices.Clone(topics), func(topic string) bool { return strings.HasPrefix(topic, c.driver.prefix) })
	if len(topics) == 0 {
		return nil
	}
	return c.admin.EnsureGroup(ctx, group, topics, start)
}

func (c *memberConn) Positions(ctx context.Context, group string, topics []string) (map[oms.Partition]int64, error) {
	if c.driver.asked.Add(1) == 1 {
		return nil, nil
	}
	return c.admin.Positions(ctx, group, topics)
}

// What was in a topic before the sink was made is not for a sink that begins at
// the end. What comes with a topic that is made later is, also what was sent
// before the sink knew of it.
func TestATopicThatComesLaterIsReadFromItsBeginning(t *testing.T) {
	for name, c := range map[string]struct{ prefix, tasks string }{
		"with groups that are made": {"none", "2"}, "with groups of their members": {"t.new", "1"},
	} {
		for _, mode := range []string{"pull", "push"} {
			t.Run(name+", "+mode, func(t *testing.T) {
				inWorld(t, func(w *world) {
					w.broker.Partitions = 2
					w.wrap = func(d oms.Driver) oms.Driver { return &memberDriver{Driver: d, prefix: c.prefix} }
					got := w.keepLedger()
					w.fill("t.old", 0, 20)
					w.start()
					w.create("out", "test-sink", "topics=", `topics.regex=t\..+`, "topics.regex.refresh.interval.ms=60000",
						"consumer.auto.offset.reset=latest", "tasks.max="+c.tasks, "consumer.mode="+mode)
					w.wait(10 * time.Second)
					w.fill("t.new", 0, 50) // found in 50 s
					w.fill("t.old", 20, 5)
					w.wait(2 * time.Minute)
					want := together(filled("t.old", 20, 5), filled("t.new", 0, 50))
					wantSame(t, "the new topic, and what is new of the other", got.of("out"), want)

					w.do(w.catalog.Restart, "out") // and nothing twice
					w.wait(2 * time.Minute)
					wantSame(t, "after a restart", got.of("out"), want)
					w.wantState("out", connect.Running)
				})
			})
		}
	}
}

// The same for topics that come back: nothing of what they had is left.
func TestATopicThatComesBackIsReadFromItsBeginning(t *testing.T) {
	inWorld(t, func(w *world) {
		got := w.keepLedger()
		w.fill("t1", 0, 10)
		w.start()
		w.create("out", "test-sink", "topics=", "topics.regex=t.", "topics.regex.refresh.interval.ms=20000", "consumer.auto.offset.reset=latest")
		w.wait(30 * time.Second)
		w.deleteTopic("t1")
		w.wait(time.Minute)
		w.fill("t1", 10, 10)
		w.wait(time.Minute)
		wantSame(t, "the topic that is back", got.of("out"), together(filled("t1", 10, 10)))
	})
}
