package mem

import (
	"bytes"
	"slices"
	"time"

	"github.com/omconnect/omconnect/oms"
)

// A cursor is where a group stands in a partition, and who reads it there. The
// broker's mutex guards it.
//
// Every offset below next is out (held), has been given back (returned), or is
// acknowledged; pos, which outlives the reader, is the lowest that is not.
type cursor struct {
	id         oms.Partition
	log        *partition
	pos, next  int64
	held       map[int64]delivery
	returned   []int64       // ascending
	deliveries map[int64]int // how often, from pos on

	target     *receiver // who is to read
	owner      *receiver // who may acknowledge; the target takes over when it is nil
	generation int64     // of the deliveries that may be acknowledged
	active     bool      // the owner knows of the partition and has not been asked to give it up
	paused     bool
	gap        *oms.Gap // to be told before more is delivered
}

// A delivery is a message that is out.
type delivery struct {
	count int // the how manieth of its message
	size  int
	key   []byte
}

// A receipt names a delivery.
type receipt struct {
	cursor     *cursor
	offset     int64
	generation int64
	count      int
}

// release ends the owner's session: what it has not acknowledged comes again.
func (c *cursor) release() {
	c.moveTo(c.pos)
	c.owner.owned = slices.DeleteFunc(c.owner.owned, func(o *cursor) bool { return o == c })
	c.owner, c.active, c.paused = nil, false, false
	if c.target != nil {
		signal(c.target.work)
	}
}

// lose is release without asking; the owner learns of it afterwards.
func (c *cursor) lose() {
	if r := c.owner; r != nil {
		r.lost = append(r.lost, c.id)
		c.release()
		signal(r.work)
	}
}

// moveTo makes offset the next to be delivered and forgets what is out.
func (c *cursor) moveTo(offset int64) {
	for o := range c.held {
		c.drop(o)
	}
	c.returned, c.gap = nil, nil
	c.pos, c.next = offset, offset
}

// drop takes a message from the owner.
func (c *cursor) drop(offset int64) {
	c.owner.unacked--
	c.owner.unackedBytes -= c.held[offset].size
	delete(c.held, offset)
}

// peek returns the next message to be delivered, if there is one now.
func (c *cursor) peek(now time.Time) (offset int64, ok bool) {
	c.log.advance(now)
	if !c.active || c.paused || c.owner != c.target || c.findGap() {
		return 0, false
	}
	if len(c.returned) > 0 {
		offset = c.returned[0]
		return offset, !c.keyIsOut(offset)
	}
	return c.next, c.next < c.log.end()
}

// keyIsOut reports whether an earlier message of the same key is out.
func (c *cursor) keyIsOut(offset int64) bool {
	key := c.log.at(offset).msg.Key
	for o, d := range c.held {
		if o < offset && key != nil && d.key != nil && bytes.Equal(key, d.key) {
			return true
		}
	}
	return false
}

// findGap notices that the log does not have what comes next, and moves on to
// what it has. Nothing is delivered before the owner was told.
func (c *cursor) findGap() bool {
	from := c.next
	if len(c.returned) > 0 {
		from = c.returned[0]
	}
	switch {
	case c.gap != nil: // not told yet
	case from < c.log.start:
		c.gap = &oms.Gap{Partition: c.id, From: from, To: c.log.start}
		c.returned = slices.DeleteFunc(c.returned, func(o int64) bool { return o < c.log.start })
		c.next = max(c.next, c.log.start)
	case c.next > c.log.end():
		c.gap = &oms.Gap{Partition: c.id, From: c.next, To: c.log.end()}
		c.next = c.log.end()
	}
	if c.gap != nil {
		c.advance()
		signal(c.owner.work)
	}
	return c.gap != nil
}

// deliver hands out what peek returned.
func (c *cursor) deliver(offset int64) *oms.Message {
	if len(c.returned) > 0 {
		c.returned = c.returned[1:]
	} else {
		c.next++
	}
	c.deliveries[offset]++
	r := c.log.at(offset)
	d := delivery{count: c.deliveries[offset], size: r.size, key: r.msg.Key}
	c.held[offset] = d
	c.owner.unacked++
	c.owner.unackedBytes += d.size
	m := r.msg.Clone()
	m.Offset, m.Deliveries = offset, d.count
	m.Receipt = receipt{cursor: c, offset: offset, generation: c.generation, count: d.count}
	return m
}

// current reports whether a delivery is still r's to settle.
func (c *cursor) current(r *receiver, rc receipt) bool {
	if c.owner != r || c.generation != rc.generation {
		return false
	}
	d, out := c.held[rc.offset]
	return !out || d.count == rc.count
}

// ack settles a delivery; false is one that is not r's any more.
func (c *cursor) ack(r *receiver, rc receipt) bool {
	if !c.current(r, rc) || slices.Contains(c.returned, rc.offset) {
		return false
	}
	if _, out := c.held[rc.offset]; out {
		c.drop(rc.offset)
		c.advance()
	}
	return true
}

// giveBack is ack for a message that is to come again.
func (c *cursor) giveBack(r *receiver, rc receipt) bool {
	if !c.current(r, rc) {
		return false
	}
	if _, out := c.held[rc.offset]; out {
		c.drop(rc.offset)
		i, _ := slices.BinarySearch(c.returned, rc.offset)
		c.returned = slices.Insert(c.returned, i, rc.offset)
	}
	return true
}

// advance moves the position behind everything that is acknowledged.
func (c *cursor) advance() {
	for c.pos < c.next {
		if _, out := c.held[c.pos]; out || slices.Contains(c.returned, c.pos) {
			return
		}
		delete(c.deliveries, c.pos)
		c.pos++
	}
	c.pos = c.next // which is lower after the log has lost its end
}

// lag returns how many messages the group has not acknowledged.
func (c *cursor) lag() int64 {
	c.log.advance(time.Now())
	unread := max(0, c.log.end()-max(c.next, c.log.start))
	return unread + int64(len(c.held)+len(c.returned)+len(c.log.delayed))
}
