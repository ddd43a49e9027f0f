package rocketmq

import "github.com/omconnect/omconnect/oms"

// settle notes the outcome of one message, or with index -1 that all were handed
// over.
func (s *sender) settle(b *batch, index, size int, err error) {
	s.mu.Lock()
	last := s.settleLocked(b, index, size, err)
	s.mu.Unlock()
	if last {
		s.finish(b)
	}
}

// settleAll notes the outcome of messages that share it.
func (s *sender) settleAll(records []*record, err error) {
	var done []*batch
	s.mu.Lock()
	for _, r := range records {
		if s.settleLocked(r.batch, r.index, r.size, err) {
			done = append(done, r.batch)
		}
	}
	s.mu.Unlock()
	for _, b := range done {
		s.finish(b)
	}
}

// settleLocked reports whether it was the last of its batch. The lock must be
// held.
func (s *sender) settleLocked(b *batch, index, size int, err error) (last bool) {
	if size > 0 {
		s.records--
		s.bytes -= size
		if s.crowded {
			close(s.space)
			s.space, s.crowded = make(chan struct{}), false
		}
	}
	if err != nil {
		if b.failed == nil {
			b.failed = make(map[int]error)
		}
		b.failed[index] = err
	}
	b.left--
	return b.left == 0
}

// finish calls done. Only when that has returned the batch stands no longer in
// the way.
func (s *sender) finish(b *batch) {
	if b.failed != nil {
		b.done(&oms.BatchError{Failed: b.failed})
	} else {
		b.done(nil)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	b.finished = true
	for len(s.open) > 0 && s.open[0].finished {
		s.open[0] = nil
		s.open = s.open[1:]
	}
	if len(s.open) == 0 {
		close(s.idle)
	}
}
