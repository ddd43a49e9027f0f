package rabbitmq

import (
	"context"
	"errors"
	"hash/fnv"
	"slices"
	"strconv"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/omconnect/omconnect/oms"
)

const (
	rosterAgain = 2 * time.Second // between two looks at who is there
	rosterWait  = 3 * time.Second // for the first one; everything is consumed behind it
	rosterTrust = 30 * time.Second
)

// A roster knows, topic by topic, which slots of a group are taken, and so
// which queues of the group are a member's share.
//
// AMQP lists no members. So each binds its slot's queue to the exchange
// oms.members, under a key for each of its topics, and asks by messages without
// content under the keys of all slots: one that comes back as unroutable has
// nobody. Queues of slots keep none. Members may see each other come and go at
// different times: a queue may then have no consumer for a moment, or two of
// which the broker lets one be active.
//
// The goroutine, run, asks by the connection to publish. While the broker has
// no room nobody is answered. After rosterTrust each member then consumes all
// queues, behind those who are active: who ends meanwhile has a successor.
type roster struct {
	conn    *conn
	session *session // that has the slot
	group   string
	slot    int
	ctx     context.Context //nolint:containedctx // it is the goroutine's, and ends with the membership
	stop    context.CancelFunc
	ask     chan struct{} // wakes run
	work    chan struct{} // wakes the receiver

	mu   sync.Mutex
	seen map[string]*roll
}

// A roll is what is known of one topic.
type roll struct {
	since time.Time // when the member said that it receives the topic
	asked time.Time // when the slots were as they are here
	slots []int     // sorted; nil: not known yet
}

// newRoster returns nil where members have no slots, or no queues to share.
// It ends with ctx, and wakes work.
func newRoster(ctx context.Context, c *conn, work chan struct{}, s *session, group string, slot int) *roster {
	if slot == noSlot || c.opts.ordering != orderingKey {
		return nil
	}
	ro := &roster{
		conn: c, session: s, group: group, slot: slot,
		ask: make(chan struct{}, 1), work: work, seen: make(map[string]*roll),
	}
	ro.ctx, ro.stop = context.WithCancel(ctx)
	c.running.Go(ro.run)
	return ro
}

// announce says that the member receives a topic. Doing it again changes
// nothing.
func (ro *roster) announce(topic string) error {
	if ro == nil {
		return nil
	}
	err := ro.session.do(ro.ctx, &ro.conn.running, func(ch *amqp.Channel) error {
		if err := ch.ExchangeDeclare(membersExchange, amqp.ExchangeDirect, true, false, false, false, nil); err != nil {
			return err
		}
		return ch.QueueBind(slotQueue(ro.group, ro.slot), memberKey(ro.group, topic, ro.slot), membersExchange, false, nil)
	})
	if err != nil {
		return err
	}
	ro.mu.Lock()
	defer ro.mu.Unlock()
	if ro.seen[topic] == nil {
		ro.seen[topic] = &roll{since: time.Now()}
		signal(ro.ask)
	}
	return nil
}

// isKnown reports whether it is known who shares a topic, or has been waited
// for long enough.
func (ro *roster) isKnown(topic string) bool {
	if ro == nil {
		return true
	}
	ro.mu.Lock()
	defer ro.mu.Unlock()
	l := ro.seen[topic]
	return l != nil && (l.slots != nil || time.Since(l.since) >= rosterWait)
}

// owns reports whether a queue is in the member's share: the members of a topic
// take its partitions in turn. All are while it is not known, or not any more,
// who else is there.
func (ro *roster) owns(p oms.Partition) bool {
	if ro == nil {
		return true
	}
	ro.mu.Lock()
	defer ro.mu.Unlock()
	l := ro.seen[p.Topic]
	return l == nil || l.slots == nil || time.Since(l.asked) >= rosterTrust || ownerOf(p, l.slots) == ro.slot
}

// ownerOf returns the slot that a partition belongs to. Where the turn begins
// depends on the topic, so that many with one partition each are spread, too.
func ownerOf(p oms.Partition, slots []int) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(p.Topic))                  // never fails
	n := uint32(len(slots))                          //nolint:gosec // at most mostSlots
	return slots[(h.Sum32()%n+uint32(p.Number)%n)%n] //nolint:gosec // at most mostPartitions
}

// run asks again and again, until the membership ends.
func (ro *roster) run() {
	again := time.NewTicker(rosterAgain)
	defer again.Stop()
	for ro.ctx.Err() == nil {
		if s, err := ro.conn.out.session(ro.ctx); err == nil {
			ro.watch(s, again.C)
		}
		select { // an attempt that failed leaves the shares as they are
		case <-again.C:
		case <-ro.ctx.Done():
		}
	}
}

// watch asks on one channel, until that or the membership ends. It has no guard:
// a broker without room answers when it has room again, and until then the
// connection is not to be closed, others are sending by it.
func (ro *roster) watch(s *session, again <-chan time.Time) {
	ch, err := s.conn.Channel()
	if err != nil {
		return
	}
	defer ch.Close() //nolint:errcheck // closed whatever it returns
	if err := ch.Confirm(false); err != nil {
		return
	}
	returned := ch.NotifyReturn(make(chan amqp.Return, slotGap)) // all that one question brings: the library waits for room
	for {
		for _, topic := range ro.topics() {
			slots, err := ro.call(ch, returned, topic)
			if err != nil {
				return
			}
			ro.note(topic, slots)
		}
		select {
		case <-ro.ask:
		case <-again:
		case <-ro.ctx.Done():
			return
		}
	}
}

func (ro *roster) topics() []string {
	ro.mu.Lock()
	defer ro.mu.Unlock()
	topics := make([]string, 0, len(ro.seen))
	for topic := range ro.seen {
		topics = append(topics, topic)
	}
	return topics
}

// call returns the slots whose members receive a topic. It looks as far as the
// member's own, and on until so many in a row are free.
func (ro *roster) call(ch *amqp.Channel, returned <-chan amqp.Return, topic string) (slots []int, err error) {
	// Nobody has this one. An alternate exchange would take it, as all others.
	there, err := ro.answered(ch, returned, topic, []int{noSlot})
	if err == nil && len(there) > 0 {
		err = errors.New("exchange " + membersExchange + " routes what is for nobody")
	}
	if err != nil {
		return nil, err
	}
	for first := 0; first < mostSlots; first += slotGap {
		asked := make([]int, slotGap)
		for i := range asked {
			asked[i] = first + i
		}
		if there, err = ro.answered(ch, returned, topic, asked); err != nil {
			return nil, err
		}
		slots = append(slots, there...)
		if len(there) == 0 && first > ro.slot {
			break
		}
	}
	return slots, nil
}

// answered returns those of a few slots whose members receive a topic.
func (ro *roster) answered(ch *amqp.Channel, returned <-chan amqp.Return, topic string, asked []int) (there []int, err error) {
	sent := make([]*amqp.DeferredConfirmation, len(asked))
	for i, n := range asked {
		sent[i], err = ch.PublishWithDeferredConfirm(membersExchange, memberKey(ro.group, topic, n), true, false, amqp.Publishing{})
		if err != nil {
			return nil, err
		}
	}
	for _, s := range sent {
		ok, err := s.WaitContext(ro.ctx)
		if err != nil {
			return nil, err
		}
		if !ok {
			return nil, errors.New("the broker does not say who is there")
		}
	}
	free := make(map[string]bool)
	for range len(returned) { // they come before their confirmations
		m := <-returned
		free[m.RoutingKey] = true
	}
	for _, n := range asked {
		if !free[memberKey(ro.group, topic, n)] {
			there = append(there, n)
		}
	}
	return there, nil
}

// note takes what was found, unless the member itself is missing in it: then
// its binding was lost, and is made again.
func (ro *roster) note(topic string, slots []int) {
	if !slices.Contains(slots, ro.slot) {
		return
	}
	ro.mu.Lock()
	defer ro.mu.Unlock()
	l := ro.seen[topic]
	if !slices.Equal(l.slots, slots) || time.Since(l.asked) >= rosterTrust {
		signal(ro.work)
	}
	l.slots, l.asked = slots, time.Now()
}

// end is for a membership that ends.
func (ro *roster) end() {
	if ro != nil {
		ro.stop()
	}
}

// memberKey is what the queue of a slot is bound by to the exchange of members.
func memberKey(group, topic string, slot int) string {
	return group + ":" + topic + ":" + strconv.Itoa(slot)
}
