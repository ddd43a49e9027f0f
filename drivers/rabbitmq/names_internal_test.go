package rabbitmq

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/omconnect/omconnect/oms"
)

func TestTopicsThatRabbitMQKeepsAreRefused(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"", "amq.direct", "AMQ.topic", "amq.rabbitmq.trace", "two words", "..", strings.Repeat("t", 241)} {
		if err := checkTopic(name); !errors.Is(err, oms.ErrInvalid) {
			t.Errorf("%q: %v, want %v", name, err, oms.ErrInvalid)
		}
	}
	for _, name := range []string{"orders", "orders.eu", "amqp", "a:b", "*", "#", "ünïcode", strings.Repeat("t", 230)} {
		if err := checkTopic(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestGroupsWhoseQueuesCouldBeOthersAreRefused(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"", "a:b", "oms.partitions", "amq.gen", strings.Repeat("g", 240)} {
		if err := checkGroup(name); !errors.Is(err, oms.ErrInvalid) {
			t.Errorf("%q: %v, want %v", name, err, oms.ErrInvalid)
		}
	}
	for _, name := range []string{"connect-orders", "oms", "ünïcode group"} {
		if err := checkGroup(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestAGroupHasAQueueForEachPartition(t *testing.T) {
	t.Parallel()
	queues := func(o options, n int) (out []string) {
		t.Helper()
		bs, err := o.bindings("g", "t.x", n)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range bs {
			out = append(out, b.queue+" "+b.key)
		}
		return out
	}
	for name, c := range map[string]struct {
		ordering   string
		partitions int
		want       []string
	}{
		"one":     {orderingKey, 1, []string{"g:t.x:0 #"}},
		"three":   {orderingKey, 3, []string{"g:t.x:0 0", "g:t.x:1 1", "g:t.x:2 2"}},
		"compete": {orderingNone, 3, []string{"g:t.x:* #"}},
	} {
		if diff := cmp.Diff(c.want, queues(options{ordering: c.ordering}, c.partitions)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if _, err := (options{}).bindings(strings.Repeat("g", 200), strings.Repeat("t", 100), 1); !errors.Is(err, oms.ErrInvalid) {
		t.Errorf("names that are too long: %v, want %v", err, oms.ErrInvalid)
	}
}

// RabbitMQ 3 takes -1 and drops a message at its first return; RabbitMQ 4
// drops it after 20 unless it is told -1.
func TestTheDeliveryLimitDependsOnTheVersion(t *testing.T) {
	t.Parallel()
	quorum := func(more amqp.Table) amqp.Table {
		more["x-queue-type"] = "quorum"
		return more
	}
	full := options{declare: declareFull}
	for _, c := range []struct {
		o       options
		version string
		single  bool
		want    amqp.Table
	}{
		{full, "3.10.8", true, quorum(amqp.Table{"x-single-active-consumer": true})},
		{full, "3.13.7", false, quorum(amqp.Table{})},
		{full, "", false, quorum(amqp.Table{})},
		{full, "4.0.5", true, quorum(amqp.Table{"x-single-active-consumer": true, "x-delivery-limit": int32(-1)})},
		{full, "10.1", false, quorum(amqp.Table{"x-delivery-limit": int32(-1)})},
		{options{declare: declareMinimal}, "4.1.0", true, quorum(amqp.Table{})},
	} {
		if diff := cmp.Diff(c.want, c.o.queueArguments("g:t:0", c.version, c.single)); diff != "" {
			t.Errorf("%s, %s (-want +got):\n%s", c.o.declare, c.version, diff)
		}
	}
}

func TestSlotsAreHeldByOne(t *testing.T) {
	t.Parallel()
	var s slots
	if !s.take("g", 0) || s.take("g", 0) || !s.take("g", 1) || !s.take("h", 0) {
		t.Error("a slot is held by two, or by none")
	}
	s.free("g", 0)
	if !s.take("g", 0) {
		t.Error("a slot that was given back is not free")
	}
}
