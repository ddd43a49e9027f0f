package rabbitmq_test

import (
	"bufio"
	"encoding/binary"
	"io"
	"maps"
	"net"
	"slices"
	"time"
)

// A fakeConn is a connection to a fake. Its goroutine, serve, answers under
// the fake's lock.
type fakeConn struct {
	fake     *fake
	conn     net.Conn
	r        *bufio.Reader
	channels map[uint16]*fakeChannel
	limit    time.Duration // how long the client may be silent; of serve
	over     chan struct{}
}

type fakeChannel struct {
	conn      *fakeConn
	id        uint16
	confirms  bool
	sequence  uint64
	prefetch  int
	tag       uint64
	unacked   map[uint64]fakeDelivery
	consumers map[string]*fakeQueue
	incoming  *fakeMessage
	size      uint64
	mandatory bool
}

type fakeDelivery struct {
	msg      *fakeMessage
	consumer *fakeConsumer // nil: it was asked for
}

func (c *fakeConn) serve() {
	defer c.conn.Close()
	defer c.fake.gone(c)
	defer close(c.over)
	var hello [8]byte
	if _, err := io.ReadFull(c.r, hello[:]); err != nil {
		return
	}
	c.fake.with(func() {
		c.method(0, 10, 10, []byte{0, 9}, table(field("cluster_name", "rabbit@fake"), field("version", c.fake.version)), longText("PLAIN"), longText("en_US"))
	})
	for {
		if c.limit > 0 {
			_ = c.conn.SetReadDeadline(time.Now().Add(c.limit))
		}
		f, err := readFrame(c.r)
		if err != nil {
			return
		}
		again := true
		c.fake.with(func() { again = c.handle(f) })
		if !again {
			return
		}
	}
}

// method sends a method. A connection that has ended is found out by reading.
func (c *fakeConn) method(channel, class, method uint16, args ...[]byte) {
	c.send(frame{kind: frameMethod, channel: channel, payload: slices.Concat(append([][]byte{short(class), short(method)}, args...)...)})
}

// heartbeats tells the client that the fake is there.
func (c *fakeConn) heartbeats(every time.Duration) {
	beat := time.NewTicker(every)
	defer beat.Stop()
	for {
		select {
		case <-beat.C:
			c.fake.with(func() { c.send(frame{kind: 8}) })
		case <-c.over:
			return
		}
	}
}

func (c *fakeConn) send(fs ...frame) {
	var out []byte
	for _, f := range fs {
		out = f.append(out)
	}
	_ = c.conn.SetWriteDeadline(time.Now().Add(2 * time.Second)) // a network that is cut holds up nobody else
	_, _ = c.conn.Write(out)
}

// content sends a method with a message behind it.
func (c *fakeConn) content(channel, method uint16, m *fakeMessage, args ...[]byte) {
	fs := []frame{
		{kind: frameMethod, channel: channel, payload: slices.Concat(append([][]byte{short(60), short(method)}, args...)...)},
		{kind: frameHeader, channel: channel, payload: m.header},
	}
	for part := range slices.Chunk(m.body, frameMax-8) {
		fs = append(fs, frame{kind: frameBody, channel: channel, payload: part})
	}
	c.send(fs...)
}

// handle answers a frame, and reports whether the connection goes on.
func (c *fakeConn) handle(f frame) bool {
	ch := c.channels[f.channel]
	switch f.kind {
	case frameHeader:
		if ch != nil && ch.incoming != nil {
			ch.incoming.header, ch.size = f.payload, binary.BigEndian.Uint64(f.payload[4:])
			ch.complete()
		}
		return true
	case frameBody:
		if ch != nil && ch.incoming != nil {
			ch.incoming.body = append(ch.incoming.body, f.payload...)
			ch.complete()
		}
		return true
	case frameMethod:
	default:
		return true // a heartbeat
	}
	w := &wire{f.payload}
	class, method := w.short(), w.short()
	switch {
	case class == 10 && method == 11: // start-ok
		if c.fake.refusing {
			return false
		}
		c.method(0, 10, 30, short(2047), long(frameMax), short(10))
	case class == 10 && method == 31: // tune-ok
		w.b = w.b[6:]
		beat := time.Duration(w.short()) * time.Second
		c.limit = 3 * beat
		c.fake.running.Go(func() { c.heartbeats(beat / 2) })
	case class == 10 && method == 40: // open
		c.method(0, 10, 41, text(""))
	case class == 10 && method == 50: // close
		c.method(0, 10, 51)
		return false
	case class == 20 && method == 10: // open
		c.channels[f.channel] = &fakeChannel{conn: c, id: f.channel, unacked: make(map[uint64]fakeDelivery), consumers: make(map[string]*fakeQueue)}
		c.method(f.channel, 20, 11, long(0))
	case class == 20 && method == 40 && ch != nil: // close
		ch.end()
		c.method(f.channel, 20, 41)
	case class == 20: // close-ok
	case ch != nil:
		ch.handle(class, method, w)
	}
	return true
}

// fail closes the channel.
func (ch *fakeChannel) fail(code uint16, reason string) {
	ch.end()
	ch.conn.method(ch.id, 20, 40, short(code), text(reason), short(0), short(0))
}

// end ends the channel, and gives back what it had.
func (ch *fakeChannel) end() {
	delete(ch.conn.channels, ch.id)
	left := slices.Collect(maps.Values(ch.consumers))
	for tag, q := range ch.consumers {
		ch.leave(tag, q)
	}
	var back []*fakeMessage
	for _, tag := range slices.Sorted(maps.Keys(ch.unacked)) {
		back = append(back, ch.unacked[tag].msg)
	}
	ch.unacked = nil
	ch.conn.fake.giveBack(back...) // before anybody else has what is behind it
	for _, q := range left {
		ch.conn.fake.deliver(q)
	}
}

func (ch *fakeChannel) cancel(tag string, q *fakeQueue) {
	ch.leave(tag, q)
	ch.conn.fake.deliver(q)
}

func (ch *fakeChannel) leave(tag string, q *fakeQueue) {
	delete(ch.consumers, tag)
	q.consumers = slices.DeleteFunc(q.consumers, func(c *fakeConsumer) bool { return c.channel == ch && c.tag == tag })
}

// complete routes a message that has come as a whole.
func (ch *fakeChannel) complete() {
	m := ch.incoming
	if uint64(len(m.body)) < ch.size {
		return
	}
	ch.incoming = nil
	f := ch.conn.fake
	if !f.exchanges[m.exchange] {
		ch.fail(404, "NOT_FOUND - no exchange '"+m.exchange+"' in vhost '/'")
		return
	}
	ch.sequence++
	if !f.route(*m) && ch.mandatory {
		ch.conn.content(ch.id, 50, m, short(312), text("NO_ROUTE"), text(m.exchange), text(m.key))
	}
	if ch.confirms && !f.withheld {
		ch.conn.method(ch.id, 60, 80, longlong(ch.sequence), []byte{0})
	}
}

func (ch *fakeChannel) deliver(c *fakeConsumer, m *fakeMessage) {
	ch.tag++
	ch.unacked[ch.tag] = fakeDelivery{m, c}
	ch.conn.content(ch.id, 60, m, text(c.tag), longlong(ch.tag), flag(m.redelivered), text(m.exchange), text(m.key))
}

func flag(b bool) []byte {
	if b {
		return []byte{1}
	}
	return []byte{0}
}

// settle takes deliveries out of what is not acknowledged.
func (ch *fakeChannel) settle(tag uint64, multiple bool) (ms []*fakeMessage, ok bool) {
	if _, ok := ch.unacked[tag]; !ok {
		ch.fail(406, "PRECONDITION_FAILED - unknown delivery tag")
		return nil, false
	}
	for _, t := range slices.Sorted(maps.Keys(ch.unacked)) {
		if t == tag || multiple && t < tag {
			d := ch.unacked[t]
			delete(ch.unacked, t)
			if d.consumer != nil {
				d.consumer.out--
			}
			ms = append(ms, d.msg)
		}
	}
	return ms, true
}
