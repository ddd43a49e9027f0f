package rabbitmq

import (
	"context"
	"errors"
	"fmt"

	"github.com/omconnect/omconnect/oms"
)

// settle waits for each batch in turn and calls its done. It ends when
// publishing has ended and every done has returned.
func (s *sender) settle() {
	defer close(s.finished)
	lanes := make(map[*lane]bool)
	for {
		s.mu.Lock()
		var b *batch
		if len(s.open) > 0 {
			b = s.open[0]
		}
		s.mu.Unlock()
		if b != nil {
			s.settleBatch(b, lanes)
			continue
		}
		select {
		case <-s.published:
			s.mu.Lock()
			over := len(s.open) == 0
			s.mu.Unlock()
			if over {
				if s.lane != nil { // publishing has ended
					lanes[s.lane] = true
				}
				for l := range lanes {
					l.close()
				}
				return
			}
		case <-s.outcomes:
		}
	}
}

func (s *sender) settleBatch(b *batch, lanes map[*lane]bool) {
	var failed map[int]error
	for r := range b.records {
		err := r.err
		if err == nil {
			err = s.outcome(r)
			<-r.lane.room
			s.keep(lanes, r.lane)
		}
		if err != nil {
			s.block(r.part, b.number)
			if failed == nil {
				failed = make(map[int]error)
			}
			failed[r.index] = fail("send", r.msg.Topic, err)
		}
	}
	s.window.Leave(len(b.msgs), b.bytes)
	if len(failed) == 0 {
		b.done(nil)
	} else {
		b.done(&oms.BatchError{Failed: failed})
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open = s.open[1:]
	s.holdup.settled(b.number, s.sent)
}

// keep remembers the lane, and closes those that have ended.
func (s *sender) keep(lanes map[*lane]bool, l *lane) {
	if lanes[l] {
		return
	}
	for former := range lanes {
		if former.dead() {
			delete(lanes, former)
		}
	}
	lanes[l] = true
}

// outcome waits for what becomes of a message that was published.
func (s *sender) outcome(r *record) error {
	defer r.lane.forget(r)
	switch err := s.await(r.lane, r); {
	case err == nil:
		s.blockReturned(r.lane)
		return r.lane.outcome(r)
	case errors.Is(err, context.DeadlineExceeded):
		return unknown(fmt.Errorf("there was none for %v", s.conn.opts.publishTimeout))
	default:
		s.mu.Lock()
		s.gaveUp = true
		s.mu.Unlock()
		return unknown(errors.New("the sender was closed"))
	}
}
