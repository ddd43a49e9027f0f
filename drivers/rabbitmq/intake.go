package rabbitmq

import (
	"sync"
	"sync/atomic"
	"time"

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
	ahead    int                 // the prefetch of each queue
	misfit   atomic.Bool         // messages have other sizes than it allows for
	looks    int                 // how often that was seen
	starved  bool                // it ends by a hand-over only

	// order is held from the decision what to tell or ask the broker until
	// that is done: an acknowledgement of all up to a tag must come before the
	// next one, and the client library takes one question at a time.
	order   sync.Mutex
	unsure  bool        // something was settled since the last flush
	queues  []string    // that are consumed
	delayed bool        // late tells the broker soon
	late    *time.Timer // nil: never yet
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
	ro := newRoster(r.ctx, r.conn, r.work, s, r.cfg.Group, slot)
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
	n := min(r.cfg.MaxUnacked, r.cfg.MaxUnackedBytes/r.scale.typical)
	return max(1, min(n/max(1, queues), most))
}

// weigh notes the size of a message that was delivered, and how many there was
// room for if it was the first that had none. When messages have become larger
// or much smaller than they were taken to be, another channel takes over as
// soon as it can, with a prefetch that fits.
func (in *intake) weigh(size, fit int) {
	r := in.receiver
	r.mu.Lock()
	other := fit > 0
	if other {
		r.scale.overflow(fit, r.cfg.MaxUnackedBytes)
	} else {
		other = r.scale.note(size)
	}
	r.mu.Unlock()
	if other {
		in.misfit.Store(true)
		signal(r.work)
	}
}

// isMisfit reports whether another prefetch would fit better.
func (in *intake) isMisfit() bool {
	if in.misfit.Load() && !in.ledger.hasDropped() && in.prefetch() == in.ahead {
		in.misfit.Store(false)
	}
	return in.misfit.Load()
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
	in.order.Lock()
	defer in.order.Unlock()
	defer in.session.guard()()
	in.ahead = in.prefetch()
	in.ledger.setStrict(in.ahead > 1)
	if err := in.ch.Qos(in.ahead, 0, false); err != nil {
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
		in.weigh(e.size, in.ledger.add(e))
		signal(in.receiver.data)
	}
	sub.ended.Store(true)
	signal(in.receiver.work)
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
	in.order.Lock()
	if in.late != nil {
		in.late.Stop()
	}
	answered := in.session.guard()
	// Under the lock: an acknowledgement that is written while the channel
	// closes has the broker end the whole connection.
	_ = in.ch.Close() // closed whatever it returns
	answered()
	in.order.Unlock()
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
