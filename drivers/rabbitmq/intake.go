package rabbitmq

import (
	"fmt"
	"sync"
	"sync/atomic"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/omconnect/omconnect/oms"
)

// An intake is a receiver's channel in one session: it consumes the group's
// queues. Its end is that of the receiver's partitions. Methods without a
// comment about it are called by the receiver's goroutine.
type intake struct {
	receiver *receiver
	session  *session
	ch       *amqp.Channel
	ledger   *ledger
	slot     int
	roster   *roster             // who else is a member; nil: each consumes all queues
	revoked  bool                // its end has been told of
	over     chan struct{}       // closed when the channel has ended
	subjects map[string]*subject // by topic: what is consumed
	grown    atomic.Bool         // messages are larger than the prefetch allows for

	// order is held from the decision what to tell the broker until it is
	// written: an acknowledgement of all up to a tag must come before the
	// next one.
	order  sync.Mutex
	unsure bool     // something was told since the last flush
	queues []string // that are consumed
}

// A subject is a topic and the group's queues for it.
type subject struct {
	topic    string
	bindings []binding
	consumed map[string]bool // queues
	feeding  sync.WaitGroup
	ended    atomic.Bool // a consumer was ended by the broker
}

func newSubject(topic string) *subject {
	return &subject{topic: topic, consumed: make(map[string]bool)}
}

// enter opens a channel in a session and takes a slot among the members.
func (r *receiver) enter(s *session) (*intake, error) {
	slot, err := r.conn.enter(r.ctx, s, r.cfg.Group)
	if err != nil {
		return nil, err
	}
	ro := newRoster(r, s, slot)
	in, err := r.openIntake(s, slot, ro)
	if err != nil {
		ro.end()
		r.conn.leave(s, r.cfg.Group, slot)
	}
	return in, err
}

func (r *receiver) openIntake(s *session, slot int, ro *roster) (*intake, error) {
	defer s.guard()()
	ch, err := s.conn.Channel()
	if err != nil {
		return nil, s.why(err)
	}
	in := &intake{
		receiver: r, session: s, ch: ch, ledger: newLedger(r), slot: slot, roster: ro,
		over: make(chan struct{}), subjects: make(map[string]*subject),
	}
	closed := ch.NotifyClose(make(chan *amqp.Error, 1))
	go func() {
		<-closed //nolint:errcheck // the intake asks for nothing but the end
		close(in.over)
	}()
	return in, nil
}

// attach makes what is missing of the group's queues for a topic, and has the
// receiver told of it.
func (in *intake) attach(topic string) error {
	r := in.receiver
	r.conn.topics.forget(topic)
	bs, err := r.conn.join(r.ctx, r.cfg.Group, topic)
	if err == nil {
		err = in.roster.announce(topic)
	}
	if err != nil {
		return err
	}
	sub := in.subjects[topic]
	if sub == nil {
		if r.cfg.OnAssigned != nil {
			if _, err := r.cfg.OnAssigned(r.ctx, []oms.Partition{{Topic: topic}}); err != nil {
				return err
			}
		}
		sub = newSubject(topic)
		in.ledger.know(topic)
		in.subjects[topic] = sub
	}
	switch {
	case sub.bindings == nil:
		sub.bindings = bs
		in.order.Lock()
		defer in.order.Unlock()
		for _, b := range bs {
			in.queues = append(in.queues, b.queue)
		}
	// The topic was made anew with other partitions, or a queue was deleted:
	// with the channel all begins anew, too.
	case len(bs) != len(sub.bindings), sub.ended.Load():
		in.finish()
	}
	return nil
}

// typicalSize is what a message is taken to have until larger ones have come.
const typicalSize = 32 << 10

// prefetch is how many messages a queue may have out to us. The broker bounds
// each consumer by itself, and knows no bound in bytes: messages are taken to
// have all the same size.
func (in *intake) prefetch() int {
	const most = 1<<16 - 1
	r := in.receiver
	queues := len(r.cfg.Topics) - len(in.subjects) // those that are missing yet have one at least
	for _, sub := range in.subjects {
		queues += len(sub.bindings)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	n := min(r.cfg.MaxUnacked, r.cfg.MaxUnackedBytes/r.typical)
	return max(1, min(n/max(1, queues), most))
}

// weigh notes the size of a message that was delivered. When there is more now
// than may be, and messages are larger than they were taken to be, another
// channel takes over as soon as it can, with a prefetch that fits.
func (in *intake) weigh(size int) {
	r := in.receiver
	if !in.ledger.isOver() {
		return
	}
	r.mu.Lock()
	grown := size > r.typical
	r.typical = max(r.typical, size)
	r.mu.Unlock()
	if grown {
		in.grown.Store(true)
		signal(r.work)
	}
}

// consume starts a consumer for each queue of a subject that is in the
// receiver's share and has none.
func (in *intake) consume(sub *subject) error {
	var missing []binding
	for _, b := range sub.bindings {
		if !sub.consumed[b.queue] && in.roster.owns(b.part) {
			missing = append(missing, b)
		}
	}
	if len(missing) == 0 || !in.roster.isKnown(sub.topic) {
		return nil
	}
	defer in.session.guard()()
	if err := in.ch.Qos(in.prefetch(), 0, false); err != nil {
		return in.session.why(err)
	}
	for _, b := range missing {
		sub.consumed[b.queue] = true
		deliveries, err := in.ch.Consume(b.queue, b.queue, false, false, false, false, nil)
		if err != nil {
			return in.session.why(err)
		}
		sub.feeding.Go(func() { in.feed(sub, b, deliveries) })
	}
	return nil
}

// hasSurplus reports whether queues are consumed that are not in the
// receiver's share any more.
func (in *intake) hasSurplus() bool {
	for _, sub := range in.subjects {
		for _, b := range sub.bindings {
			if sub.consumed[b.queue] && !in.roster.owns(b.part) {
				return true
			}
		}
	}
	return false
}

// feed notes what comes from a queue until its consumer ends, on a goroutine
// of its own.
func (in *intake) feed(sub *subject, b binding, deliveries <-chan amqp.Delivery) {
	for d := range deliveries {
		m := decode(&d, b.part.Topic)
		e := &entry{tag: d.DeliveryTag, queue: b.queue, msg: m, size: m.Size()}
		in.ledger.add(e)
		in.weigh(e.size)
		signal(in.receiver.data)
	}
	sub.ended.Store(true)
	signal(in.receiver.work)
}

// ack settles messages and tells the broker. What it cannot be told because
// the channel has ended is stale: it comes again. Anybody may call it.
func (in *intake) ack(rs []receipt) (stale bool) {
	in.order.Lock()
	defer in.order.Unlock()
	tell, stale := in.ledger.ack(rs)
	for _, a := range tell {
		in.unsure = true
		if err := in.ch.Ack(a.tag, a.multiple); err != nil {
			return true
		}
	}
	return stale
}

// flush returns when the broker has seen every acknowledgement so far: it
// takes what comes on a channel one after the other, and has told the queues
// before it asks them for what they hold. Anybody may call it.
func (in *intake) flush() error {
	in.order.Lock()
	defer in.order.Unlock()
	if !in.unsure {
		return nil
	}
	defer in.session.guard()()
	for _, queue := range in.queues {
		if _, err := in.ch.QueueDeclarePassive(queue, true, false, false, false, nil); err != nil {
			in.unsure = false // told here
			return &oms.Error{Code: oms.ErrUnknown, Err: fmt.Errorf("acknowledgements may be lost: %w", in.session.why(err))}
		}
	}
	in.unsure = false
	return nil
}

// isUnsure reports whether acknowledgements were told and not flushed.
func (in *intake) isUnsure() bool {
	in.order.Lock()
	defer in.order.Unlock()
	return in.unsure
}

// dead reports whether the channel has ended.
func (in *intake) dead() bool {
	select {
	case <-in.over:
		return true
	default:
		return false
	}
}

// partitions returns what the receiver was told of.
func (in *intake) partitions() (ps []oms.Partition) {
	for topic := range in.subjects {
		ps = append(ps, oms.Partition{Topic: topic})
	}
	return ps
}

// finish ends the channel: the broker has back what was not acknowledged, in
// its place. A message that is given back by itself would go behind all others.
func (in *intake) finish() {
	answered := in.session.guard()
	_ = in.ch.Close() // closed whatever it returns
	answered()
	<-in.over
	for _, sub := range in.subjects {
		sub.feeding.Wait()
	}
}

// close ends the channel, and the membership.
func (in *intake) close() {
	in.finish()
	in.roster.end()
	in.receiver.conn.leave(in.session, in.receiver.cfg.Group, in.slot)
}
