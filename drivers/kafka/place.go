package kafka

import (
	"errors"
	"fmt"

	"github.com/omconnect/omconnect/internal/murmur2"
	"github.com/omconnect/omconnect/oms"
)

// everyPartition stands for the partitions of a topic where it is not known
// which.
const everyPartition = -1

// place returns the partition of a message. With an error it says for which
// partitions nothing may pass: one, or all of the topic.
func (s *sender) place(b *batch, m *oms.Message) (p oms.Partition, err error) {
	p = oms.Partition{Topic: m.Topic, Number: everyPartition}
	if err = checkTopic(m.Topic); err != nil {
		return p, fail("send", m.Topic, oms.ErrInvalid, err)
	}
	s.mu.Lock()
	behind := s.isBehind(b, p)
	s.mu.Unlock()
	if s.ctx.Err() == nil && behind { // and nothing is asked meanwhile
		return p, errBehind(m.Topic)
	}
	n, known := b.partitions[m.Topic]
	if !known || s.ctx.Err() != nil {
		if n, err = s.partitions(m.Topic); err != nil {
			return p, err
		}
		b.partitions[m.Topic] = n
	}
	switch {
	case m.ToPartition != nil:
		if *m.ToPartition < 0 || *m.ToPartition >= n {
			return p, fail("send", m.Topic, oms.ErrInvalid, fmt.Errorf("there is no partition %d, only 0 to %d", *m.ToPartition, n-1))
		}
		p.Number = *m.ToPartition
	case m.Key != nil:
		p.Number = murmur2.Partition(m.Key, n)
	default:
		p.Number = s.keyless[m.Topic] % n
		s.keyless[m.Topic]++
	}
	return p, nil
}

func errBehind(topic string) error {
	return fail("send", topic, oms.ErrAborted, errors.New("a message before it failed"))
}

func errGivenUp(topic string) error {
	return fail("send", topic, oms.ErrUnknown, errors.New("the sender was closed before the confirmation"))
}

// partitions returns how many a topic has, of what is known or else of a
// broker.
func (s *sender) partitions(topic string) (int, error) {
	ps, err := retry(s.ctx, func(bool) ([]int32, error) {
		ps, err := call(s.ctx, func() ([]int32, error) { return s.client.Partitions(topic) })
		return ps, s.conn.explain(s.ctx, err)
	})
	switch {
	case s.ctx.Err() != nil:
		return 0, fail("send", topic, oms.ErrAborted, errors.New("the sender was closed before it was sent"))
	case err != nil:
		return 0, classify("send", topic, err)
	case len(ps) == 0:
		return 0, fail("send", topic, oms.ErrUnavailable, errors.New("the topic has no partition yet"))
	}
	return len(ps), nil
}
