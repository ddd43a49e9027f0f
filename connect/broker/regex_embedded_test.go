package broker_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/offsets"
	"github.com/omconnect/omconnect/oms"
)

func TestTopicsThatMatchOnAnEmbeddedBrokerOverARestart(t *testing.T) {
	store := offsets.NewMemory()
	defer func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	}()
	var accessPoints [2]string
	for i := range accessPoints {
		accessPoints[i] = "oms:embedded:///?sync.interval.ms=1000&dir=" + t.TempDir()
	}
	connectors := map[string]oms.KeyValue{"there": {
		"connector.class": "broker-sink", "topics.regex": `orders\..*`, "topics.regex.refresh.interval.ms": "300", "tasks.max": "2",
		"sink.broker": "other", "sink.topic": "all",
	}}
	const each = 200
	run := func() (own, other *oms.Client, stop func()) {
		t.Helper()
		brokers, stop := runGateway(t, store, accessPoints, connectors)
		own, err := brokers.Client(t.Context(), connect.DefaultBroker)
		if err != nil {
			t.Fatal(err)
		}
		if other, err = brokers.Client(t.Context(), "other"); err == nil {
			err = other.EnsureTopic(t.Context(), oms.TopicSpec{Name: "all"})
		}
		if err != nil {
			t.Fatal(err)
		}
		return own, other, stop
	}
	own, other, stop := run()
	fillTopic(t, own, "orders.first", each)
	fillTopic(t, own, "payments", each)
	seen := collect(t, other, "all", each)
	fillTopic(t, own, "orders.later", each)
	for id := range collect(t, other, "all", each) {
		seen[id] = nil
	}
	fillTopic(t, own, "orders.last", each) // under way, or not yet found
	stop()
	_, other, stop = run()
	defer stop()
	for len(seen) < 3*each { // a stop that takes too long has records come again
		for id := range collect(t, other, "all", 1) {
			seen[id] = nil
		}
	}
	for id := range seen {
		if !strings.HasPrefix(id, "orders.") {
			t.Fatalf("a topic that does not match was read: %s", id)
		}
	}
}

// fillTopic makes a topic of two partitions and sends so many messages to it.
func fillTopic(t *testing.T, c *oms.Client, topic string, n int) {
	t.Helper()
	if err := c.EnsureTopic(t.Context(), oms.TopicSpec{Name: topic, Partitions: 2}); err != nil {
		t.Fatal(err)
	}
	var msgs []*oms.Message
	for i := range n {
		msgs = append(msgs, &oms.Message{ID: fmt.Sprint(topic, " ", i), Topic: topic, Key: fmt.Append(nil, i%10), Body: fmt.Append(nil, i)})
	}
	p, err := c.NewProducer(t.Context(), oms.SenderConfig{})
	if err == nil {
		err = errors.Join(p.Send(t.Context(), msgs...), p.Close(t.Context()))
	}
	if err != nil {
		t.Fatal(err)
	}
}
