package connect

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/omconnect/omconnect/oms"
)

// A sourceRun moves the records of one source task into the broker:
//
//	Poll → transforms → SendAsync → confirmed → tracker → committer → Committed
//
// The goroutine of the job polls and sends. The driver's goroutines tell the
// tracker of confirmations. The committer has a goroutine of its own.
type sourceRun struct {
	t         *task
	inst      *instance
	source    Source
	client    *oms.Client
	producer  *oms.Producer
	tracker   *tracker
	committer *committer
	limiter   *limiter
	ids       *idMaker
	chain     *chainRun       // nil: records pass as they are
	topics    map[string]bool // those that are known to exist
	fail      func(error)     // ends reading and sending
}

// batchRecords is how many records are handed to the producer at once: what is
// confirmed together.
const batchRecords = 500

func (t *task) runSource(soft, hard context.Context, j *job, client *oms.Client) (err error) {
	if err := ensureReaders(soft, t.rt.opts.Store, t.rt.opts.Plugins, t.rt.opts.Brokers, t.set.broker); err != nil {
		return &Outcome{Stage: StageStart, Err: err}
	}
	chain, err := t.newChainRun()
	if err != nil {
		return err
	}
	defer chain.close()
	producer, err := client.NewProducer(soft, oms.SenderConfig{MaxInFlight: t.set.inflightRecords, MaxInFlightBytes: t.set.inflightBytes})
	if err != nil {
		return &Outcome{Stage: StageStart, Err: err}
	}
	producer.OnTrouble(func(trouble oms.Trouble) { trouble.Log(t.logger) })
	j.sends.Store(producer)
	// What was read is sent even when a stop comes, but not past a failure.
	reading, stopReading := context.WithCancelCause(soft)
	sending, stopSending := context.WithCancelCause(hard)
	// The first failure is noted apart from both: they may have been told to
	// end before, and then keep that as their cause.
	failed, note := context.WithCancelCause(context.WithoutCancel(hard))
	fail := func(err error) {
		note(err)
		stopSending(context.Cause(failed))
		stopReading(context.Cause(failed))
	}
	defer fail(nil)
	r := &sourceRun{
		t: t, inst: j.sess.inst, source: j.sess.inst.conn.(Source), client: client, producer: producer, // newInstance has checked it
		tracker: newTracker(client.Capabilities().DurableAfter),
		limiter: t.limiter, ids: j.sess.ids, chain: chain, topics: make(map[string]bool), fail: fail,
	}
	r.committer = newCommitter(t.rt.opts.Store, j.sess.lease, r.tracker, t.set.flushInterval, t.logger)
	committing, stopCommitting := context.WithCancel(hard)
	defer stopCommitting()
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := r.committer.run(committing); err != nil {
			fail(err)
		}
	})
	close(j.started)
	t.quiet.Store(false)
	defer t.quiet.Store(false)

	err = r.read(reading, sending)
	if isEOF(err) {
		r.settle(reading)
	}
	return r.drain(hard, failed, err, func() { stopCommitting(); wg.Wait() })
}

// read polls until it is told to stop, the source ends, or something fails.
func (r *sourceRun) read(reading, sending context.Context) error {
	idle := newIdler()
	for reading.Err() == nil {
		if err := r.tellCommitted(sending); err != nil {
			return err
		}
		if !r.room(reading) {
			break
		}
		var msgs []*oms.Message
		err := r.inst.call(reading, "Poll", pollBound, func(ctx context.Context) (err error) {
			msgs, err = r.source.Poll(ctx)
			return err
		})
		if errors.Is(err, errStuck) {
			return &Outcome{Stage: StagePoll, Err: err} // msgs may still be written to
		}
		if len(msgs) > 0 {
			if err := r.send(reading, sending, msgs); err != nil {
				return err
			}
		}
		switch {
		case err == nil:
		case isEOF(err):
			return io.EOF
		case reading.Err() != nil:
			// Poll was cut short by the stop; what it returned is sent.
		default:
			return &Outcome{Stage: StagePoll, Err: err}
		}
		r.noteQuiet(reading, len(msgs) == 0)
		idle.wait(reading, len(msgs))
	}
	return nil
}

// noteQuiet tells whether the source has nothing more for now, and everything
// before is committed.
func (r *sourceRun) noteQuiet(ctx context.Context, empty bool) {
	unconfirmed, waiting, _ := r.tracker.load()
	quiet := empty && unconfirmed == 0 && waiting == 0
	if source, ok := r.inst.conn.(Backlogged); ok && quiet {
		more := false
		err := r.inst.call(ctx, "HasBacklog", hookBound, func(ctx context.Context) (err error) {
			more, err = source.HasBacklog(ctx)
			return err
		})
		quiet = err == nil && !more // a broker that does not answer keeps it from being known
	}
	r.t.quiet.Store(quiet)
}

// room waits while too much is confirmed and not committed, as when the store
// is away.
func (r *sourceRun) room(reading context.Context) bool {
	for {
		_, waiting, changed := r.tracker.load()
		if int64(waiting) < r.t.set.uncommittedMax {
			return reading.Err() == nil
		}
		select {
		case <-changed:
		case <-reading.Done():
			return false
		}
	}
}

// send hands polled records to the producer. What was read is sent even when a
// stop comes meanwhile; only a failure or the end of the time for stopping
// leaves records unsent, and then their positions are not committed.
func (r *sourceRun) send(reading, sending context.Context, msgs []*oms.Message) error {
	r.t.quiet.Store(false)
	for _, m := range msgs {
		if err := placed(m); err != nil {
			return &Outcome{Stage: StagePoll, Err: err}
		}
		if m.Topic == "" {
			m.Topic = r.t.set.topic
		}
		r.ids.give(m)
	}
	sent, failure := r.chain.apply(sending, msgs)
	whole := unsplit(msgs, len(sent))
	msgs, sent = msgs[:whole], sent[:whole]
	for _, m := range sent {
		if m == nil {
			continue
		}
		if err := r.ensureTopic(sending, m.Topic); err != nil {
			return &Outcome{Stage: StageSend, Messages: []*oms.Message{m}, Err: err}
		}
	}
	for len(msgs) > 0 {
		n := border(msgs)
		if err := r.sendBatch(reading, sending, msgs[:n], sent[:n]); err != nil {
			return err
		}
		msgs, sent = msgs[n:], sent[n:]
	}
	return failure
}

// sendBatch hands a batch of records to the producer: what they have become,
// nil for those that were dropped. Those count as confirmed, so that their
// positions are committed once everything before them is.
func (r *sourceRun) sendBatch(reading, sending context.Context, msgs, sent []*oms.Message) error {
	batch := sent
	if r.chain != nil {
		batch, _ = kept(sent)
	}
	r.limiter.wait(reading, batch)
	if failure := failureOf(sending); failure != nil {
		return failure
	}
	tracked := r.tracker.add(msgs)
	if len(batch) == 0 {
		r.t.records.Add(int64(len(msgs)))
		r.tracker.confirm(tracked)
		return nil
	}
	// Invariant 6: a failure ends sending before the producer lets anything
	// pass what has failed.
	r.producer.SendAsync(sending, batch, func(err error) {
		if err != nil {
			r.fail(r.failure(batch, err))
			return
		}
		r.t.records.Add(int64(len(msgs)))
		r.tracker.confirm(tracked)
	})
	return nil
}

// unsplit returns how many of the first n messages can be sent when the one
// behind them failed: those that share its position would be committed without
// it.
func unsplit(msgs []*oms.Message, n int) int {
	for n > 0 && n < len(msgs) && msgs[n].Origin.Position != "" && *msgs[n-1].Origin == *msgs[n].Origin {
		n--
	}
	return n
}

// placed returns nil, or why a message does not say where it came from. It
// looks at the shape only; the store looks closely.
func placed(m *oms.Message) error {
	object := func(s string) bool { return strings.HasPrefix(s, "{") && strings.HasSuffix(s, "}") }
	switch {
	case m == nil || m.Origin == nil:
		return errors.New("the connector returned a message without an Origin")
	case !object(m.Origin.Partition), m.Origin.Position != "" && !object(m.Origin.Position):
		return fmt.Errorf("the connector returned the partition %.200q with the position %.200q, which are not both JSON objects", m.Origin.Partition, m.Origin.Position)
	}
	return nil
}

// border returns where to end the first batch: not between records that share
// a position, which would be committed with the first of them.
func border(msgs []*oms.Message) int {
	n := min(len(msgs), batchRecords)
	for n < len(msgs) && msgs[n].Origin.Position != "" && *msgs[n].Origin == *msgs[n-1].Origin {
		n++
	}
	return n
}

// failure names the first record of a batch that was not sent.
func (r *sourceRun) failure(batch []*oms.Message, err error) error {
	for i, m := range batch {
		if cause := oms.FailureOf(err, i); cause != nil && oms.CodeOf(cause) != oms.ErrAborted {
			return &Outcome{Stage: StageSend, Messages: []*oms.Message{m}, Err: cause}
		}
	}
	return &Outcome{Stage: StageSend, Messages: batch[:1], Err: err}
}

// ensureTopic makes a topic that is missing, once.
func (r *sourceRun) ensureTopic(ctx context.Context, topic string) error {
	if r.topics[topic] {
		return nil
	}
	if r.t.set.createTopics && r.client.Capabilities().Has(oms.CreateTopic) {
		spec := oms.TopicSpec{Name: topic, Partitions: r.t.set.partitions, ReplicationFactor: r.t.set.replication}
		if err := r.client.EnsureTopic(ctx, spec); err != nil {
			return err
		}
	}
	if err := r.t.rt.ensureTopicReaders(ctx, r.t.set.broker, topic); err != nil {
		return err
	}
	r.topics[topic] = true
	return nil
}
