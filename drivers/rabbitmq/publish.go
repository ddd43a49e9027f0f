package rabbitmq

import (
	"context"
	"fmt"
	"time"

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
		switch {
		case b != nil:
			s.publishBatch(b)
		case last:
			return
		default:
			<-s.news
		}
	}
}

func (s *sender) publishBatch(b *batch) {
	turn := make(map[string]int) // where messages without a key go
	for i, m := range b.msgs {
		r := &record{msg: m, index: i, batch: b}
		if r.err = s.try(r, turn); r.err != nil {
			s.block(r.part, b.number)
		}
		b.records <- r
	}
	close(b.records)
}

// try publishes a message. An error says why it did not.
func (s *sender) try(r *record, turn map[string]int) error {
	topic := r.msg.Topic
	r.part = oms.Partition{Topic: topic, Number: everyPartition} // as long as it is not known
	if err := checkTopic(topic); err != nil {
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
	n, err := s.conn.partitions(s.patience, topic)
	if err != nil {
		return err
	}
	r.part = s.place(topic, n, r.msg, turn)
	if s.blocked(r) {
		return errBehindFailure
	}
	if err := s.gate(l); err != nil {
		return err
	}
	s.blockReturned(l)
	if s.blocked(r) {
		return errBehindFailure
	}
	s.mu.Lock()
	r.batch.tried[r.part] = true
	s.mu.Unlock()
	l.room <- struct{}{} // settling makes room: all that is on its way ends
	if err := l.publish(r); err != nil {
		<-l.room
		if l.dead() {
			s.lost(l)
		}
		return err
	}
	if !l.isProven(r.part) {
		s.prove(l, r)
	}
	return nil
}

// laneNow returns the lane of the session that is alive. Before there is a new
// one everything behind what the former one had on its way is held up.
func (s *sender) laneNow() (*lane, error) {
	if s.lane != nil && !s.lane.dead() {
		return s.lane, nil
	}
	if s.lane != nil {
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
