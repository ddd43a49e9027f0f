package mem

import (
	"errors"
	"sync"
	"time"

	"github.com/omconnect/omconnect/internal/murmur2"
	"github.com/omconnect/omconnect/oms"
)

// A broker is the state that all connections share. Its mutex guards
// everything in it down to partitions, groups and cursors, is held for moments
// only, and never while somebody else's code runs.
type broker struct {
	opts Options

	mu         sync.Mutex
	down       error
	session    chan struct{} // closed when all connections are lost, then replaced
	topics     map[string][]*partition
	groups     map[string]*group
	owners     map[string]int // of transactions, by id: how many there were
	halves     map[string]*halfGroup
	generation int64 // the last one that was given out
	joined     int   // how many members there ever were
}

func newBroker(o Options) *broker {
	return &broker{
		opts:    o,
		session: make(chan struct{}),
		topics:  make(map[string][]*partition),
		groups:  make(map[string]*group),
		owners:  make(map[string]int),
		halves:  make(map[string]*halfGroup),
	}
}

// state returns the present session, and why it is of no use, if so.
func (b *broker) state() (session <-chan struct{}, down error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.session, b.down
}

// createTopic makes a topic, and gives it to the groups that wait for it from
// its first message. The caller holds mu.
func (b *broker) createTopic(name string, partitions int) {
	if partitions == 0 {
		partitions = b.opts.Partitions
	}
	for range partitions {
		b.topics[name] = append(b.topics[name], new(partition))
	}
	for _, g := range b.groups {
		if g.topics[name] {
			g.addCursors(name, b.topics[name], oms.Start{From: oms.StartEarliest})
			g.rebalance()
		}
	}
}

// deleteTopic takes a topic from everybody who reads it. The caller holds mu.
func (b *broker) deleteTopic(name string) {
	delete(b.topics, name)
	for _, g := range b.groups {
		for _, c := range g.sorted() {
			if c.id.Topic == name {
				c.lose()
				delete(g.cursors, c.id)
			}
		}
		g.rebalance()
	}
}

// group returns a group that reads the topics; for one that is new to it start
// says where it begins. The caller holds mu.
func (b *broker) group(name string, topics []string, start oms.Start) *group {
	g := b.groups[name]
	if g == nil {
		g = &group{topics: make(map[string]bool), cursors: make(map[oms.Partition]*cursor)}
		b.groups[name] = g
	}
	now := time.Now()
	for _, t := range topics {
		if g.topics[t] {
			continue
		}
		g.topics[t] = true
		for _, p := range b.topics[t] {
			p.advance(now)
		}
		g.addCursors(t, b.topics[t], start)
	}
	return g
}

// everyPartition stands for the partitions of a topic that has not yet any.
const everyPartition = -1

// place chooses the partition of a message; turn counts those without a key.
func (b *broker) place(m *oms.Message, turn map[string]int) (oms.Partition, error) {
	b.mu.Lock()
	n := len(b.topics[m.Topic])
	b.mu.Unlock()
	p := oms.Partition{Topic: m.Topic, Number: everyPartition}
	if err := checkTopic("send", m.Topic); err != nil {
		return p, err
	}
	if n == 0 {
		return p, failure("send", m.Topic, oms.ErrNotFound, errors.New("the topic does not exist"))
	}
	switch {
	case m.ToPartition != nil:
		p.Number = *m.ToPartition
		if p.Number < 0 || p.Number >= n {
			return p, invalid("send", m.Topic, "there is no partition %d, only 0 to %d", p.Number, n-1)
		}
	case m.Key != nil:
		p.Number = murmur2.Partition(m.Key, n)
	default:
		p.Number = turn[m.Topic] % n
		turn[m.Topic]++
	}
	return p, nil
}

// nextGeneration returns a number that no delivery has had. The caller holds
// mu.
func (b *broker) nextGeneration() int64 {
	b.generation++
	return b.generation
}

// store appends a message, unless the session in which it was sent is over.
func (b *broker) store(session <-chan struct{}, id oms.Partition, m *oms.Message) error {
	now := time.Now()
	r := newRecord(m, id.Number, now)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.session != session {
		return failure("send", m.Topic, oms.ErrUnavailable, errors.New("the connection was lost"))
	}
	if !b.has(id) {
		return failure("send", m.Topic, oms.ErrNotFound, errors.New("the topic does not exist"))
	}
	b.add(id, r, now)
	return nil
}

// has reports whether there is such a partition. The caller holds mu.
func (b *broker) has(id oms.Partition) bool { return id.Number < len(b.topics[id.Topic]) }

// add appends a record to a partition that is there, and tells who reads it.
// The caller holds mu.
func (b *broker) add(id oms.Partition, r *record, now time.Time) {
	b.topics[id.Topic][id.Number].add(r, now)
	for _, g := range b.groups {
		if c := g.cursors[id]; c != nil && c.owner != nil {
			signal(c.owner.data)
		}
	}
}

// loseSessions ends every connection at once: what is sent and not confirmed
// has an unknown outcome, and every partition is taken from its reader. The
// caller holds mu.
func (b *broker) loseSessions() {
	close(b.session)
	b.session = make(chan struct{})
	for _, g := range b.groups {
		for _, c := range g.sorted() {
			c.lose()
		}
	}
}

// wakeMembers makes every receiver look again, and every sender of half
// messages. The caller holds mu.
func (b *broker) wakeMembers() {
	for _, g := range b.groups {
		for _, r := range g.members {
			signal(r.work)
			signal(r.data)
		}
	}
	for _, g := range b.halves {
		g.wake()
	}
}

// signal wakes the one goroutine that waits on a channel of capacity 1, now or
// when it next waits.
func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
