package rabbitmq

import (
	"context"
	"fmt"
	"maps"
	"slices"
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

// Members implements oms.GroupAdmin: a name for each slot that is taken.
//
// AMQP tells how many consumers a queue has, and not whose they are. Those that
// a queue has more than the group has members are foreign, by the name of the
// queue: at a group without members that is each of them, later a program that
// consumes beside a member, or in its place, may pass for it. Where there are
// no slots, members are as many as the busiest of the queues has consumers,
// whoever they are.
func (c *conn) Members(ctx context.Context, group string, topics []string) ([]oms.Member, error) {
	members, err := c.members(ctx, group, topics)
	return members, fail("list members", group, err)
}

func (c *conn) members(ctx context.Context, group string, topics []string) ([]oms.Member, error) {
	own, err := c.own(ctx, group, topics)
	if err != nil || c.opts.declare == declareNone || c.opts.isStream() {
		return named(group, own), err
	}
	counts, err := c.consumers(ctx, group, topics)
	if err != nil {
		return nil, err
	}
	// A member may have come since, or gone before: it counts in either case.
	before := own
	if own, err = c.own(ctx, group, topics); err != nil {
		return nil, err
	}
	both := slices.Concat(before, own)
	slices.Sort(both)
	return append(named(group, own), unexplained(counts, len(slices.Compact(both)))...), nil
}

// named returns the members that hold slots.
func named(group string, slots []int) (members []oms.Member) {
	for _, n := range slots {
		members = append(members, oms.Member{Name: member(group, n)})
	}
	return members
}

func member(group string, n int) string { return fmt.Sprintf("%s#%d", group, n) }

// unexplained returns a member for each consumer that a queue has more than
// there are members, sorted by name.
func unexplained(counts map[string]int, members int) (strangers []oms.Member) {
	for _, queue := range slices.Sorted(maps.Keys(counts)) {
		for i := range counts[queue] - members {
			name := "a consumer of queue " + queue
			if i > 0 {
				name = fmt.Sprintf("%s (%d)", name, i+1)
			}
			strangers = append(strangers, oms.Member{Name: name, Foreign: true})
		}
	}
	return strangers
}

// own returns the slots of a group that are taken, sorted. Without slots it is
// as many as the busiest queue has consumers.
func (c *conn) own(ctx context.Context, group string, topics []string) (taken []int, err error) {
	if err := checkGroup(group); err != nil {
		return nil, err
	}
	if c.opts.declare == declareNone {
		counts, err := c.consumers(ctx, group, topics)
		for _, n := range counts {
			for len(taken) < n {
				taken = append(taken, len(taken))
			}
		}
		return taken, err
	}
	for n, free := 0, 0; free < slotGap && n < mostSlots; n++ {
		_, found, err := c.queue(ctx, slotQueue(group, n))
		switch {
		case found, isCode(err, amqp.ResourceLocked):
			taken, free = append(taken, n), 0
		case err != nil:
			return nil, err
		default:
			free++
		}
	}
	return taken, nil
}

// consumers returns how many consumers each queue of a group has.
func (c *conn) consumers(ctx context.Context, group string, topics []string) (map[string]int, error) {
	counts := make(map[string]int)
	for _, topic := range topics {
		bs, err := c.remaining(ctx, group, topic)
		if err != nil {
			return nil, err
		}
		for _, b := range bs {
			q, _, err := c.queue(ctx, b.queue)
			if err != nil {
				return nil, err
			}
			counts[b.queue] = q.Consumers
		}
	}
	return counts, nil
}
