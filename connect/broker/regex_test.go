package broker_test

import (
	"context"
	"testing"
	"time"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/offsets"
	"github.com/omconnect/omconnect/oms"
)

// On a broker without Backlog a message is lost to a group that comes later.
// These groups begin with what comes from now on, as there. The topic is made
// by a bridge, and read by others that match it.
func TestABridgeSendsNothingToANewTopicBeforeThoseThatMatchItAreThere(t *testing.T) {
	for name, makes := range map[string]bool{"the bridge makes the topic": true, "others have made it": false} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, nil, func(w *world) {
				w.limits["c"] = []oms.Capability{oms.Backlog}
				w.start()
				stopped := func(name string, config oms.KeyValue) {
					if _, err := w.catalog.Create(w.t.Context(), connect.Request{Name: name, Config: config, Target: offsets.TargetStopped}); err != nil {
						w.t.Fatal(err)
					}
				}
				const never = "86400000"
				stopped("reads", oms.KeyValue{
					"connector.class": "broker-source", "source.broker": "c", "source.topics.regex": "new.*", "source.topics.refresh.interval.ms": never,
					"topic": "read", "source.start": "latest",
				})
				stopped("sinks", oms.KeyValue{
					"connector.class": "broker-sink", "broker": "c", "topics.regex": "n.*", "topics.regex.refresh.interval.ms": never,
					"sink.broker": "a", "sink.topic": "sunk", "consumer.auto.offset.reset": "latest",
				})
				w.wait(10 * time.Second)
				create := "topic.creation.enable=true"
				if !makes {
					create = "topic.creation.enable=false"
					w.client("c", func(ctx context.Context, c *oms.Client) {
						if err := c.EnsureTopic(ctx, oms.TopicSpec{Name: "new.t"}); err != nil {
							t.Fatal(err)
						}
					})
				}
				w.create("out", "broker-sink", "topics=t", "sink.broker=c", "sink.topic=new.${topic}", create)
				w.number("a", "t", 0, 10)
				w.has("c", "new.t", 10)
				w.do(w.catalog.Resume, "reads")
				w.do(w.catalog.Resume, "sinks")
				w.wait(20 * time.Second)
				same(t, w.bodies("a", "read"), numbers(10))
				same(t, w.bodies("a", "sunk"), numbers(10))
			})
		})
	}
}

func TestASinkThatMatchesTopicsKeepsTheirNames(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.start()
		w.create("out", "broker-sink", `topics.regex=orders\..+`, "topics.regex.refresh.interval.ms=1000", "sink.broker=b", "sink.topic=copy.${topic}", "tasks.max=2")
		w.number("a", "orders.new", 0, 20)
		w.number("a", "orders.paid", 100, 10)
		w.number("a", "other", 900, 10)
		w.has("b", "copy.orders.new", 20)
		same(t, w.bodies("b", "copy.orders.new"), numbers(20))
		w.has("b", "copy.orders.paid", 10)
		if got := w.topic("b", "copy.other"); len(got) > 0 {
			t.Errorf("a topic that does not match was read: %d records", len(got))
		}
	})
}
