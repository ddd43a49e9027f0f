package rocketmq

import (
	"testing"

	"github.com/omconnect/omconnect/integration/servers"
	"github.com/omconnect/omconnect/oms"
)

// A real broker knows the question that CreateTopic asks it, before and after.
func TestARealBrokerTellsOfItsTopics(t *testing.T) {
	t.Parallel()
	ap, err := oms.ParseAccessPoint("oms:rocketmq://" + servers.RocketMQ(t).Addr() + "/")
	if err != nil {
		t.Fatal(err)
	}
	opened, err := Driver{}.Open(t.Context(), ap)
	c := open(t, opened.(*conn), err)
	if err := c.CreateTopic(t.Context(), oms.TopicSpec{Name: "three", Partitions: 3}); err != nil {
		t.Fatal(err)
	}
	data, err := c.cluster(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for topic, want := range map[string]int{"three": 3, "missing": 0} {
		if n, err := c.queuesAt(t.Context(), data.masters(), topic); err != nil || n != want {
			t.Errorf("topic %s has %d queues, %v, want %d", topic, n, err, want)
		}
	}
}
