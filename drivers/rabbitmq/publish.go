package rabbitmq

import (
	"context"
	"fmt"
	"time"

	"github.com/omconnect/omconnect/drivers/internal/turns"
	"github.com/omconnect/omconnect/oms"
)

// publish publishes one batch after the other. It ends when the sender is
// closed and every call has come to its end.
func (s *sender) publish() {
	defer close(s.published)
	defer signal(s.outcomes)
	for {
		s.mu.Lock()
		var b *batch
		if len(s.queue) > 0 {
			b, s.queue = s.queue[0], s.queue[1:]
		}
		last := b == nil && s.closed && s.calls == 0
		s.mu.Unlock()
		if b != nil {
			s.publishBatch(b)
			continue
		}
		s.letGo()
		if last {
			return
		}
		<-s.news
	}
}

// letGo has everything that was published be written. It comes before the
// publisher waits for anything.
func (s *sender) letGo() {
	if s.lane != nil {
		s.lane.letGo()
	}
}

func (s *sender) publishBatch(b *batch) {
	turn := s.turns.Call()
	records := make([]record, len(b.msgs)) // made at once
	for i, m := range b.msgs {
		r := &records[i]
		r.msg, r.index, r.batch = m, i, b
		if r.err = s.try(r, turn); r.err != nil {
			s.block(r.part, b.number)
		}
		b.records <- r
	}
	close(b.records)
}

// try publishes a message. An error says why it did not.
func (s *sender) try(r *record, turn *turns.Call) error {
	topic := r.msg.Topic
	r.part = oms.Partition{Topic: topic, Number: everyPartition} // as long as it is not known
	if err := s.check(topic); err != nil {
		return err
	}
	if n := len(r.msg.Body); n > s.conn.opts.maxMessage {
		return &oms.Error{Code: oms.ErrTooLarge, Err: fmt.Errorf("the body has %d bytes, max.message.bytes allows %d", n, s.conn.opts.maxMessage)}
	}
	if s.patience.Err() != nil {
		return &oms.Error{Code: oms.ErrAborted, Err: s.patience.Err()}
	}
	l, err := s.laneNow()
	if err != nil {
		return err
	}
	n, known := s.conn.topics.get(topic)
	if !known {
		s.letGo()
		if n, err = s.conn.partitions(s.patience, topic); err != nil {
			return err
		}
	}
	r.part.Number = turn.Partition(r.msg, n)
	if s.blocked(r) {
		return errBehindFailure
	}
	if r.msg.Delay > 0 {
		s.letGo()
		if err := s.conn.prepareDelay(s.patience, r.part, r.msg.Delay); err != nil {
			return err
		}
	}
	if err := s.gate(l); err != nil {
		return err
	}
	s.blockReturned(l)
	if s.blocked(r) {
		return errBehindFailure
	}
	r.batch.tried[r.part] = true
	select {
	case l.room <- struct{}{}:
	default:
		l.letGo()
		l.room <- struct{}{} // settling makes room: all that is on its way ends
	}
	if err := l.publish(r); err != nil {
		<-l.room
		if l.dead() {
			s.lost(l)
		}
		return err
	}
	if !l.isProven(r.part) && r.msg.Delay <= 0 { // where one waits proves nothing
		s.prove(l, r)
	}
	return nil
}

// check refuses names of topics, and remembers the last one that it let pass.
func (s *sender) check(topic string) error {
	if topic == s.checked {
		return nil
	}
	err := checkTopic(topic)
	if err == nil {
		s.checked = topic
	}
	return err
}

// laneNow returns the lane of the session that is alive. Before there is a new
// one everything behind what the former one had on its way is held up.
func (s *sender) laneNow() (*lane, error) {
	if s.lane != nil && !s.lane.dead() {
		return s.lane, nil
	}
	if s.lane != nil {
		s.letGo()
		s.lost(s.lane)
		s.lane = nil
	}
	session, err := s.conn.out.session(s.patience)
	if err != nil {
		return nil, err
	}
	s.lane, err = openLane(session)
	return s.lane, err
}

// lost is for a lane that has ended. A missing exchange ends one, too, so what
// is known of topics is asked again.
func (s *sender) lost(*lane) {
	s.conn.topics.forget("")
	s.blockOpen()
}

// gate waits while the broker has no room and says so: what is written to the
// connection then would stay in the network's buffers.
func (s *sender) gate(l *lane) error {
	for {
		flowing := l.session.open()
		select {
		case <-flowing:
			return nil
		default:
		}
		l.letGo()
		select {
		case <-flowing:
		case <-l.session.over:
			return l.session.ended()
		case <-s.patience.Done():
			return &oms.Error{Code: oms.ErrAborted, Err: s.patience.Err()}
		}
	}
}

// prove waits for the outcome of the first message of a partition. A broker
// that has no queue for one message may have one for the next, when a group
// is made in between: it would store what is behind a message that it gave
// back.
func (s *sender) prove(l *lane, r *record) {
	l.letGo()
	err := s.await(l, r)
	s.blockReturned(l)
	if err != nil || l.outcome(r) != nil {
		s.block(r.part, r.batch.number)
		return
	}
	l.prove(r.part)
}

// await waits for the confirmation of a message; an error is why there is
// none.
func (s *sender) await(l *lane, r *record) error {
	select {
	case <-r.confirmed.Done():
		return nil
	default: // a timer is made only where there is something to wait for
	}
	timeout := s.conn.opts.publishTimeout
	for {
		late := time.NewTimer(timeout)
		select {
		case <-r.confirmed.Done():
			late.Stop()
			return nil
		case <-s.patience.Done():
			late.Stop()
			return s.patience.Err()
		case <-late.C:
			if !l.session.isBlocked() {
				return context.DeadlineExceeded
			}
		}
	}
}
