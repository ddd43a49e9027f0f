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

// A target is a topic that is sent to, as the goroutine route knows it.
type target struct {
	topic      string
	counted    int64   // the batch for which the partitions were counted
	partitions int     // how many there are
	keyless    int     // messages without a key, ever
	lanes      []*lane // by partition; nil where nothing was sent to yet
}

// target returns that of a topic. It is kept when its partitions are counted:
// of topics that are not there, nothing is.
func (s *sender) target(topic string) *target {
	if t := s.targets[topic]; t != nil {
		return t
	}
	return &target{topic: topic}
}

// count asks for the partitions of a target, once for a batch. With an error
// nothing may pass for any of them.
func (s *sender) count(b *batch, t *target) error {
	if err := checkTopic(t.topic); err != nil {
		return fail("send", t.topic, oms.ErrInvalid, err)
	}
	s.mu.Lock()
	behind := s.isBehind(b, oms.Partition{Topic: t.topic, Number: everyPartition})
	s.mu.Unlock()
	if s.ctx.Err() == nil && behind { // and nothing is asked meanwhile
		return errBehind(t.topic)
	}
	n, err := s.partitions(t.topic)
	if err != nil {
		return err
	}
	t.counted, t.partitions = b.number, n
	s.targets[t.topic] = t
	return nil
}

// place returns the lane of a message. An error is one of all partitions of
// the topic.
func (s *sender) place(t *target, m *oms.Message) (*lane, error) {
	var at int
	switch {
	case m.ToPartition != nil:
		if at = *m.ToPartition; at < 0 || at >= t.partitions {
			return nil, fail("send", t.topic, oms.ErrInvalid, fmt.Errorf("there is no partition %d, only 0 to %d", at, t.partitions-1))
		}
	case m.Key != nil:
		at = murmur2.Partition(m.Key, t.partitions)
	default:
		at = t.keyless % t.partitions
		t.keyless++
	}
	for len(t.lanes) <= at {
		t.lanes = append(t.lanes, nil)
	}
	if t.lanes[at] == nil {
		t.lanes[at] = &lane{sender: s, id: oms.Partition{Topic: t.topic, Number: at}, producer: noProducer}
		s.conn.lookout.look(t.topic)
	}
	return t.lanes[at], nil
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
