package rabbitmq

import (
	"time"

	"github.com/omconnect/omconnect/oms"
)

// A tenure is a streamReceiver's membership in one session. Its methods are
// called by the receiver's goroutine.
type tenure struct {
	receiver *streamReceiver
	session  *session
	slot     int
	roster   *roster
	topics   map[string]*streamTopic
	looked   time.Time // when topics were looked at anew
}

// A streamTopic is a topic that is there.
type streamTopic struct {
	identity   string
	partitions int
}

// run keeps a tenure in each session until the receiver is closed.
func (r *streamReceiver) run() {
	defer close(r.finished)
	wait := enterFirst
	for r.ctx.Err() == nil {
		s, err := r.conn.in.session(r.ctx)
		var slot int
		if err == nil {
			slot, err = r.conn.enter(r.ctx, s, r.cfg.Group)
		}
		if err != nil {
			r.report(err)
			r.rest(wait)
			wait = min(2*wait, enterMost)
			continue
		}
		wait = enterFirst
		t := &tenure{
			receiver: r, session: s, slot: slot, topics: make(map[string]*streamTopic),
			roster: newRoster(r.ctx, r.conn, r.work, s, r.cfg.Group, slot),
		}
		t.serve()
		t.end()
	}
}

// report has Receive tell of a failure, if waiting does not mend it. Nil is that
// there is none any more.
func (r *streamReceiver) report(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failure = lasting(fail("receive", r.cfg.Group, err))
	signal(r.data)
}

// lasting returns an error that waiting does not mend, else nil.
func lasting(err error) error {
	switch code := oms.CodeOf(err); code {
	case oms.ErrAborted, oms.ErrClosed, oms.ErrNotFound, oms.ErrHeld:
		return nil
	default:
		if code.Temporary() {
			return nil
		}
		return err
	}
}

// rest waits for d, for news of the link, or for the end.
func (r *streamReceiver) rest(d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-r.conn.in.changed():
	case <-r.ctx.Done():
	}
}

// serve looks after the partitions until the session ends or the receiver
// closes.
func (t *tenure) serve() {
	r := t.receiver
	look := time.NewTicker(lookAgain)
	defer look.Stop()
	for {
		err := t.tend()
		if t.isOver() {
			return
		}
		r.report(err)
		select {
		case <-t.session.over:
			return
		case <-r.ctx.Done():
			return
		case q := <-r.requests:
			q.done <- q.do(t)
		case <-r.work:
		case <-look.C:
			if err := r.note(r.ctx); err != nil { // tried again with the next look
				r.report(err)
			}
		}
	}
}

func (t *tenure) isOver() bool { return t.session.ended() != nil || t.receiver.ctx.Err() != nil }

// tend has partitions go that are not the member's any more, and others come.
// An error is the first of those that topics have.
func (t *tenure) tend() error {
	r := t.receiver
	failed := t.look()
	var going, coming []oms.Partition
	r.mu.Lock()
	for p, sh := range r.shelves {
		topic := t.topics[p.Topic]
		if topic == nil || topic.identity != sh.identity || !t.roster.owns(p) {
			going = append(going, p)
		}
	}
	r.mu.Unlock()
	t.release(going)
	for _, name := range r.cfg.Topics {
		topic := t.topics[name]
		if topic == nil || !t.roster.isKnown(name) {
			continue
		}
		for number := range topic.partitions {
			p := oms.Partition{Topic: name, Number: number}
			if _, has := r.positionOf(p); has || !t.roster.owns(p) {
				continue
			}
			ours, err := t.occupy(p)
			if failed == nil {
				failed = err
			}
			if ours {
				coming = append(coming, p)
			}
		}
	}
	if err := t.assign(coming); failed == nil {
		failed = err
	}
	if err := t.reopen(); failed == nil {
		failed = err
	}
	return failed
}

// look finds out which topics are there. Those that are were perhaps deleted
// and made anew, which the broker does not tell.
func (t *tenure) look() (failed error) {
	r := t.receiver
	again := time.Since(t.looked) >= bindAgain || r.hasEnded()
	if again {
		t.looked = time.Now()
	}
	for _, name := range r.cfg.Topics {
		if t.topics[name] != nil && !again {
			continue
		}
		r.conn.topics.forget(name)
		topic, err := t.find(name)
		switch {
		case err == nil:
			t.topics[name] = topic
		case oms.CodeOf(err) == oms.ErrNotFound, codeOfMissing(err):
			delete(t.topics, name)
		case failed == nil:
			failed = err
		}
	}
	return failed
}

func (t *tenure) find(name string) (*streamTopic, error) {
	r := t.receiver
	n, err := r.conn.partitions(r.ctx, name)
	if err != nil {
		return nil, err
	}
	identity, err := r.conn.identityOf(r.ctx, name)
	if err != nil {
		return nil, err
	}
	return &streamTopic{identity: identity, partitions: n}, t.roster.announce(name)
}

func (r *streamReceiver) hasEnded() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, sh := range r.shelves {
		if sh.ended {
			return true
		}
	}
	return false
}
