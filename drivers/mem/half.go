package mem

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/omconnect/omconnect/oms"
)

var _ oms.HalfOpener = (*conn)(nil)

// A halfGroup has the half messages without a verdict, and who may be asked.
// The broker's mutex guards it, and the messages.
type halfGroup struct {
	pending []*halfMessage // in the order stored
	members []*halfSender
}

// wake makes every member look again. The caller holds mu.
func (g *halfGroup) wake() {
	for _, s := range g.members {
		signal(s.work)
	}
}

// A halfMessage waits for its verdict outside of its log.
type halfMessage struct {
	place  oms.Partition
	record *record
	askAt  time.Time
	asked  bool // somebody is asked just now
}

// A halfSender stores half messages, and answers for those of its group: its
// goroutine, run, asks check. It ends with Close.
type halfSender struct {
	conn     *conn
	group    string
	check    func(context.Context, *oms.Message) oms.Verdict
	work     chan struct{} // wakes run
	finished chan struct{} // closed when run has ended
	stop     context.CancelFunc

	mu      sync.Mutex
	keyless map[string]int
}

// OpenHalf implements oms.HalfOpener.
func (c *conn) OpenHalf(ctx context.Context, group string, check func(context.Context, *oms.Message) oms.Verdict) (oms.HalfSender, error) {
	const op = "open half messages"
	if err := c.reach(ctx, op, group); err != nil {
		return nil, err
	}
	s := &halfSender{
		conn: c, group: group, check: check, keyless: make(map[string]int),
		work: make(chan struct{}, 1), finished: make(chan struct{}),
	}
	life, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stop = stop
	b := c.broker
	b.mu.Lock()
	g := b.halves[group]
	if g == nil {
		g = new(halfGroup)
		b.halves[group] = g
	}
	g.members = append(g.members, s)
	b.mu.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open[s] = true
	go s.run(life)
	return s, nil
}

// Send implements oms.HalfSender.
func (s *halfSender) Send(ctx context.Context, msg *oms.Message, local func(context.Context) oms.Verdict) error {
	if err := s.conn.reach(ctx, "send", msg.Topic); err != nil {
		return err
	}
	b := s.conn.broker
	session, _ := b.state()
	s.mu.Lock()
	p, err := b.place(msg, s.keyless)
	s.mu.Unlock()
	if err == nil {
		err = b.admit(msg)
	}
	if err != nil && !errors.Is(err, oms.ErrUnknown) {
		return err
	}
	h, lost := s.store(session, p, msg)
	if lost != nil {
		return lost
	}
	if err == nil {
		err = b.confirm(ctx, session, msg.Topic)
	}
	if err != nil {
		return err
	}
	s.settle(h, local(ctx))
	return nil
}

// store puts a message where only its group knows of it.
func (s *halfSender) store(session <-chan struct{}, p oms.Partition, m *oms.Message) (*halfMessage, error) {
	now := time.Now()
	b := s.conn.broker
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.session != session {
		return nil, failure("send", m.Topic, oms.ErrUnavailable, errors.New("the connection was lost"))
	}
	h := &halfMessage{place: p, record: newRecord(m, p.Number, now), askAt: now.Add(b.opts.CheckAfter)}
	g := b.halves[s.group]
	g.pending = append(g.pending, h)
	g.wake()
	return h, nil
}

// settle does what a verdict says. One that does not reach the broker is lost;
// one of a message that has had another comes too late.
func (s *halfSender) settle(h *halfMessage, v oms.Verdict) {
	now := time.Now()
	b := s.conn.broker
	b.mu.Lock()
	defer b.mu.Unlock()
	g := b.halves[s.group]
	at := slices.Index(g.pending, h)
	if at < 0 {
		return
	}
	if b.down != nil || v == oms.Undecided {
		h.askAt = now.Add(b.opts.CheckAfter)
		g.wake()
		return
	}
	g.pending = slices.Delete(g.pending, at, at+1)
	if v == oms.Commit && b.has(h.place) {
		h.record.sentAt, h.record.dueAt = now, now
		b.add(h.place, h.record, now)
	}
}

// run asks about messages when they are due.
func (s *halfSender) run(life context.Context) {
	defer close(s.finished)
	for life.Err() == nil {
		h, wait := s.next()
		if h != nil {
			m := h.record.msg
			v := s.check(life, &m)
			if life.Err() != nil {
				v = oms.Undecided // it may be one because of that
			}
			s.settle(h, v)
			s.asked(h)
			continue
		}
		var due <-chan time.Time
		if wait > 0 {
			due = time.After(wait)
		}
		select {
		case <-due:
		case <-s.work:
		case <-life.Done():
		}
	}
}

// next returns the message to ask about, or how long there is none; 0 says
// that somebody will tell.
func (s *halfSender) next() (*halfMessage, time.Duration) {
	b := s.conn.broker
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.down != nil {
		return nil, 0
	}
	var first *halfMessage
	for _, h := range b.halves[s.group].pending {
		if !h.asked && (first == nil || h.askAt.Before(first.askAt)) {
			first = h
		}
	}
	if first == nil {
		return nil, 0
	}
	if wait := time.Until(first.askAt); wait > 0 {
		return nil, wait
	}
	first.asked = true
	return first, 0
}

// asked lets a message be asked about again.
func (s *halfSender) asked(h *halfMessage) {
	b := s.conn.broker
	b.mu.Lock()
	defer b.mu.Unlock()
	h.asked = false
	b.halves[s.group].wake()
}

// Close implements oms.HalfSender.
func (s *halfSender) Close(context.Context) error {
	b := s.conn.broker
	b.mu.Lock()
	g := b.halves[s.group]
	g.members = slices.DeleteFunc(g.members, func(other *halfSender) bool { return other == s })
	b.mu.Unlock()
	s.stop()
	<-s.finished
	s.conn.forget(s)
	return nil
}

// loseHalves removes the half messages that were sent after a point in time.
// The caller holds mu.
func (b *broker) loseHalves(after time.Time) {
	for _, g := range b.halves {
		g.pending = slices.DeleteFunc(g.pending, func(h *halfMessage) bool { return h.record.sentAt.After(after) })
	}
}
