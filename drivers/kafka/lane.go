package kafka

import (
	"context"
	"errors"
	"math"
	"slices"
	"time"

	"github.com/IBM/sarama"

	"github.com/omconnect/omconnect/internal/sleep"
	"github.com/omconnect/omconnect/oms"
)

// batchRoom is what a batch takes beside its records.
const batchRoom = 128

// mostRecords bounds a batch whose records are small.
const mostRecords = 10_000

// A parcel is a message on its way.
type parcel struct {
	batch  *batch
	index  int
	lane   *lane // nil if it is not known for which partition it is
	record sarama.Record
	size   int
	err    error // why it is not to be sent
}

// A lane sends what is for one partition, one batch of records after the
// other: the next is not sent before the outcome of the one before it is
// known, so that nothing overtakes a failure.
//
// A lane is a producer of its own to the brokers, with ids and sequence
// numbers: an attempt that is repeated is stored once. Where the outcome of a
// batch stays unknown, the epoch goes up, and the brokers refuse whatever of
// it is still on its way.
type lane struct {
	sender *sender
	id     oms.Partition

	// The sender's mutex guards these two.
	queue   []*parcel
	running bool // its goroutine
	most    int  // records of the next batch, after one that was too large; 0: as many as fit

	producer int64 // of the goroutine alone
	epoch    int16
	sequence int32
}

// noProducer is the id of a producer that has none yet.
const noProducer = -1

// run sends until there is nothing more.
func (l *lane) run() {
	for {
		load := l.take()
		if load == nil {
			return
		}
		err := l.deliver(load)
		if len(load) > 1 && oms.CodeOf(err) == oms.ErrTooLarge {
			l.putBack(load) // one of them is, or all together: the broker does not say
			continue
		}
		s := l.sender
		s.mu.Lock()
		for _, c := range load {
			s.resolve(c, l.id, err)
		}
		if err != nil {
			behind := errBehind(l.id.Topic)
			for _, c := range l.queue {
				s.resolve(c, l.id, behind)
			}
			l.queue = nil
		}
		s.mu.Unlock()
	}
}

// take returns the records of the next batch, nil if the queue is empty; then
// the goroutine is to end.
func (l *lane) take() []*parcel {
	l.sender.mu.Lock()
	defer l.sender.mu.Unlock()
	n, bytes, most := 0, batchRoom, mostRecords
	if l.most > 0 {
		most, l.most = l.most, 0
	}
	for n < len(l.queue) && n < most {
		bytes += l.queue[n].size
		if n > 0 && bytes > l.sender.conn.options.maxMessage+headerRoom {
			break
		}
		n++
	}
	if n == 0 {
		l.running, l.queue = false, nil
		return nil
	}
	load := l.queue[:n:n]
	l.queue = l.queue[n:]
	return load
}

// putBack has a batch sent again that the broker found too large, as two: the
// first half of it alone, and then the rest.
func (l *lane) putBack(load []*parcel) {
	l.sender.mu.Lock()
	defer l.sender.mu.Unlock()
	l.most = (len(load) + 1) / 2
	l.queue = slices.Concat(load, l.queue)
}

// deliver sends a batch until it is stored, refused, or the time for it is
// over.
func (l *lane) deliver(load []*parcel) error {
	ctx, cancel := context.WithTimeout(l.sender.ctx, l.sender.conn.options.deliveryTimeout)
	defer cancel()
	wait := retryFirst
	maybe := false // an attempt may have stored it
	missing := 0   // attempts that found no topic
	for {
		err := l.attempt(ctx, load)
		if err == nil {
			l.advance(len(load))
			return nil
		}
		switch outcomeOf(err) {
		case outcomeUnknown:
			maybe = true
		case outcomeReset: // the brokers have forgotten the producer, or mistake it
			if maybe {
				return l.lost(err)
			}
			l.producer = noProducer
		case outcomeMissing:
			missing++
			if missing > 2 {
				_ = run(ctx, func() error { return l.sender.client.RefreshMetadata(l.id.Topic) })
				return l.refused(err, maybe)
			}
		case outcomeRefused:
			return l.refused(err, maybe)
		case outcomeLater:
		}
		if sleep.For(ctx, wait) != nil {
			return l.refused(err, maybe)
		}
		wait = min(2*wait, retryMost)
		if l.sender.ctx.Err() == nil {
			_ = run(ctx, func() error { return l.sender.client.RefreshMetadata(l.id.Topic) })
		}
	}
}

func (l *lane) advance(n int) {
	// Sequence numbers begin anew behind the largest.
	next := int64(l.sequence) + int64(n)
	l.sequence = int32(next % (math.MaxInt32 + 1))
}

// refused ends a batch that did not get through.
func (l *lane) refused(err error, maybe bool) error {
	if maybe {
		return l.lost(err)
	}
	if errors.Is(err, context.Canceled) {
		return fail("send", l.id.Topic, oms.ErrAborted, errors.New("the sender was closed before it was sent"))
	}
	return classify("send", l.id.Topic, err)
}

// lost ends a batch that may have been stored. What of it is still on its way
// is refused from now on.
func (l *lane) lost(err error) error {
	if l.producer != noProducer && l.epoch < math.MaxInt16 {
		l.epoch++
	} else {
		l.producer = noProducer
	}
	l.sequence = 0
	if l.sender.ctx.Err() != nil {
		return errGivenUp(l.id.Topic)
	}
	return fail("send", l.id.Topic, oms.ErrUnknown, err)
}

// attempt sends a batch once.
func (l *lane) attempt(ctx context.Context, load []*parcel) error {
	client := l.sender.client
	if l.producer == noProducer {
		id, err := call(ctx, client.InitProducerID)
		if err == nil {
			err = kerror(id.Err)
		}
		if err != nil {
			return notSentError{l.sender.conn.explain(ctx, err)}
		}
		l.producer, l.epoch, l.sequence = id.ProducerID, id.ProducerEpoch, 0
	}
	b, err := call(ctx, func() (*sarama.Broker, error) {
		b, err := client.Leader(l.id.Topic, number(l.id))
		if err == nil {
			_, err = b.Connected() // and not only being connected
		}
		return b, err
	})
	if err != nil {
		return notSentError{l.sender.conn.explain(ctx, err)}
	}
	request := &sarama.ProduceRequest{
		Version: 7, RequiredAcks: sarama.WaitForAll,
		Timeout: int32(l.sender.conn.options.requestTimeout / time.Millisecond), //nolint:gosec // a duration of seconds
	}
	request.AddBatch(l.id.Topic, number(l.id), l.records(load))
	answer, err := call(ctx, func() (*sarama.ProduceResponse, error) { return b.Produce(request) })
	if err != nil {
		if connectionLost(err) && ctx.Err() == nil {
			_ = b.Close()
		}
		if errors.Is(err, sarama.ErrNotConnected) {
			return notSentError{err}
		}
		return err
	}
	block := answer.GetBlock(l.id.Topic, number(l.id))
	if block == nil {
		return errors.New("the broker's answer leaves the partition out")
	}
	if block.Err == sarama.ErrDuplicateSequenceNumber { // an attempt before has stored it
		return nil
	}
	return kerror(block.Err)
}

// records makes a batch, stamped with the time of sending: what was born long
// ago is not for retention to remove at once.
func (l *lane) records(load []*parcel) *sarama.RecordBatch {
	now := time.Now().Truncate(time.Millisecond)
	b := &sarama.RecordBatch{
		Version: 2, Codec: l.sender.conn.options.compression, CompressionLevel: sarama.CompressionLevelDefault,
		FirstTimestamp: now, MaxTimestamp: now,
		ProducerID: l.producer, ProducerEpoch: l.epoch, FirstSequence: l.sequence,
		LastOffsetDelta: int32(len(load) - 1), PartitionLeaderEpoch: -1, //nolint:gosec // at most mostRecords
		Records: make([]*sarama.Record, len(load)),
	}
	for i, c := range load {
		c.record.OffsetDelta = int64(i)
		b.Records[i] = &c.record
	}
	return b
}

// notSentError is an error from before anything was sent.
type notSentError struct{ error }

func (e notSentError) Unwrap() error { return e.error }

// An outcome says what becomes of a batch after an attempt that failed.
type outcome int

const (
	outcomeUnknown outcome = iota // it may be stored; the same attempt may be repeated
	outcomeLater                  // it is not stored, and may be soon
	outcomeMissing                // there is no such topic, or the broker does not know yet
	outcomeReset                  // the producer has to begin anew
	outcomeRefused                // it is not stored, and trying again is not for the lane
)

func outcomeOf(err error) outcome {
	k, answered := errors.AsType[sarama.KError](err)
	_, before := errors.AsType[notSentError](err)
	switch {
	case answered:
		switch k { //nolint:exhaustive // the rest is refused
		case sarama.ErrUnknownTopicOrPartition, errUnknownTopicID:
			return outcomeMissing
		case sarama.ErrOutOfOrderSequenceNumber, sarama.ErrUnknownProducerID, sarama.ErrInvalidProducerEpoch, sarama.ErrProducerFenced:
			return outcomeReset
		case sarama.ErrNotLeaderForPartition, sarama.ErrLeaderNotAvailable, sarama.ErrReplicaNotAvailable, sarama.ErrFencedLeaderEpoch,
			sarama.ErrUnknownLeaderEpoch, sarama.ErrNotEnoughReplicas, sarama.ErrConsumerCoordinatorNotAvailable,
			sarama.ErrOffsetsLoadInProgress, sarama.ErrNotCoordinatorForConsumer:
			return outcomeLater
		case sarama.ErrRequestTimedOut, sarama.ErrNotEnoughReplicasAfterAppend, sarama.ErrUnknown, sarama.ErrNetworkException:
			return outcomeUnknown
		}
		return outcomeRefused
	case codeOf(err) == oms.ErrDenied:
		return outcomeRefused
	case before && !errors.Is(err, context.Canceled):
		return outcomeLater
	case before:
		return outcomeRefused
	default:
		return outcomeUnknown
	}
}
