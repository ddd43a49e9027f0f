package kafka

import (
	"context"
	"errors"
	"time"

	"github.com/IBM/sarama"

	"github.com/omconnect/omconnect/internal/sleep"
	"github.com/omconnect/omconnect/oms"
)

// A flow fetches the messages of a claim from an offset on. Its goroutine ends
// when it is cancelled: a pause, a seek, the end of the claim.
type flow struct {
	claim    *claim
	from     int64
	gathered []fetched // what is offered at once
	cancel   context.CancelFunc
	before   *flow         // the client has one reader for a partition: this ends first
	ended    chan struct{} // closed
}

// What is offered at once is at most so many messages and bytes, or one larger
// message. It is beside what the window counts.
const (
	runMessages = 256
	runBytes    = 256 << 10
)

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
		if sleep.For(ctx, wait) != nil {
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
			f.gather(m, pc.Messages())
			taken := f.offer(ctx, f.gathered)
			clear(f.gathered) // it keeps nothing
			if !taken {
				return ctx.Err()
			}
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

// gather makes a run of a message and of those that the client library has for
// the flow besides: the lock is taken, and who receives is woken, once for all.
func (f *flow) gather(first *sarama.ConsumerMessage, more <-chan *sarama.ConsumerMessage) {
	f.gathered = f.gathered[:0]
	bytes := f.keep(first)
	most := min(runMessages, f.claim.receiver.cfg.MaxUnacked)
	for len(more) > 0 && len(f.gathered) < most && bytes < runBytes {
		bytes += f.keep(<-more)
	}
}

// keep adds a message to the run, unless it is from before where the flow
// begins, and returns its size.
func (f *flow) keep(m *sarama.ConsumerMessage) int {
	if m.Offset < f.from {
		return 0
	}
	f.from = m.Offset + 1
	size := sizeOfMessage(m)
	f.gathered = append(f.gathered, fetched{m, size})
	return size
}

// offer waits until there is room for messages and puts them in the queue; it
// is false when the flow is to end.
func (f *flow) offer(ctx context.Context, run []fetched) bool {
	r := f.claim.receiver
	for {
		r.mu.Lock()
		if ctx.Err() != nil {
			r.mu.Unlock()
			return false
		}
		n := 0
		for n < len(run) && r.hasRoom(run[n].size) {
			r.unacked++
			r.unackedBytes += run[n].size
			n++
		}
		f.claim.queue = append(f.claim.queue, run[:n]...)
		run = run[n:]
		if len(run) > 0 && r.room == nil {
			r.room = make(chan struct{})
		}
		room := r.room
		r.mu.Unlock()
		if n > 0 {
			signal(r.data)
		}
		if len(run) == 0 {
			return true
		}
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
