// Package turns spreads messages over the partitions of a topic: those with a
// key as Kafka's clients do, the others call by call.
package turns

import (
	"sync"

	"github.com/omconnect/omconnect/internal/murmur2"
	"github.com/omconnect/omconnect/oms"
)

// Turns are those of one sender. The zero value is ready, and may be used
// concurrently.
type Turns struct {
	mu   sync.Mutex
	next map[string]int // by topic
}

// A Call is one call of a sender. Its messages without a key stay together, and
// the next call's go to the next partition. It belongs to one goroutine.
type Call struct {
	turns *Turns
	taken map[string]int // by topic
}

// Call begins a call.
func (t *Turns) Call() *Call { return &Call{turns: t} }

// Partition returns which of the n partitions of its topic a message goes to,
// wherever it asks to go itself.
func (c *Call) Partition(m *oms.Message, n int) int {
	switch {
	case n == 1:
		return 0
	case m.Key != nil:
		return murmur2.Partition(m.Key, n)
	}
	turn, ok := c.taken[m.Topic]
	if !ok {
		turn = c.turns.take(m.Topic)
		if c.taken == nil {
			c.taken = make(map[string]int)
		}
		c.taken[m.Topic] = turn
	}
	return turn % n
}

func (t *Turns) take(topic string) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.next == nil {
		t.next = make(map[string]int)
	}
	turn := t.next[topic]
	t.next[topic] = turn + 1
	return turn
}
