package embedded

import (
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

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
	made     time.Time // when its consumer was: one of the same name may come after it

	window   map[int64]*held  // unacknowledged, handed out or not
	buffer   []*held          // of those, not handed out, in order
	bytes    int              // of window
	asked    *request         // nil: none is open
	appetite int              // how many to ask for
	count    int              // of requests ever made
	left     int              // behind the latest delivery in the stream
	trail    trail            // to the end of the stream
	tight    bool             // the next message did not fit: it is asked for alone
	serial   uint64           // the consumer's number of the latest delivery
	early    map[uint64]*held // deliveries behind one that is still to come
	high     int64            // highest offset that was delivered, to anybody
	due      int              // messages that were delivered before and come again
	dueTo    int64            // the highest offset of those
	muddled  bool             // they may be in disorder: nothing is asked for
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
	if pt.asked == nil || pt.halted || pt.subscribe() != nil {
		return
	}
	pt.muddle()
	_ = old.Drain() // fails only with the connection
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
	h := pt.read(m, d)
	r.mu.Lock()
	pt.left = d.left
	if m.Sub == pt.sub {
		pt.used(h.size)
	}
	pt.arrive(h)
	if pt.asked == nil {
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

// read makes the message of a delivery, and its receipt. They are one
// allocation.
func (pt *part) read(m *nats.Msg, d delivery) *held {
	in := &struct {
		receipt held
		message oms.Message
	}{receipt: held{part: pt, offset: d.offset, serial: d.serial, reply: m.Reply, size: m.Size()}}
	h := &in.receipt
	h.message = &in.message
	if err := decodeMessage(h.message, m); err != nil {
		// Better as it is than not at all: an envelope that is damaged is not ours.
		*h.message = oms.Message{Body: m.Data, Headers: foreignHeaders(m.Header, nil)}
	}
	h.message.Topic, h.message.Partition, h.message.Offset = pt.at.Topic, pt.at.Number, d.offset
	h.message.Deliveries, h.message.Receipt = d.deliveries, h
	return h
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
	if h.serial == pt.serial+1 {
		pt.admit(h)
	} else {
		pt.early[h.serial] = h
	}
	for len(pt.early) > 0 {
		next := pt.early[pt.serial+1]
		if next == nil {
			missing := pt.serial + 1
			time.AfterFunc(strayAfter, func() { pt.astray(missing) })
			return
		}
		delete(pt.early, next.serial)
		pt.admit(next)
	}
}

// admit takes in the delivery with the next number.
func (pt *part) admit(h *held) {
	pt.serial = h.serial
	if h.offset > pt.high+1 {
		pt.gaps = append(pt.gaps, oms.Gap{Partition: pt.at, From: pt.high + 1, To: h.offset})
		pt.receiver.wakeSteward()
	}
	if h.offset <= pt.high && pt.window[h.offset] != nil {
		return // it is here
	}
	if h.offset > pt.dueTo {
		pt.due = 0
	} else {
		pt.due = max(pt.due-1, 0)
	}
	pt.high = max(pt.high, h.offset)
	pt.window[h.offset] = h
	pt.bytes += h.size
	pt.insert(h)
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
