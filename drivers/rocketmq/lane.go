package rocketmq

import (
	"errors"
	"sync"

	"github.com/omconnect/omconnect/oms"
)

// How much one request takes at most. Batches of the broker are stored all or
// none.
const (
	requestRecords = 256
	requestBytes   = 1 << 20
)

// A lane is the messages of one partition that wait, and the goroutine that
// sends them while there are some.
type lane struct {
	mu      sync.Mutex
	queue   []*record
	working bool
}

// laneOf returns the lane of a partition, made when it is first needed.
func (s *sender) laneOf(p oms.Partition) *lane {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.lane[p]
	if l == nil {
		l = new(lane)
		s.lane[p] = l
	}
	return l
}

// enqueue hands a record over.
func (s *sender) enqueue(p oms.Partition, r *record) {
	l := s.laneOf(p)
	l.mu.Lock()
	if s.book.Blocked(p) {
		l.mu.Unlock()
		r.batch.Settle(r.index, errBehindFailure)
		return
	}
	l.queue = append(l.queue, r)
	if !l.working {
		l.working = true
		s.lanes.Go(func() { s.work(p, l) })
	}
	l.mu.Unlock()
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
		settle(taken, err)
		settle(behind, errBehindFailure)
	}
}

// take returns what goes into the next request: as many messages as fit, in
// order; one that is large or delayed goes alone. Without any the lane works
// no longer.
func (s *sender) take(l *lane) []*record {
	l.mu.Lock()
	defer l.mu.Unlock()
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
	l.mu.Lock()
	defer l.mu.Unlock()
	s.book.Block(p)
	behind := l.queue
	l.queue = nil
	return behind
}

// settle notes the outcome of messages that share it. No lock is held.
func settle(records []*record, err error) {
	for _, r := range records {
		r.batch.Settle(r.index, err)
	}
}
