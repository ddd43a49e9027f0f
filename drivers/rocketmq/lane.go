package rocketmq

import (
	"errors"

	"github.com/omconnect/omconnect/oms"
)

// How much one request takes at most. Batches of the broker are stored all or
// none.
const (
	requestRecords = 256
	requestBytes   = 1 << 20
)

// A lane is the messages of one partition that wait, and the goroutine that
// sends them while there are some. The sender's lock guards it.
type lane struct {
	queue   []*record
	working bool
}

// enqueue hands a record over.
func (s *sender) enqueue(p oms.Partition, r *record) {
	s.mu.Lock()
	if s.isBlockedLocked(p) {
		s.blocked[p] = s.last // those behind it wait for its done, too
		s.mu.Unlock()
		s.settle(r.batch, r.index, r.size, errBehindFailure)
		return
	}
	l := s.lane[p]
	if l == nil {
		l = &lane{}
		s.lane[p] = l
	}
	l.queue = append(l.queue, r)
	if !l.working {
		l.working = true
		s.lanes.Go(func() { s.work(p, l) })
	}
	s.mu.Unlock()
}

// work sends until there is nothing left.
func (s *sender) work(p oms.Partition, l *lane) {
	var out []outgoing
	for {
		taken := s.take(l)
		if len(taken) == 0 {
			return
		}
		out = out[:0]
		for _, r := range taken {
			out = append(out, r.out)
		}
		var err error
		tried := s.working.Err() == nil
		if tried {
			err = s.send(s.working, p, out)
		} else {
			err = &oms.Error{Op: "send", Driver: Name, Target: p.String(), Code: oms.ErrAborted, Err: errors.New("the sender was closed before it was sent")}
		}
		clear(out) // of bodies that are done with
		behind := s.failLane(p, l, err)
		s.settleAll(taken, err)
		s.settleAll(behind, errBehindFailure)
	}
}

// take returns what goes into the next request: as many messages as fit, in
// order; one that is large or delayed goes alone. Without any the lane works
// no longer.
func (s *sender) take(l *lane) []*record {
	s.mu.Lock()
	defer s.mu.Unlock()
	most := min(requestBytes, s.conn.options.maxMessage)
	n, bytes := 0, 0
	for n < len(l.queue) && n < requestRecords {
		r := l.queue[n]
		size := len(r.out.body) + len(r.out.properties) + 128
		alone := !r.out.due.IsZero()
		if n > 0 && (alone || bytes+size > most) {
			break
		}
		n++
		bytes += size
		if alone {
			break
		}
	}
	taken := l.queue[:n:n]
	l.queue = l.queue[n:]
	l.working = n > 0
	return taken
}

// failLane blocks the partition behind a failure, before anybody is told of
// it, and returns what waited behind it.
func (s *sender) failLane(p oms.Partition, l *lane, err error) []*record {
	if err == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.blocked[p] = s.last
	behind := l.queue
	l.queue = nil
	return behind
}
