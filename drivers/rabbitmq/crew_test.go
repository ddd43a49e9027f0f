package rabbitmq_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/omconnect/omconnect/oms"
)

// A crew is members of a group that receive and acknowledge, each on a
// goroutine of its own.
type crew struct {
	t       *testing.T
	running sync.WaitGroup

	mu       sync.Mutex
	got      map[int]int    // messages by member
	last     map[string]int // by key, of what has come
	total    int            // distinct messages
	disorder []string
}

func newCrew(t *testing.T) *crew {
	t.Helper()
	c := &crew{t: t, got: make(map[int]int), last: make(map[string]int)}
	t.Cleanup(c.running.Wait) // the test's context has ended then
	return c
}

// hire has a member work until its receiver is closed.
func (c *crew) hire(n, keys int, r oms.Receiver) {
	ctx := c.t.Context()
	c.running.Go(func() {
		for {
			msgs, err := r.Receive(ctx, 10)
			if errors.Is(err, oms.ErrClosed) || ctx.Err() != nil {
				return
			}
			if err != nil {
				c.t.Errorf("member %d: %v", n, err)
				return
			}
			c.note(n, keys, msgs)
			err = r.Ack(ctx, msgs)
			if err != nil && !errors.Is(err, oms.ErrStaleDelivery) && !errors.Is(err, oms.ErrClosed) {
				c.t.Errorf("member %d: %v", n, err)
				return
			}
		}
	})
}

// note has each key's messages come in order, repeats apart.
func (c *crew) note(n, keys int, msgs []*oms.Message) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range msgs {
		var number int
		if _, err := fmt.Sscan(string(m.Body), &number); err != nil {
			c.disorder = append(c.disorder, err.Error())
		}
		c.got[n]++
		last, ok := c.last[string(m.Key)]
		switch {
		case ok && number <= last:
		case ok && number == last+keys, !ok && number < keys:
			c.last[string(m.Key)] = number
			c.total++
		default:
			c.disorder = append(c.disorder, fmt.Sprintf("member %d got %d behind %d", n, number, last))
		}
	}
}

// busy reports whether members have received something, from the first to
// before the last. One that has left may still be noting what it had.
func (c *crew) busy(first, last int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for n := first; n < last; n++ {
		if c.got[n] == 0 {
			return false
		}
	}
	return true
}

func (c *crew) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.got)
}

func (c *crew) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.total
}
