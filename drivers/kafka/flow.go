package kafka

import (
	"context"
	"errors"
	"time"

	"github.com/IBM/sarama"

	"github.com/omconnect/omconnect/oms"
)

// A flow fetches the messages of a claim from an offset on. Its goroutine ends
// when it is cancelled: a pause, a seek, the end of the claim.
type flow struct {
	claim  *claim
	from   int64
	cancel context.CancelFunc
	before *flow         // the client has one reader for a partition: this ends first
	ended  chan struct{} // closed
}

// start makes the messages of a claim flow. The caller holds mu.
func (c *claim) start() {
	if !c.live || !c.active || c.paused || c.gap != nil {
		return
	}
	ctx, cancel := context.WithCancel(c.receiver.ctx)
	f := &flow{claim: c, from: c.next, cancel: cancel, before: c.flow, ended: make(chan struct{})}
	c.flow = f
	c.receiver.flows.Add(1)
	go f.run(ctx)
}

func (f *flow) run(ctx context.Context) {
	defer f.claim.receiver.flows.Done()
	defer close(f.ended)
	if f.before != nil {
		<-f.before.ended
		f.before = nil
	}
	wait := retryFirst
	for ctx.Err() == nil {
		from := f.from
		err := f.fetch(ctx)
		if ctx.Err() != nil {
			return
		}
		if errors.Is(err, sarama.ErrOffsetOutOfRange) {
			if err = f.search(ctx); err == nil {
				return // the gap is told first, then another flow begins
			}
		}
		f.claim.receiver.complain(classify("receive", f.claim.id.String(), err))
		if f.from != from {
			wait = retryFirst
		}
		if pause(ctx, wait) != nil {
			return
		}
		wait = min(2*wait, retryMost)
	}
}

// fetch reads until something goes wrong.
func (f *flow) fetch(ctx context.Context) error {
	r, id := f.claim.receiver, f.claim.id
	pc, err := r.consumer.ConsumePartition(id.Topic, number(id), f.from)
	if err != nil {
		return err
	}
	defer func() {
		pc.AsyncClose()
		go func() {
			for range pc.Errors() { // they are not interesting any more
			}
		}()
		for range pc.Messages() { // nor are these: the next flow begins with them
		}
	}()
	for {
		select {
		case m, ok := <-pc.Messages():
			if !ok {
				return errors.Join(ended(pc), oms.ErrUnavailable)
			}
			if m.Offset < f.from {
				continue
			}
			if !f.offer(ctx, m) {
				return ctx.Err()
			}
			f.from = m.Offset + 1
		case e, ok := <-pc.Errors():
			if ok {
				return e.Err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// ended returns why a reader has closed itself.
func ended(pc sarama.PartitionConsumer) error {
	select {
	case e, ok := <-pc.Errors():
		if ok {
			return e.Err
		}
	case <-time.After(time.Second):
	}
	return errors.New("the client has stopped reading")
}

// offer waits until there is room for a message and puts it in the queue; it
// is false when the flow is to end.
func (f *flow) offer(ctx context.Context, m *sarama.ConsumerMessage) bool {
	r := f.claim.receiver
	size := sizeOfMessage(m)
	for {
		r.mu.Lock()
		if ctx.Err() != nil {
			r.mu.Unlock()
			return false
		}
		if r.hasRoom(size) {
			r.unacked++
			r.unackedBytes += size
			f.claim.queue = append(f.claim.queue, m)
			r.mu.Unlock()
			signal(r.data)
			return true
		}
		room := r.room
		r.mu.Unlock()
		select {
		case <-room:
		case <-ctx.Done():
			return false
		}
	}
}

// search finds out where a partition begins and ends whose position is not in
// it, and has the gap told.
func (f *flow) search(ctx context.Context) error {
	r, id := f.claim.receiver, f.claim.id
	first, err := r.conn.offsetsOf(ctx, []oms.Partition{id}, sarama.OffsetOldest)
	if err != nil {
		return err
	}
	end, err := r.conn.offsetsOf(ctx, []oms.Partition{id}, sarama.OffsetNewest)
	if err != nil {
		return err
	}
	to := end[id]
	switch policy := r.conn.options.outOfRange; {
	case policy == rangeFail && r.cfg.OnGap == nil:
		return fail("receive", id.String(), oms.ErrNotFound, outOfRangeError{f.from, first[id], end[id]})
	case policy == rangeEarliest, policy == rangeFail && f.from < first[id]:
		to = first[id]
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if ctx.Err() == nil {
		f.claim.gap = &oms.Gap{Partition: id, From: f.from, To: to}
		signal(r.work)
	}
	return nil
}
