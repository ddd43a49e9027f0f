package rabbitmq

import (
	"context"
	"errors"
	"strconv"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/omconnect/omconnect/oms"
)

// With queue.type=stream each partition of a topic is one stream, which all
// groups read, each at its own position. A stream keeps what is read, until its
// retention removes it.

// Queues of streams.
const (
	streamPrefix   = ownPrefix + "stream:"
	identityPrefix = ownPrefix + "identity:"
	positionPrefix = ownPrefix + "position:"
	ownerPrefix    = ownPrefix + "owner:"
)

// defaultRetention is how long streams keep messages, as Kafka does.
const defaultRetention = 7 * 24 * time.Hour

// claimStreams says what is other than with queues.
func claimStreams(c oms.Capabilities) {
	for _, name := range []oms.Capability{oms.Seek, oms.OffsetForTime, oms.Partitioned, oms.Backlog, oms.Replay} {
		c.Claims[name] = oms.Support{Claimed: true}
	}
	for name, how := range map[oms.Capability]string{
		oms.GroupPositions: "streams of the driver's own hold them, one for each group and partition",
		oms.ReportLag:      "what is behind the group's position",
		oms.Nack:           "offered again by the receiver itself; another member gets it when the partition goes",
		oms.PauseReceive:   "the receiver holds back what it has",
		oms.Expiry:         "a header says so, and what has expired is left out when it is received",
	} {
		c.Claims[name] = oms.Support{Claimed: true, Emulated: true, Note: how}
	}
	c.Claims[oms.DeliveryCount] = oms.Support{Note: "a stream does not count deliveries"}
}

// The bounds of a segment; the second is RabbitMQ's.
const (
	leastSegment = 10_000
	mostSegment  = 3_000_000_000
)

// streamQueue has the messages of a partition.
func streamQueue(p oms.Partition) string {
	return streamPrefix + p.Topic + ":" + strconv.Itoa(p.Number)
}

// identityQueue has a text that tells a topic from an earlier one of its name,
// whose offsets mean nothing in it.
func identityQueue(topic string) string { return identityPrefix + topic }

// positionQueue has how far a group has come, its last message does.
func positionQueue(group string, p oms.Partition) string {
	return positionPrefix + partQueue(group, p.Topic, p.Number)
}

// ownerQueue is exclusive: it is there as long as a member reads a partition.
func ownerQueue(group string, p oms.Partition) string {
	return ownerPrefix + partQueue(group, p.Topic, p.Number)
}

// checkStreams refuses options that do not go with queue.type.
func (o options) checkStreams(r *oms.KeyValueReader) {
	if !o.isStream() {
		for name, set := range map[string]bool{
			"retention.ms": o.retention != defaultRetention, "retention.bytes": o.retentionBytes != 0,
			"segment.bytes": o.segmentBytes != 0, "durable.after.ms": o.durableAfter != 0,
		} {
			if set {
				r.Problem(name, "only streams have it: write queue.type=stream as well, or leave it out")
			}
		}
		return
	}
	if o.declare != declareFull {
		r.Problem("declare", "with queue.type=stream the driver makes streams and positions itself: leave it out")
	}
	if o.ordering != orderingKey {
		r.Problem("ordering", "with queue.type=stream a partition has one reader of a group: leave it out")
	}
	if o.retention != 0 && o.retention < time.Second {
		r.Problem("retention.ms", "%v is too short: at least 1000, or 0 for ever", o.retention)
	}
	if o.retentionBytes < 0 {
		r.Problem("retention.bytes", "%d is negative; 0 is without a bound", o.retentionBytes)
	}
	if o.segmentBytes != 0 && (o.segmentBytes < leastSegment || o.segmentBytes > mostSegment) {
		r.Problem("segment.bytes", "%d is not from %d to %d, or 0 for what the broker takes", o.segmentBytes, leastSegment, mostSegment)
	}
}

// isStream reports whether partitions are streams.
func (o options) isStream() bool { return o.queueType == amqp.QueueTypeStream }

// streamArguments are what the stream of a partition is declared with.
func (o options) streamArguments() amqp.Table {
	args := amqp.Table{amqp.QueueTypeArg: amqp.QueueTypeStream}
	if o.retention > 0 {
		args[amqp.StreamMaxAgeArg] = strconv.FormatInt(int64(o.retention/time.Second), 10) + "s"
	}
	if o.retentionBytes > 0 {
		args[amqp.StreamMaxLenBytesArg] = o.retentionBytes
	}
	if o.segmentBytes > 0 {
		args[amqp.StreamMaxSegmentSizeBytesArg] = o.segmentBytes
	}
	return args
}

// noteArguments are those of streams whose last message only is wanted.
// Retention takes whole segments, and never the one that is written to.
var noteArguments = amqp.Table{
	amqp.QueueTypeArg: amqp.QueueTypeStream, amqp.StreamMaxSegmentSizeBytesArg: int64(100_000), amqp.StreamMaxLenBytesArg: int64(200_000),
}

// declareStream makes a stream where it is missing. One that is there is taken
// as it is.
func (c *conn) declareStream(ctx context.Context, name string, args amqp.Table) error {
	_, found, err := c.queue(ctx, name)
	if err != nil || found {
		return err
	}
	err = c.ask(ctx, func(ch *amqp.Channel) error {
		_, err := ch.QueueDeclare(name, true, false, false, false, args)
		return err
	})
	if isCode(err, amqp.PreconditionFailed) { // made by others meanwhile, with options of theirs
		return nil
	}
	return err
}

// ensureStreams makes what is missing of the streams of a topic that is there.
func (c *conn) ensureStreams(ctx context.Context, topic string, n int) error {
	bs := make([]binding, 0, n)
	for number := range n {
		p := oms.Partition{Topic: topic, Number: number}
		if err := c.declareStream(ctx, streamQueue(p), c.opts.streamArguments()); err != nil {
			return err
		}
		b := binding{queue: streamQueue(p), key: routingKey(p), part: p}
		if n == 1 {
			b.key = "#"
		}
		bs = append(bs, b)
	}
	if _, err := c.identityOf(ctx, topic); err != nil {
		return err
	}
	return c.bind(ctx, topic, bs)
}

// deleteStreams removes the streams of a topic. Positions of groups stay, and
// mean nothing to another topic of that name.
func (c *conn) deleteStreams(ctx context.Context, topic string) error {
	_, made, err := c.queue(ctx, identityQueue(topic))
	if err != nil || !made {
		return err
	}
	for number := range mostPartitions {
		name := streamQueue(oms.Partition{Topic: topic, Number: number})
		_, found, err := c.queue(ctx, name)
		if err != nil {
			return err
		}
		if !found {
			break
		}
		if err := c.deleteQueue(ctx, name); err != nil {
			return err
		}
	}
	return c.deleteQueue(ctx, identityQueue(topic))
}

// errNoOffsets is for what queues do not have.
func errNoOffsets() error {
	return &oms.Error{Code: oms.ErrUnsupported, Err: errors.New("a queue has no offsets; queue.type=stream has")}
}
