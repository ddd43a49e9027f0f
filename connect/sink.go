package connect

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/omconnect/omconnect/oms"
)

// A sinkRun moves messages from the broker into one sink task:
//
//	Receive → transforms → Put (→ Flush) → Ack
//
// The right to touch messages in hand is a token: the goroutine that handles
// messages holds it, and so does the driver's while partitions go to somebody
// else.
type sinkRun struct {
	t          *task
	lease      *keeper
	inst       *instance
	sink       Sink
	flusher    Flusher // nil if the sink has no Flush
	tombstones bool    // the sink takes them
	consumer   consumer
	client     *oms.Client
	gaps       *gaps
	limiter    *limiter
	chain      *chainRun // nil: messages pass as they are
	token      chan struct{}
	accepted   []*oms.Message // put and not flushed; whoever holds the token owns it
	flushed    time.Time
	over       bool // the consumer is closed, and no hook may be called; as accepted
}

// A consumer is what a sink needs of a pull or push consumer.
type consumer interface {
	Ack(ctx context.Context, msgs ...*oms.Message) error
	Close(ctx context.Context) error
	Owned(msgs []*oms.Message) []*oms.Message
}

const (
	receiveWait = time.Second
	flushEvery  = time.Second
	topicWait   = time.Second // before looking again for a topic that is not there
)

func (t *task) runSink(soft, hard context.Context, j *job, client *oms.Client) (err error) {
	s := &sinkRun{
		t: t, lease: j.sess.lease, inst: j.sess.inst, sink: j.sess.inst.conn.(Sink), // newInstance has checked it
		client: client, gaps: newGaps(t.set.outOfRange), limiter: t.limiter, token: make(chan struct{}, 1), flushed: time.Now(),
	}
	if s.chain, err = t.newChainRun(); err != nil {
		return err
	}
	defer s.chain.close()
	s.flusher, _ = s.sink.(Flusher)
	if h, ok := s.sink.(TombstoneHandler); ok {
		err := s.inst.call(soft, "HandlesTombstones", hookBound, func(context.Context) error {
			s.tombstones = h.HandlesTombstones()
			return nil
		})
		if err != nil {
			return &Outcome{Stage: StageStart, Err: err}
		}
	}
	close(j.started)
	cfg := oms.ReceiverConfig{
		Group: t.set.group, Start: t.set.start,
		MaxUnacked: t.set.inflightRecords, MaxUnackedBytes: t.set.inflightBytes, OnRevoked: s.revoked, OnGap: s.gaps.found,
	}
	return s.feed(soft, hard, client, cfg)
}

// deliver puts those of the messages that are still this consumer's, returns
// them, and acknowledges those that are safe.
func (s *sinkRun) deliver(soft, hard context.Context, msgs []*oms.Message) ([]*oms.Message, error) {
	s.limiter.wait(soft, msgs)
	if err := s.lock(hard); err != nil {
		return nil, err
	}
	defer s.unlock()
	if err := s.lease.check(); err != nil {
		return nil, err
	}
	if err := s.gaps.settle(hard, s.client, s.t.logger); err != nil {
		return nil, err
	}
	owned := s.consumer.Owned(msgs)
	over, rest := s.gaps.passed(owned)
	if err := s.accept(hard, over); err != nil {
		return nil, err
	}
	if len(rest) > 0 {
		if err := s.put(hard, rest); err != nil {
			return nil, err
		}
	}
	// A push consumer acknowledges what its handler returns from.
	return owned, s.flushLocked(hard, len(owned) == 0 || s.t.set.push)
}

// put calls the sink with what the messages become. Invariant 2: nothing is
// acknowledged before the sink has said that it is safe. What the transforms
// drop counts as safe once everything before it is.
func (s *sinkRun) put(ctx context.Context, msgs []*oms.Message) error {
	out, failed := s.chain.apply(ctx, msgs)
	b := sinkBatch{msgs: msgs[:len(out)], out: out}
	if s.chain != nil {
		b.out, b.at = kept(out)
	}
	good := b.out
	if i := s.firstTombstone(b.out); i >= 0 {
		good = b.out[:i]
		failed = &Outcome{Stage: StagePut, Messages: msgs[b.origin(i) : b.origin(i)+1], Err: &oms.Error{
			Op: "put", Code: oms.ErrUnsupported, Err: errors.New("the message is a tombstone (it has no body), and this sink does not delete"),
		}}
	}
	var err error
	if len(good) > 0 {
		list := slices.Clone(good) // the sink's own: what is acknowledged is what was received
		err = s.inst.call(ctx, "Put", putBound, func(ctx context.Context) error { return s.sink.Put(ctx, list) })
	}
	safe, err := b.outcome(len(good), err)
	if aerr := s.accept(ctx, safe); aerr != nil && err == nil {
		err = aerr
	}
	if err != nil {
		return err
	}
	return failed
}

// A sinkBatch is messages as they were received, and what they have become.
type sinkBatch struct {
	msgs, out []*oms.Message
	at        []int // of each of out, its index in msgs; nil when none was dropped
}

// origin returns the index of the message that out[i] was; behind the last
// one, the number of messages.
func (b sinkBatch) origin(i int) int {
	switch {
	case i >= len(b.out):
		return len(b.msgs)
	case b.at == nil:
		return i
	}
	return b.at[i]
}

// outcome returns the messages that are safe after a Put of the first n, and
// what failed.
func (b sinkBatch) outcome(n int, err error) ([]*oms.Message, error) {
	if err == nil {
		return b.msgs[:b.origin(n)], nil
	}
	index := 0
	if partial, ok := errors.AsType[*PartialError](err); ok {
		err = partial.valid(n)
		if err == nil {
			index, err = partial.Index, partial.Err
		}
	}
	from := b.origin(index)
	return b.msgs[:from], &Outcome{Stage: StagePut, Messages: b.msgs[from:b.origin(n)], Err: err}
}

func (s *sinkRun) firstTombstone(msgs []*oms.Message) int {
	if s.tombstones {
		return -1
	}
	for i, m := range msgs {
		if m.Body == nil {
			return i
		}
	}
	return -1
}

// accept acknowledges messages, or keeps them until they are flushed.
func (s *sinkRun) accept(ctx context.Context, msgs []*oms.Message) error {
	if len(msgs) == 0 {
		return nil
	}
	if s.flusher != nil {
		s.accepted = append(s.accepted, msgs...)
		return nil
	}
	return s.ack(ctx, msgs)
}

// ack acknowledges safe messages. Those whose partition went to somebody else
// meanwhile come again, there.
func (s *sinkRun) ack(ctx context.Context, msgs []*oms.Message) error {
	s.t.records.Add(int64(len(msgs)))
	if err := s.consumer.Ack(ctx, msgs...); err != nil && oms.CodeOf(err) != oms.ErrStaleDelivery {
		return &Outcome{Stage: StageAck, Err: err}
	}
	return nil
}

// flush makes accepted messages safe and acknowledges them.
func (s *sinkRun) flush(ctx context.Context, now bool) error {
	if s.flusher == nil {
		return nil
	}
	if err := s.lock(ctx); err != nil {
		return err
	}
	defer s.unlock()
	return s.flushLocked(ctx, now)
}

func (s *sinkRun) flushLocked(ctx context.Context, now bool) error {
	if s.over {
		return nil // what was not flushed comes again
	}
	due := now || time.Since(s.flushed) >= flushEvery || len(s.accepted) >= max(1, s.t.set.inflightRecords/2)
	if s.flusher == nil || len(s.accepted) == 0 || !due {
		return nil
	}
	if err := s.inst.call(ctx, "Flush", putBound, s.flusher.Flush); err != nil {
		return &Outcome{Stage: StagePut, Messages: s.accepted, Err: fmt.Errorf("flush: %w", err)}
	}
	s.flushed = time.Now()
	safe := s.accepted
	s.accepted = nil
	return s.ack(ctx, safe)
}

// revoked is called by the driver before partitions go to another member: what
// is in hand of them is finished first, if there is time.
func (s *sinkRun) revoked(ctx context.Context, _ []oms.Partition) {
	if err := s.flush(ctx, true); err != nil {
		s.t.logger.Warn("messages of a partition that goes to another member were not flushed; they come again", "error", err)
		return
	}
	if s.flusher == nil && s.lock(ctx) == nil {
		s.unlock()
	}
}

func (s *sinkRun) lock(ctx context.Context) error {
	select {
	case s.token <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *sinkRun) unlock() { <-s.token }

// begin and end enclose the life of a consumer. After end no hook is called on
// its behalf: a driver that had to close in haste may tell of revoked
// partitions later. Whoever holds the token is waited for; hooks are bounded.
func (s *sinkRun) begin() { s.setOver(false) }

func (s *sinkRun) end() { s.setOver(true) }

func (s *sinkRun) setOver(over bool) {
	s.token <- struct{}{}
	defer s.unlock()
	s.over, s.accepted = over, nil // what an earlier consumer had comes again
}
