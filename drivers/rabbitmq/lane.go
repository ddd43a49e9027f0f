package rabbitmq

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/omconnect/omconnect/oms"
)

// pipeline is how many messages a lane has on their way at most. The channel
// for what comes back has room for all of them: the client library drops what
// finds none, and the confirmation that follows would be taken for success.
const pipeline = 4096

// A lane is a sender's channel in one session. Its methods are called by the
// sender's two goroutines.
type lane struct {
	session *session
	ch      *amqp.Channel
	returns chan amqp.Return
	ends    chan *amqp.Error // has why the broker closed the channel, before its confirmations end
	room    chan struct{}    // has one element for each message on its way

	// gathering is the publisher's own: what it writes waits for more.
	gathering bool

	mu       sync.Mutex
	sequence int64
	onWay    map[label]*record
	proven   map[oms.Partition]bool // whose messages reach a queue
	end      *amqp.Error            // why the broker closed the channel
}

// A label tells a message from the others that are on their way: its id, or a
// number if it has none, another one has the same, or the id is no property.
type label struct {
	id       string
	sequence int64 // 0: the id
}

// A record is a message on its way.
type record struct {
	msg       *oms.Message
	index     int // in its batch
	batch     *batch
	part      oms.Partition
	lane      *lane
	label     label
	confirmed *amqp.DeferredConfirmation // nil: it was not published
	returned  *amqp.Return               // guarded by the lane's mu
	err       error                      // why it was not published
}

func openLane(s *session) (*lane, error) {
	defer s.guard()()
	ch, err := s.conn.Channel()
	if err != nil {
		return nil, s.why(err)
	}
	if err := ch.Confirm(false); err != nil {
		return nil, s.why(err)
	}
	return &lane{
		session: s, ch: ch, returns: ch.NotifyReturn(make(chan amqp.Return, pipeline)), ends: ch.NotifyClose(make(chan *amqp.Error, 1)),
		room: make(chan struct{}, pipeline), onWay: make(map[label]*record), proven: make(map[oms.Partition]bool),
	}, nil
}

// publish sends a message. An error means that it was perhaps sent if its code
// is ErrUnknown, else that it was not.
func (l *lane) publish(r *record) error {
	l.enter(r)
	var now time.Time
	if !r.msg.ExpiresAt.IsZero() { // asking for the time costs something
		now = time.Now()
	}
	p, err := encode(r.msg, r.label.sequence, now)
	if err != nil {
		l.forget(r)
		return err
	}
	l.gather()
	r.confirmed, err = l.ch.PublishWithDeferredConfirm(entrance(r.msg, &p), routingKey(r.part), true, false, p)
	if err == nil {
		return nil
	}
	l.forget(r)
	if errors.Is(err, amqp.ErrClosed) {
		return l.session.why(err)
	}
	if l.ch.IsClosed() || l.session.ended() != nil || oms.CodeOf(err) == "" && codeOf(err) == oms.ErrUnavailable {
		return unknown(err)
	}
	return err
}

// enter gives a message its label among those on their way.
func (l *lane) enter(r *record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r.lane, r.label = l, label{id: r.msg.ID}
	if l.onWay[r.label] != nil || r.msg.ID == "" || !fitsProperty(r.msg.ID) {
		l.sequence++
		r.label = label{sequence: l.sequence}
	}
	l.onWay[r.label] = r
}

// forget drops what a message came to.
func (l *lane) forget(r *record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.onWay, r.label)
}

// gather has what is published wait in memory until letGo is called, so that
// many messages are written at once. The publisher waits for nothing meanwhile.
func (l *lane) gather() {
	if !l.gathering {
		l.gathering = true
		l.session.socket.hold()
	}
}

// letGo has everything that was published be written.
func (l *lane) letGo() {
	if l.gathering {
		l.gathering = false
		l.session.socket.release()
	}
}

// collect notes which messages came back, and returns them. The broker sends a
// message back before it confirms it, and the client library hands both on in
// that order: who has seen the confirmation finds the message here.
func (l *lane) collect() []*record {
	if len(l.returns) == 0 { // as a rule
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	var back []*record
	for {
		select {
		case ret, ok := <-l.returns:
			if !ok {
				return back
			}
			known := label{sequence: integer(ret.Headers[headerSequence])}
			if known.sequence == 0 {
				known.id = ret.MessageId
			}
			if r := l.onWay[known]; r != nil {
				r.returned = &ret
				delete(l.proven, r.part)
				back = append(back, r)
			}
		default:
			return back
		}
	}
}

// dead reports whether the channel or its connection has ended.
func (l *lane) dead() bool { return l.ch.IsClosed() || l.session.ended() != nil }

func (l *lane) isProven(p oms.Partition) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.proven[p]
}

func (l *lane) prove(p oms.Partition) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.proven[p] = true
}

// outcome returns what became of a message whose confirmation is in, or whose
// channel has ended. What came back has been collected since.
func (l *lane) outcome(r *record) error {
	l.mu.Lock()
	returned := r.returned
	l.mu.Unlock()
	switch {
	case r.confirmed.Acked() && returned == nil:
		return nil
	case returned != nil && returned.ReplyCode == amqp.NoRoute:
		return &oms.Error{Code: oms.ErrNoSubscription, Err: errors.New("the broker has no queue for it")}
	case returned != nil:
		return &oms.Error{Code: oms.ErrUnavailable, Err: fmt.Errorf("the broker gave it back: %d %s", returned.ReplyCode, returned.ReplyText)}
	// The client library calls all that was on its way refused when a channel
	// ends. In truth nobody knows.
	case l.dead():
		return l.ending(r)
	default:
		return &oms.Error{Code: oms.ErrBusy, Err: errors.New("a queue refused it: it is full, or has failed")}
	}
}

// ending returns what became of a message that had no confirmation when the
// channel ended.
func (l *lane) ending(r *record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case e, ok := <-l.ends:
		if ok {
			l.end = e
		}
	default:
	}
	switch {
	case l.end == nil:
		return unknown(l.session.ended())
	case l.blames(r):
		return l.end
	default:
		return unknown(l.end)
	}
}

// blames reports whether the broker closed the channel over this very message.
// One that is the first of its partition is the only one of it on the way. The
// broker tells the size of a body that is too large for it.
func (l *lane) blames(r *record) bool {
	switch l.end.Code {
	case amqp.AccessRefused, amqp.NotFound:
		return !l.proven[r.part] && strings.Contains(l.end.Reason, "exchange '"+r.part.Topic+"' in vhost")
	case amqp.PreconditionFailed:
		return replyCode(l.end) == oms.ErrTooLarge && strings.Contains(l.end.Reason, fmt.Sprintf("size %d ", len(r.msg.Body)))
	default:
		return false
	}
}

// close ends the channel.
func (l *lane) close() {
	defer l.session.guard()()
	_ = l.ch.Close() // closed whatever it returns
}

func unknown(cause error) error {
	if cause == nil {
		cause = errors.New("the channel was closed")
	}
	return &oms.Error{Code: oms.ErrUnknown, Err: fmt.Errorf("before the confirmation: %s", cause.Error())}
}
