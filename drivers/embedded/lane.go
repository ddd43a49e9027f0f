package embedded

import (
	"sync"
	"time"

	"github.com/omconnect/omconnect/oms"
)

// How much a lane has on the wire at most, and how often it looks whether an
// answer is overdue.
const (
	laneRecords = 4096
	laneBytes   = 16 << 20
	laneTick    = 100 * time.Millisecond
)

// A lane puts the messages of one partition on the wire, for all senders of
// the connection. It has many there at once and still keeps their order when
// one fails: each message names the id of the one before it
// (Nats-Expected-Last-Msg-Id), so the server refuses everything behind a hole.
// An answer to a message confirms all before it for the same reason.
//
// The chain breaks when another process writes to the partition, when a
// message is refused, and with the connection. Then the next message goes
// alone and without that condition, and the number on the wire doubles with
// every answer.
//
// Messages whose outcome is unknown keep their ids. When one of them is sent
// again, the lane first looks what the stream holds since its last answer.
//
// The goroutine of work runs while there is something to send or unanswered.
type lane struct {
	conn    *conn
	at      oms.Partition
	subject string
	token   string // of its reply subjects
	kick    chan struct{}

	mu       sync.Mutex
	working  bool
	session  *session  // that onWire belongs to; nil: to be asked for
	queue    []*record // not on the wire, in order
	onWire   []*record // unanswered, or refused while others are unanswered
	open     int       // of onWire, without a verdict
	bytes    int       // of onWire
	window   int
	draining bool // one of onWire was refused: nothing is added
	gone     bool // nobody had the subject: the topic is to be looked for
	number   uint64
	before   string // id of the last message put on the wire; "": the chain is broken
	answered uint64 // sequence in the stream of the last message known to be stored
	doubts   map[*oms.Message]doubt
	found    map[uint64]bool // numbers that the stream was found to hold; nil: not looked
	wire     wire
}

// A flight is what a lane knows of a record.
type flight struct {
	msg *oms.Message
	wrapping
	number  uint64 // 0 before it was on the wire
	maybe   bool   // an earlier attempt may have stored it
	sent    time.Time
	refused bool  // behind a hole
	err     error // the server's
}

// An outcome is told when no lock is held.
type outcome struct {
	record *record
	err    error
}

func tell(outcomes []outcome) {
	for _, o := range outcomes {
		o.record.settle(o.err)
	}
}

// enqueue takes a record over.
func (l *lane) enqueue(r *record) {
	l.mu.Lock()
	switch k := r.sender.book; {
	case k.Blocked(l.at):
		l.mu.Unlock()
		r.settle(errBehindFailure)
		return
	case k.GaveUp(): // and its messages were taken out of the lane
		l.mu.Unlock()
		r.settle(l.unsent())
		return
	}
	if d, ok := l.doubts[r.msg]; ok {
		r.number, r.maybe = d.number, true
		delete(l.doubts, r.msg)
	}
	l.queue = append(l.queue, r)
	if !l.working {
		l.working = true
		l.conn.lanes.work(l)
	}
	l.mu.Unlock()
	l.wake()
}

func (l *lane) wake() {
	select {
	case l.kick <- struct{}{}:
	default:
	}
}

// work sends until there is nothing left.
func (l *lane) work() {
	tick := time.NewTicker(laneTick)
	defer tick.Stop()
	for {
		lost, again := l.round()
		if !again {
			return
		}
		select {
		case <-l.kick:
		case <-lost:
		case <-tick.C:
		}
	}
}

// round sends what can be sent, and gives up what is overdue.
func (l *lane) round() (lost <-chan struct{}, again bool) {
	for {
		l.mu.Lock()
		switch {
		case len(l.onWire) == 0 && len(l.queue) == 0:
			l.working = false
			l.mu.Unlock()
			return nil, false
		case len(l.onWire) == 0 && (l.session == nil || !l.session.alive() || l.queue[0].maybe && l.found == nil):
			l.mu.Unlock()
			if err := l.prepare(); err != nil {
				l.fail(err)
			}
			continue
		case len(l.onWire) > 0 && !l.session.alive():
			out := l.lose(l.conn.code("send", l.at.Topic, oms.ErrUnknown, "the connection was lost before the broker answered"))
			l.mu.Unlock()
			tell(out)
			continue
		case len(l.onWire) > 0 && time.Since(l.onWire[0].sent) > l.conn.options.publishTimeout:
			l.mu.Unlock()
			l.overdue()
			continue
		}
		lost := l.session.lost
		more, out := l.push()
		l.mu.Unlock()
		tell(out)
		if !more {
			return lost, true
		}
	}
}

// push puts the next message on the wire, if it may go there. The lock must be
// held.
func (l *lane) push() (more bool, out []outcome) {
	if l.draining || len(l.queue) == 0 || len(l.onWire) >= l.window || l.bytes >= laneBytes || (l.before == "" && len(l.onWire) > 0) {
		return false, nil
	}
	r := l.queue[0]
	if r.maybe {
		if len(l.onWire) > 0 && l.found == nil {
			return false, nil // what the stream holds is looked up when nothing is on its way
		}
		if l.found[r.number] {
			l.queue = l.queue[1:]
			return true, []outcome{{r, nil}}
		}
	} else if len(l.onWire) == 0 {
		l.found = nil
	}
	if err := l.conn.backend.admit(r.size); err != nil {
		if len(l.onWire) > 0 {
			return false, nil
		}
		return true, l.drop(l.conn.fail("send", l.at.Topic, err))
	}
	l.queue[0] = nil
	l.queue = l.queue[1:]
	if r.number == 0 {
		l.number++
		r.number = l.number
	}
	wire := l.dress(r)
	r.sent, r.refused, r.err = time.Now(), false, nil
	l.before = l.wire.id[0]
	l.onWire = append(l.onWire, r)
	l.open++
	l.bytes += r.size
	if err := l.session.nc.PublishMsg(wire); err != nil && l.session.alive() {
		// It never left: too large for the server, as a rule.
		return true, l.verdict(r, l.conn.fail("send", l.at.Topic, err), false)
	}
	return true, nil
}
