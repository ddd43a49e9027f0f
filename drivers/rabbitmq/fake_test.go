package rabbitmq_test

import (
	"bufio"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
)

// A fake is as much of a RabbitMQ broker as the driver needs, in this process:
// exchanges, queues with a single active consumer, confirms, returns, and the
// troubles that tests make.
type fake struct {
	listener net.Listener
	running  sync.WaitGroup

	mu        sync.Mutex
	version   string
	withheld  bool // no message is confirmed
	refusing  bool // credentials are wrong
	conns     map[*fakeConn]bool
	exchanges map[string]bool
	queues    map[string]*fakeQueue
	bindings  []fakeBinding
	declared  map[string][]byte // arguments of queues
	published int
	late      map[string][]func() // answers that declarations of a queue wait for
}

type fakeBinding struct{ exchange, key, queue string }

type fakeQueue struct {
	name      string
	owner     *fakeConn // exclusive to it; nil: nobody's
	msgs      []*fakeMessage
	consumers []*fakeConsumer
}

type fakeMessage struct {
	exchange, key string
	header        []byte // of the content, as it was published
	body          []byte
	redelivered   bool
	queue         *fakeQueue
	number        int // its place in the queue
}

type fakeConsumer struct {
	channel *fakeChannel
	tag     string
	credit  int // messages that may be out; 0: no bound
	out     int
}

func startFake(t *testing.T) *fake {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &fake{
		listener: l, version: "3.10.8", conns: make(map[*fakeConn]bool),
		exchanges: map[string]bool{"": true}, queues: make(map[string]*fakeQueue), declared: make(map[string][]byte),
	}
	f.running.Go(f.accept)
	t.Cleanup(func() {
		_ = l.Close()
		f.killConnections()
		f.running.Wait()
	})
	return f
}

func (f *fake) addr() string { return f.listener.Addr().String() }

func (f *fake) accept() {
	for {
		c, err := f.listener.Accept()
		if err != nil {
			return
		}
		fc := &fakeConn{fake: f, conn: c, r: bufio.NewReader(c), channels: make(map[uint16]*fakeChannel), over: make(chan struct{})}
		f.mu.Lock()
		f.conns[fc] = true
		f.mu.Unlock()
		f.running.Go(fc.serve)
	}
}

// with runs g while nothing else happens.
func (f *fake) with(g func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	g()
}

// killConnections closes all connections.
func (f *fake) killConnections() {
	f.with(func() {
		for c := range f.conns {
			_ = c.conn.Close()
		}
	})
}

// block tells all connections that there is no room, or that there is again.
func (f *fake) block(active bool) {
	f.with(func() {
		for c := range f.conns {
			if active {
				c.method(0, 10, 60, text("low on memory"))
			} else {
				c.method(0, 10, 61)
			}
		}
	})
}

// withhold stops confirming, or begins anew.
func (f *fake) withhold(active bool) { f.with(func() { f.withheld = active }) }

// delay has declarations of a queue wait for their answer, and returns what
// gives it to them. Asked tells how many wait.
func (f *fake) delay(queue string) (asked func() int, answer func()) {
	f.with(func() { f.late = map[string][]func(){queue: {}} })
	asked = func() (n int) {
		f.with(func() { n = len(f.late[queue]) })
		return n
	}
	return asked, func() {
		f.with(func() {
			for _, answer := range f.late[queue] {
				answer()
			}
			f.late = nil
		})
	}
}

// depth returns how many messages a queue has that are not delivered; -1: none.
func (f *fake) depth(queue string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	q := f.queues[queue]
	if q == nil {
		return -1
	}
	return len(q.msgs)
}

// consumers returns how many consumers a queue has.
func (f *fake) consumers(queue string) (n int) {
	f.with(func() { n = len(f.queues[queue].consumers) })
	return n
}

// arguments returns the names and texts in what a queue was declared with.
func (f *fake) arguments(queue string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return string(f.declared[queue])
}

// route stores a message in the queues that are bound, and reports whether
// there is one.
func (f *fake) route(m fakeMessage) bool {
	var to []*fakeQueue
	if m.exchange == "" {
		if q := f.queues[m.key]; q != nil {
			to = append(to, q)
		}
	}
	for _, b := range f.bindings {
		if b.exchange == m.exchange && (b.key == "#" || b.key == m.key) && !slices.Contains(to, f.queues[b.queue]) {
			to = append(to, f.queues[b.queue])
		}
	}
	for _, q := range to {
		f.published++
		one := m
		one.queue, one.number = q, f.published
		q.msgs = append(q.msgs, &one)
		f.deliver(q)
	}
	return len(to) > 0
}

// deliver gives the first consumer of a queue what it may have.
func (f *fake) deliver(q *fakeQueue) {
	for len(q.msgs) > 0 && len(q.consumers) > 0 {
		c := q.consumers[0] // the single active one
		if c.credit > 0 && c.out >= c.credit {
			return
		}
		m := q.msgs[0]
		q.msgs = q.msgs[1:]
		c.out++
		c.channel.deliver(c, m)
	}
}

// giveBack puts messages where they were.
func (f *fake) giveBack(ms ...*fakeMessage) {
	touched := make(map[*fakeQueue]bool)
	for _, m := range ms {
		m.redelivered = true
		m.queue.msgs = append(m.queue.msgs, m)
		touched[m.queue] = true
	}
	for q := range touched {
		slices.SortFunc(q.msgs, func(a, b *fakeMessage) int { return a.number - b.number })
		f.deliver(q)
	}
}

func (f *fake) deleteQueue(name string) {
	if q := f.queues[name]; q != nil {
		for _, c := range q.consumers {
			c.channel.conn.method(c.channel.id, 60, 30, text(c.tag), []byte{1}) // basic.cancel
		}
	}
	delete(f.queues, name)
	f.bindings = slices.DeleteFunc(f.bindings, func(b fakeBinding) bool { return b.queue == name })
}

func (f *fake) deleteExchange(name string) {
	delete(f.exchanges, name)
	f.bindings = slices.DeleteFunc(f.bindings, func(b fakeBinding) bool { return b.exchange == name })
}

// gone takes back what a connection had.
func (f *fake) gone(c *fakeConn) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.conns, c)
	for _, ch := range c.channels {
		ch.end()
	}
	for name, q := range f.queues {
		if q.owner == c {
			f.deleteQueue(name)
		}
	}
}

// bodies returns what waits in the queues whose names begin so.
func (f *fake) bodies(prefix string) (out []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for name, q := range f.queues {
		if strings.HasPrefix(name, prefix) {
			for _, m := range q.msgs {
				out = append(out, string(m.body))
			}
		}
	}
	return out
}
