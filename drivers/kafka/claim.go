package kafka

import (
	"github.com/IBM/sarama"

	"github.com/omconnect/omconnect/oms"
)

// A claim is a partition that a receiver has. The receiver's mutex guards it.
type claim struct {
	id         oms.Partition
	receiver   *receiver
	live       bool  // false: somebody else's, or nobody's
	active     bool  // its messages may be received
	paused     bool  // they may not for now
	generation int64 // of the deliveries that may be acknowledged
	next       int64 // the offset behind the last message that was delivered
	committed  int64 // the position that the broker has; -1 if none
	trail      trail
	queue      []fetched // and not delivered
	flow       *flow     // what fetches; nil when nothing does
	gap        *oms.Gap  // to be told before more is fetched
}

// A fetched record, and what it counts in the window.
type fetched struct {
	*sarama.ConsumerMessage
	size int
}

// A receipt names a delivery.
type receipt struct {
	claim      *claim
	generation int64
	offset     int64
}

// sizeOfMessage is what a fetched message counts in the window.
func sizeOfMessage(m *sarama.ConsumerMessage) int {
	const overhead = 64
	n := overhead + len(m.Key) + len(m.Value)
	for _, h := range m.Headers {
		n += len(h.Key) + len(h.Value) + 8
	}
	return n
}

// ready is how many messages there are to deliver.
func (c *claim) ready() int {
	if !c.active || c.paused {
		return 0
	}
	return len(c.queue)
}

// deliver hands out the first messages of the queue.
func (c *claim) deliver(n int) delivery {
	d := delivery{claim: c, generation: c.generation, records: c.queue[:n:n]}
	c.queue = c.queue[n:]
	for _, r := range d.records {
		c.trail.add(r.Offset, r.size)
	}
	c.next = d.records[n-1].Offset + 1
	return d
}

// ack settles a delivery, and returns the room that makes; ok is false for one
// that is not the receiver's any more.
func (c *claim) ack(rc *receipt) (count, bytes int, ok bool) {
	if !c.live || c.generation != rc.generation {
		return 0, 0, false
	}
	if size, fresh := c.trail.ack(rc.offset); fresh {
		return 1, size, true
	}
	return 0, 0, true
}

// position is what the group has left behind.
func (c *claim) position() int64 { return c.trail.position(c.next) }

// stop ends the fetching and drops what was not delivered.
func (c *claim) stop() {
	if c.flow != nil {
		c.flow.cancel()
	}
	bytes := 0
	for _, r := range c.queue {
		bytes += r.size
	}
	c.receiver.leave(len(c.queue), bytes)
	c.queue = nil
}

// moveTo forgets what is out, and makes offset the next to be delivered.
func (c *claim) moveTo(offset int64) {
	c.stop()
	c.receiver.leave(c.trail.out())
	c.trail, c.next, c.gap = trail{}, offset, nil
	c.generation = c.receiver.newGeneration()
}

// release ends the claim: what is not acknowledged comes again elsewhere.
func (c *claim) release() {
	if !c.live {
		return
	}
	if c.position() != c.committed {
		c.receiver.lostAcks = c.receiver.lostAcks || c.committed >= 0
	}
	c.stop()
	c.receiver.leave(c.trail.out())
	c.trail, c.live, c.active = trail{}, false, false
	delete(c.receiver.claims, c.id)
	c.receiver.reorder()
}
