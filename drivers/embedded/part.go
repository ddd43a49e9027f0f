package embedded

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/omconnect/omconnect/oms"
)

// A part is a partition from its assignment to its end: what came in of it,
// what was handed out, and what was asked for. It is under its receiver's mu.
// Each assignment has a part of its own, so a receipt of an earlier one is
// recognised by its part being over.
type part struct {
	receiver *receiver
	session  *session
	at       oms.Partition
	stream   string
	durable  string
	inbox    string
	sub      *nats.Subscription

	window   map[int64]*held  // unacknowledged, handed out or not
	buffer   []*held          // of those, not handed out, in order
	bytes    int              // of window
	asked    []*request       // open requests, in order
	appetite int              // how many to ask for
	count    int              // of requests ever made
	tight    bool             // the next message did not fit: it is asked for alone
	serial   uint64           // the consumer's number of the latest delivery
	early    map[uint64]*held // deliveries behind one that is still to come
	high     int64            // highest offset that was delivered, to anybody
	gaps     []oms.Gap        // to be told before anything more is handed out
	halted   bool             // nothing is taken in any more
	broken   bool             // the steward has to start over
	over     bool
	dirty    *held // acknowledged last, and not flushed
}

// held is a message that is here, and its receipt.
type held struct {
	part    *part
	message *oms.Message
	offset  int64
	size    int
	reply   string
	serial  uint64
	out     bool // handed out
}

// open finds the position of a partition and subscribes to what will be asked
// for. What a former member held is made to come again first, in order.
func (r *receiver) open(ctx context.Context, s *session, p oms.Partition, seek int64) (*part, error) {
	if err := r.conn.ensureConsumer(ctx, r.cfg.Group, p, r.cfg.Start); err != nil {
		return nil, err
	}
	pt := &part{
		receiver: r, session: s, at: p, stream: streamName(p.Topic, p.Number), durable: encode(r.cfg.Group),
		window: make(map[int64]*held), early: make(map[uint64]*held),
	}
	ctx, cancel := s.within(ctx)
	defer cancel()
	if seek >= 0 {
		if err := r.conn.seekConsumer(ctx, s, pt.stream, pt.durable, seek); err != nil {
			return nil, err
		}
	}
	consumer, err := s.js.Consumer(ctx, pt.stream, pt.durable)
	if err != nil {
		return nil, err
	}
	info := consumer.CachedInfo()
	if err := pt.rewind(ctx, info); err != nil {
		return nil, err
	}
	pt.serial, pt.high = info.Delivered.Consumer, int64(info.Delivered.Stream) //nolint:gosec // sequences
	stream, err := s.js.Stream(ctx, pt.stream)
	if err != nil {
		return nil, err
	}
	if first := int64(stream.CachedInfo().State.FirstSeq); first > pt.high+1 { //nolint:gosec // as above
		pt.gaps = append(pt.gaps, oms.Gap{Partition: p, From: pt.high + 1, To: first})
		pt.high = first - 1
	}
	err = pt.subscribe()
	return pt, err
}

func (pt *part) subscribe() error {
	inbox := nats.NewInbox()
	sub, err := pt.session.nc.Subscribe(inbox+".*", pt.deliver)
	if err != nil {
		return err
	}
	pt.inbox, pt.sub, pt.asked = inbox, sub, nil
	return sub.SetPendingLimits(-1, -1) // bounded by what is asked for
}

// withdraw takes open requests back. The server forgets requests to which
// nobody listens; what it sent before it knew still comes in.
func (pt *part) withdraw() {
	old := pt.sub
	if len(pt.asked) == 0 || pt.halted || pt.subscribe() != nil {
		return
	}
	_ = old.Drain() // fails only with the connection
}

// rewind gives back what was delivered and not acknowledged, as if by those
// who held it: from here on the broker delivers it again before anything else,
// in order. A first round takes it out of the broker's queue for redelivery,
// where it may stand in any order; the second puts it there.
func (pt *part) rewind(ctx context.Context, info *jetstream.ConsumerInfo) error {
	if info.NumAckPending == 0 {
		return nil
	}
	subject := func(seq uint64) string {
		return fmt.Sprintf("$JS.ACK.%s.%s.1.%d.%d.%d.0", pt.stream, pt.durable, seq, info.Delivered.Consumer, time.Now().UnixNano())
	}
	first, last := info.AckFloor.Stream+1, info.Delivered.Stream
	for _, nak := range []string{`-NAK {"delay":3600000000000}`, "-NAK"} {
		for seq := first; seq <= last; seq++ {
			if err := pt.session.nc.Publish(subject(seq), []byte(nak)); err != nil {
				return err
			}
		}
	}
	// Acknowledgements are handled in order: with this one answered, all are.
	_, err := pt.session.nc.RequestWithContext(ctx, subject(last), []byte("-NAK"))
	return err
}

// unsubscribe ends the flow, and returns when the server knows: from then on
// it does not deliver to this part.
func (pt *part) unsubscribe() {
	pt.receiver.mu.Lock()
	sub := pt.sub
	pt.receiver.mu.Unlock()
	_ = sub.Unsubscribe()                      // fails only with the connection
	_ = pt.session.nc.FlushTimeout(apiTimeout) // as above
}

func (pt *part) isBroken() bool {
	pt.receiver.mu.Lock()
	defer pt.receiver.mu.Unlock()
	return pt.broken
}

// deliver takes in a message, or the end of a request.
func (pt *part) deliver(m *nats.Msg) {
	r := pt.receiver
	if strings.HasPrefix(m.Subject, nats.InboxPrefix) {
		r.mu.Lock()
		defer r.mu.Unlock()
		if m.Sub == pt.sub {
			pt.answered(m)
		}
		r.wakeReceive()
		return
	}
	d, err := readDelivery(m.Reply)
	if err != nil {
		r.conn.log.Warn("a message without a delivery is ignored", "partition", pt.at.String(), "err", err)
		r.wakeReceive()
		return
	}
	h := &held{
		part: pt, offset: d.offset, serial: d.serial, reply: m.Reply,
		size: len(m.Subject) + len(m.Reply) + len(m.Data) + headerSize(m.Header),
	}
	if h.message, err = decodeMessage(m, pt.at); err != nil {
		// Better as it is than not at all: an envelope that is damaged is not ours.
		h.message = &oms.Message{Topic: pt.at.Topic, Partition: pt.at.Number, Body: m.Data, Headers: foreignHeaders(m.Header, nil)}
	}
	h.message.Offset, h.message.Deliveries, h.message.Receipt = d.offset, d.deliveries, h
	r.mu.Lock()
	if m.Sub == pt.sub {
		pt.used(h.size)
	}
	pt.arrive(h)
	if pt.pending() <= pt.appetite/2 {
		r.pull()
	}
	buffered := len(pt.buffer)
	r.mu.Unlock()
	// Being woken for each of many costs more than handling them. This one
	// counts as pending until deliver returns.
	if waiting, _, err := m.Sub.Pending(); err != nil || waiting <= 1 || buffered >= wakeAt {
		r.wakeReceive()
	}
}

// wakeAt is how many messages are worth waking for while more come in.
const wakeAt = 64

// arrive takes deliveries in by their numbers. Two subscriptions may swap two
// of them, when requests were withdrawn; one that does not come at all went to
// somebody else, and everything has to be given back and asked for again. The
// lock must be held.
func (pt *part) arrive(h *held) {
	if pt.halted || pt.over || pt.broken || h.serial <= pt.serial {
		return
	}
	pt.early[h.serial] = h
	for {
		next := pt.early[pt.serial+1]
		if next == nil {
			break
		}
		delete(pt.early, next.serial)
		pt.serial = next.serial
		if next.offset > pt.high+1 {
			pt.gaps = append(pt.gaps, oms.Gap{Partition: pt.at, From: pt.high + 1, To: next.offset})
			pt.receiver.wakeSteward()
		}
		pt.high = max(pt.high, next.offset)
		if _, here := pt.window[next.offset]; !here {
			pt.window[next.offset] = next
			pt.bytes += next.size
			pt.insert(next)
		}
	}
	if len(pt.early) > 0 {
		missing := pt.serial + 1
		time.AfterFunc(strayAfter, func() { pt.astray(missing) })
	}
}

// strayAfter is how long a delivery may be late.
const strayAfter = time.Second

func (pt *part) astray(serial uint64) {
	r := pt.receiver
	r.mu.Lock()
	defer r.mu.Unlock()
	if pt.serial < serial && !pt.halted && !pt.over {
		pt.broken = true
		r.wakeSteward()
	}
}

// insert puts a message where it belongs in the buffer: at the end, as a rule.
func (pt *part) insert(h *held) {
	i := len(pt.buffer)
	for i > 0 && pt.buffer[i-1].offset > h.offset {
		i--
	}
	pt.buffer = slices.Insert(pt.buffer, i, h)
}

// take hands messages out.
func (pt *part) take(msgs []*oms.Message, limit int) []*oms.Message {
	if len(pt.gaps) > 0 {
		return msgs
	}
	n := min(limit-len(msgs), len(pt.buffer))
	for i, h := range pt.buffer[:n] {
		h.out = true
		msgs = append(msgs, h.message)
		pt.buffer[i] = nil
	}
	pt.buffer = pt.buffer[n:]
	return msgs
}

// ack ends a message here and tells the broker. False: it is stale.
func (pt *part) ack(h *held) bool {
	if pt.over {
		return false
	}
	if pt.window[h.offset] != h {
		return true // twice
	}
	if err := pt.session.nc.Publish(h.reply, nil); err != nil {
		return false
	}
	pt.drop(h)
	pt.dirty = h
	return true
}

func (pt *part) drop(h *held) {
	delete(pt.window, h.offset)
	pt.bytes -= h.size
	if !h.out {
		pt.buffer = slices.DeleteFunc(pt.buffer, func(other *held) bool { return other == h })
	}
}

// nack puts a message back into the buffer. The messages that were handed out
// are the receiver's user's, so it is told by a fresh message that this is
// another delivery.
func (pt *part) nack(h *held) bool {
	if pt.over {
		return false
	}
	if pt.window[h.offset] != h || !h.out {
		return true // acknowledged, or given back already
	}
	if pt.halted {
		return true // it stays the broker's
	}
	again := *h
	again.out = false
	again.message = h.message.Clone()
	again.message.Deliveries++
	again.message.Receipt = &again
	pt.window[h.offset] = &again
	pt.insert(&again)
	return true
}
