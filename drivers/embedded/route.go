package embedded

import (
	"context"
	"fmt"

	"github.com/omconnect/omconnect/drivers/internal/book"
	"github.com/omconnect/omconnect/drivers/internal/turns"
	"github.com/omconnect/omconnect/oms"
)

// A call is one SendAsync on its way into the lanes. It remembers what was
// found out about the topic of the message before: most calls are of one.
type call struct {
	turn  *turns.Call
	topic string
	lanes []*lane // of the topic's partitions; nil before they are needed
}

// submit finds the message's lane and puts it there.
func (s *sender) submit(ctx context.Context, c *call, r *record) {
	topic := oms.Partition{Topic: r.msg.Topic, Number: book.Whole} // as long as the partition is not known
	if c.lanes == nil || c.topic != topic.Topic {
		if err := checkTopic(topic.Topic); err != nil {
			s.refuse(r, topic, s.conn.invalid("send", topic.Topic, err))
			return
		}
		n, err := s.conn.topics.partitions(ctx, topic.Topic)
		if err != nil {
			s.refuse(r, topic, s.conn.fail("send", topic.Topic, err))
			return
		}
		c.topic, c.lanes = topic.Topic, make([]*lane, n)
	}
	p, err := s.partition(r.msg, len(c.lanes), c.turn)
	if err != nil {
		s.refuse(r, topic, err)
		return
	}
	if limit := s.conn.options.maxMessage; len(r.msg.Body) > limit {
		s.refuse(r, p, s.conn.fail("send", p.Topic, &oms.Error{
			Code: oms.ErrTooLarge, Err: fmt.Errorf("the body has %d bytes, max.message.bytes allows %d", len(r.msg.Body), limit),
		}))
		return
	}
	l := c.lanes[p.Number]
	if l == nil {
		l = s.conn.lanes.of(p)
		c.lanes[p.Number] = l
	}
	if r.wrapping, err = wrap(r.msg); err != nil {
		s.refuse(r, p, s.conn.fail("send", p.Topic, err))
		return
	}
	if s.book.Blocked(topic) {
		s.refuse(r, topic, errBehindFailure)
		return
	}
	l.enqueue(r)
}

// partition returns where a message goes.
func (s *sender) partition(m *oms.Message, n int, turn *turns.Call) (oms.Partition, error) {
	p := oms.Partition{Topic: m.Topic}
	if m.ToPartition == nil {
		p.Number = turn.Partition(m, n)
	} else if p.Number = *m.ToPartition; p.Number < 0 || p.Number >= n {
		return p, s.conn.invalid("send", m.Topic, fmt.Errorf("partition %d: the topic has 0 to %d", p.Number, n-1))
	}
	return p, nil
}
