package rabbitmq

import (
	"slices"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/omconnect/omconnect/oms"
)

// A feed is a consumer of a stream, on a channel of its own. Acknowledgements
// only give it room for more: where the group is, is noted elsewhere.
type feed struct {
	ch       *amqp.Channel
	prefetch int
	done     chan struct{} // closed when nothing more comes

	mu      sync.Mutex
	closed  bool   // nothing is told any more
	low     uint64 // every tag below is acknowledged
	settled map[uint64]bool
}

// openFeed has a shelf filled from its next offset on.
func (r *streamReceiver) openFeed(s *session, sh *shelf, prefetch int) error {
	defer s.guard()()
	ch, err := s.conn.Channel()
	if err != nil {
		return s.why(err)
	}
	if err := ch.Qos(prefetch, 0, false); err != nil {
		return s.why(err)
	}
	r.mu.Lock()
	from := sh.next
	sh.opened = time.Now()
	r.mu.Unlock()
	in, err := ch.Consume(streamQueue(sh.part), "feed", false, false, false, false, amqp.Table{offsetHeader: from})
	if err != nil {
		_ = ch.Close() // the first error is the one to tell
		return s.why(err)
	}
	f := &feed{ch: ch, prefetch: prefetch, done: make(chan struct{}), low: 1, settled: make(map[uint64]bool)}
	r.mu.Lock()
	sh.feed, sh.ended, sh.full = f, false, false
	r.mu.Unlock()
	go r.fill(sh, f, in)
	return nil
}

// closeFeed ends a consumer. Nothing of it comes any more when it returns. What
// is told on a channel that has ended would end the connection.
func (r *streamReceiver) closeFeed(s *session, sh *shelf) {
	r.mu.Lock()
	f := sh.feed
	sh.feed = nil
	r.mu.Unlock()
	if f == nil {
		return
	}
	f.mu.Lock()
	f.closed = true
	f.mu.Unlock()
	answered := s.guard()
	_ = f.ch.Close() // closed whatever it returns
	answered()
	<-f.done
}

// fill notes what comes until the consumer ends, on a goroutine of its own.
func (r *streamReceiver) fill(sh *shelf, f *feed, in <-chan amqp.Delivery) {
	defer close(f.done)
	for d := range in {
		m := decode(&d, sh.part.Topic)
		m.Partition, m.Offset, m.Deliveries = sh.part.Number, offsetOf(&d), 0
		r.mu.Lock()
		current, next := sh.feed == f && !sh.full, sh.next
		r.mu.Unlock()
		// The broker takes an offset for itself where a segment begins. More
		// than one is a gap.
		if current && m.Offset > next+1 && r.checkGap(sh.part, next, m.Offset) != nil {
			r.doubt(sh, f)
		}
		if r.keep(sh, &item{msg: m, offset: m.Offset, size: m.Size(), feed: f, tag: d.DeliveryTag}) {
			signal(r.work)
		}
		signal(r.data)
	}
	r.mu.Lock()
	sh.ended = sh.ended || sh.feed == f
	r.mu.Unlock()
	signal(r.work)
}

// doubt has another consumer take over where this one is: it is not known what
// became of the messages in front of what it has brought.
func (r *streamReceiver) doubt(sh *shelf, f *feed) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if sh.feed == f {
		sh.full, sh.ended = true, true
		signal(r.work)
	}
}

// keep notes a message of a consumer that is still wanted, and reports whether
// another prefetch would fit better. What is behind one that is too much has no
// room, and comes again by a consumer with a prefetch that fits.
func (r *streamReceiver) keep(sh *shelf, i *item) (misfit bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if sh.feed != i.feed || sh.closed || sh.full || i.offset < sh.next {
		return false
	}
	sh.add(i)
	taken := 0
	for _, other := range r.shelves {
		taken += other.bytes
	}
	learned, bound := r.scale, r.cfg.MaxUnackedBytes
	if taken > bound && i.feed.prefetch > 1 {
		learned.overflow(max(1, bound/max(1, i.size)), bound)
	}
	if learned.typical > r.scale.typical {
		r.scale, r.misfit, sh.full = learned, true, true
		return true
	}
	if r.scale.note(i.size) {
		r.misfit = true
		return true
	}
	return false
}

// checkGap tells of messages that retention removed while they were waited for.
// An error is that it could not find out.
func (r *streamReceiver) checkGap(p oms.Partition, next, came int64) error {
	e, err := r.conn.edgesOf(r.ctx, p)
	if err == nil && e.first > next {
		r.tellGap(oms.Gap{Partition: p, From: next, To: came})
	}
	return err
}

// ack gives the broker's consumer room for more. That it cannot be told means
// that the session has ended, which others tell.
func (f *feed) ack(tags []uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return
	}
	for _, a := range f.together(tags) {
		_ = f.ch.Ack(a.tag, a.multiple) // as said
	}
}

// together has one word for all those that are settled without a gap. It names
// one of tags: the broker ends the channel over one that it does not know any
// more.
func (f *feed) together(tags []uint64) (tell []acking) {
	slices.Sort(tags)
	for _, tag := range tags {
		f.settled[tag] = true
	}
	for f.settled[f.low] {
		delete(f.settled, f.low)
		f.low++
	}
	n := 0
	for n < len(tags) && tags[n] < f.low {
		n++
	}
	if n > 0 {
		tell = append(tell, acking{tag: tags[n-1], multiple: true})
	}
	for _, tag := range tags[n:] {
		tell = append(tell, acking{tag: tag})
	}
	return tell
}
