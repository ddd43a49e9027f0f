package kafka

import (
	"fmt"

	"github.com/omconnect/omconnect/oms"
)

// spread gives the messages of a batch to their lanes, in order. What is known
// and what is locked is looked at once for all of them, as far as that goes.
func (s *sender) spread(b *batch) {
	parcels := make([]parcel, len(b.msgs))
	e := encoder{left: len(b.msgs)}
	most := s.conn.options.maxMessage
	entered := 0
	var t *target
	for i, m := range b.msgs {
		c := &parcels[i]
		c.batch, c.index = b, i
		if t == nil || t.topic != m.Topic {
			t = s.target(m.Topic)
		}
		if t.counted != b.number || s.ctx.Err() != nil {
			s.enter(parcels[entered:i]) // the brokers may have to be waited for
			entered = i
			if c.err = s.count(b, t); c.err != nil {
				continue
			}
		}
		if c.lane, c.err = s.place(t, m); c.err != nil {
			continue
		}
		e.encode(&c.record, m)
		c.size = sizeOf(&c.record)
		if len(m.Body) > most || c.size > most+headerRoom-batchRoom {
			c.err = fail("send", m.Topic, oms.ErrTooLarge, fmt.Errorf("a body has at most %d bytes, and key and headers at most %d more", most, headerRoom))
		}
	}
	s.enter(parcels[entered:])
}

// enter gives messages to their lanes, or says why not.
func (s *sender) enter(parcels []parcel) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range parcels {
		c := &parcels[i]
		every := oms.Partition{Topic: c.batch.msgs[c.index].Topic, Number: everyPartition}
		p := every
		if c.lane != nil {
			p = c.lane.id
		}
		if c.err == nil && (s.isBehind(c.batch, p) || s.isBehind(c.batch, every)) {
			c.err = errBehind(p.Topic)
		}
		if c.err != nil {
			s.resolve(c, p, c.err)
			continue
		}
		c.lane.queue = append(c.lane.queue, c)
		if !c.lane.running {
			c.lane.running = true
			go c.lane.run()
		}
	}
}

// isBehind reports whether a batch was admitted before the last failure of the
// partition was told. The caller holds mu.
func (s *sender) isBehind(b *batch, p oms.Partition) bool {
	if len(s.blocked) == 0 && b.number > s.freedLast {
		return false // of whatever partition
	}
	return s.blocked[p] > 0 || b.number <= s.freed[p]
}
