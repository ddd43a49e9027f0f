package rabbitmq_test

import (
	"strings"
	"testing"

	"github.com/omconnect/omconnect/drivers/rabbitmq"
	"github.com/omconnect/omconnect/oms"
)

func TestStreamsClaimWhatQueuesDoNot(t *testing.T) {
	t.Parallel()
	queues, streams := rabbitmq.Driver{}.Capabilities(parse(t, "oms:rabbitmq://one/")), rabbitmq.Driver{}.Capabilities(parse(t, "oms:rabbitmq://one/"+asStream))
	for _, name := range []oms.Capability{oms.Seek, oms.OffsetForTime, oms.GroupPositions, oms.Partitioned, oms.Backlog, oms.Replay} {
		if queues.Has(name) || queues.Claims[name].Note == "" || !streams.Has(name) {
			t.Errorf("%s: %+v of queues, %+v of streams", name, queues.Claims[name], streams.Claims[name])
		}
	}
	if streams.Has(oms.DeliveryCount) || !queues.Has(oms.DeliveryCount) {
		t.Error("deliveries are counted by streams, or not by queues")
	}
	c := openAt(t, parse(t, "oms:rabbitmq://one/"))
	_, err := c.(oms.OffsetFinder).Offsets(within(t), []string{"t"}, oms.Start{})
	want(t, "offsets of queues", err, oms.ErrUnsupported)
	_, err = c.(oms.GroupPositioner).Positions(within(t), "g", []string{"t"})
	want(t, "positions of queues", err, oms.ErrUnsupported)
}

func TestOptionsOfStreamsGoWithStreamsOnly(t *testing.T) {
	t.Parallel()
	for text, names := range map[string]string{
		"retention.ms=1000":                          "retention.ms",
		"retention.bytes=1000":                       "retention.bytes",
		"segment.bytes=100000":                       "segment.bytes",
		"durable.after.ms=100":                       "durable.after.ms",
		"queue.type=classic":                         "queue.type",
		"queue.type=stream&declare=none":             "declare",
		"queue.type=stream&declare=minimal":          "declare",
		"queue.type=stream&ordering=none":            "ordering",
		"queue.type=stream&retention.ms=5":           "retention.ms",
		"queue.type=stream&retention.bytes=-1":       "retention.bytes",
		"queue.type=stream&segment.bytes=5":          "segment.bytes",
		"queue.type=stream&segment.bytes=4000000000": "segment.bytes",
	} {
		_, err := rabbitmq.Driver{}.Open(t.Context(), parse(t, "oms:rabbitmq://one/?"+text))
		want(t, text, err, oms.ErrInvalid)
		if err != nil && !strings.Contains(err.Error(), names) {
			t.Errorf("%s: %v, want an error that names %s", text, err, names)
		}
	}
	for _, text := range []string{"queue.type=stream", "queue.type=stream&retention.ms=0&retention.bytes=0&segment.bytes=0", "queue.type=quorum"} {
		_ = openAt(t, parse(t, "oms:rabbitmq://one/?"+text))
	}
}
