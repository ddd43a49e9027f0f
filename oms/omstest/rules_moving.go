package omstest

import (
	"context"

	"github.com/omconnect/omconnect/oms"
)

// movingRules are about what becomes of positions and messages when
// partitions come and go.
var movingRules = []Rule{
	{
		ID: "P08", Sentence: "A member begins where its OnAssigned says.",
		Needs: []oms.Capability{oms.Partitioned, oms.Replay}, check: checkAssignedOffsets,
	},
	{
		ID: "P09", Sentence: "When a partition has gone to another member, the one before gets nothing more of it, taken from the broker or not.",
		Needs: []oms.Capability{oms.Partitioned}, check: checkNothingAfterRevoked,
	},
}

func checkAssignedOffsets(b *bench) {
	topic := b.topic(1)
	group := b.group(topic)
	b.send(b.producer(), numbered(topic, 0, 10)...)
	msgs := b.takeAndLeave(group, topic, 10)
	for _, from := range []int{4, 0, 9} {
		m := b.memberOf(b.open(), oms.ReceiverConfig{
			Group: group, Topics: []string{topic},
			OnAssigned: func(context.Context, []oms.Partition) (map[oms.Partition]int64, error) {
				return map[oms.Partition]int64{msgs[from].At(): msgs[from].Offset}, nil
			},
		})
		b.same("what comes from an offset that OnAssigned returned", bodies(m.take(10-from)), numbers(from, 10))
		b.ok("flush", m.Flush(b.ctx))
		m.leave()
	}
}

func checkNothingAfterRevoked(b *bench) {
	const partitions, n = 4, 200
	topic := b.topic(partitions)
	group := b.group(topic)
	first := b.seat(group, topic)
	first.awaitPartitions(partitions)
	b.send(b.producer(), b.spread(topic, 0, n)...)
	first.get(1) // of which the driver may take more at once
	second := b.seat(group, topic)
	b.seated(partitions, group, []string{topic}, first, second)
	before := changed([]*seat{first})
	for {
		msgs, err := first.Receive(b.ctx, 10, b.h.quiet())
		b.ok("receive after partitions have gone", err)
		has := first.owned()
		if len(msgs) == 0 || changed([]*seat{first}) != before {
			return
		}
		for _, m := range msgs {
			if !has[m.At()] {
				b.fail("message %q of partition %v came to the member that it had gone from", m.Body, m.At())
			}
		}
	}
}
