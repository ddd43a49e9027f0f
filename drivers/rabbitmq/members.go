package rabbitmq

import (
	"context"
	"fmt"
	"sync"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/omconnect/omconnect/oms"
)

// AMQP does not tell who consumes. So each member of a group holds a slot: an
// exclusive queue with a number, which nobody else can declare and which is
// gone when its connection is.
// Where declaring is left to others there are no slots.
const (
	noSlot    = -1
	mostSlots = 9999
	slotGap   = 8 // free slots in a row behind which none is looked for
)

// slots are those that receivers of this connection hold. The broker tells
// only connections apart.
type slots struct {
	mu   sync.Mutex
	held map[string]map[int]bool
}

func (s *slots) take(group string, n int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held[group][n] {
		return false
	}
	if s.held == nil {
		s.held = make(map[string]map[int]bool)
	}
	if s.held[group] == nil {
		s.held[group] = make(map[int]bool)
	}
	s.held[group][n] = true
	return true
}

func (s *slots) free(group string, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.held[group], n)
	if len(s.held[group]) == 0 {
		delete(s.held, group)
	}
}

// enter takes the first free slot of a group.
func (c *conn) enter(ctx context.Context, s *session, group string) (int, error) {
	if c.opts.declare == declareNone {
		return noSlot, nil
	}
	for n := range mostSlots {
		if !c.slots.take(group, n) {
			continue
		}
		err := c.hold(ctx, s, slotQueue(group, n), func() { c.slots.free(group, n) })
		if err == nil {
			return n, nil
		}
		if !isCode(err, amqp.ResourceLocked) {
			return 0, err
		}
	}
	return 0, &oms.Error{Code: oms.ErrBusy, Err: fmt.Errorf("the group has %d members", mostSlots)}
}

// leave gives a slot back.
func (c *conn) leave(s *session, group string, n int) {
	if n != noSlot {
		s.release(slotQueue(group, n))
		c.slots.free(group, n)
	}
}

// Members implements oms.GroupAdmin: the numbers of the slots that are taken.
// Programs that consume a group's queues by other means are not listed.
//
// Where there are no slots, it is as many as the busiest of the queues has
// consumers, whoever they are.
func (c *conn) Members(ctx context.Context, group string, topics []string) ([]string, error) {
	names, err := c.members(ctx, group, topics)
	return names, fail("list members", group, err)
}

func (c *conn) members(ctx context.Context, group string, topics []string) (names []string, err error) {
	if err := checkGroup(group); err != nil {
		return nil, err
	}
	if c.opts.declare == declareNone {
		n, err := c.consumers(ctx, group, topics)
		for i := range n {
			names = append(names, member(group, i))
		}
		return names, err
	}
	for n, free := 0, 0; free < slotGap && n < mostSlots; n++ {
		_, found, err := c.queue(ctx, slotQueue(group, n))
		switch {
		case found, isCode(err, amqp.ResourceLocked):
			names, free = append(names, member(group, n)), 0
		case err != nil:
			return nil, err
		default:
			free++
		}
	}
	return names, nil
}

func member(group string, n int) string { return fmt.Sprintf("%s#%d", group, n) }

// consumers returns how many consumers the busiest queue of a group has.
func (c *conn) consumers(ctx context.Context, group string, topics []string) (most int, err error) {
	for _, topic := range topics {
		bs, err := c.remaining(ctx, group, topic)
		if err != nil {
			return 0, err
		}
		for _, b := range bs {
			q, _, err := c.queue(ctx, b.queue)
			if err != nil {
				return 0, err
			}
			most = max(most, q.Consumers)
		}
	}
	return most, nil
}
