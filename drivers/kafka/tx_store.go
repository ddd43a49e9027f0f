package kafka

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/IBM/sarama"

	"github.com/omconnect/omconnect/internal/murmur2"
	"github.com/omconnect/omconnect/internal/sleep"
	"github.com/omconnect/omconnect/oms"
)

// A txLoad is what a transaction has for one partition.
type txLoad struct {
	at      oms.Partition
	records []*sarama.Record
	sizes   []int
}

// load sorts messages by partition. An error is a *oms.BatchError that names
// those that cannot be sent.
func (s *txSender) load(ctx context.Context, msgs []*oms.Message) ([]*txLoad, error) {
	var loads []*txLoad
	byPlace := make(map[oms.Partition]*txLoad)
	counts := make(map[string]int)
	failed := make(map[int]error)
	e := encoder{left: len(msgs)}
	for i, m := range msgs {
		at, err := s.place(ctx, counts, m)
		if err != nil {
			failed[i] = err
			continue
		}
		r := new(sarama.Record)
		e.encode(r, m)
		size := sizeOf(r)
		if most := s.conn.options.maxMessage; len(m.Body) > most || size > most+headerRoom-batchRoom {
			failed[i] = fail("send", m.Topic, oms.ErrTooLarge, fmt.Errorf("a body has at most %d bytes, and key and headers at most %d more", most, headerRoom))
			continue
		}
		l := byPlace[at]
		if l == nil {
			l = &txLoad{at: at}
			byPlace[at] = l
			loads = append(loads, l)
		}
		l.records, l.sizes = append(l.records, r), append(l.sizes, size)
	}
	if len(failed) > 0 {
		return nil, &oms.BatchError{Failed: failed}
	}
	return loads, nil
}

// place returns the partition of a message; counts has how many those topics
// have that were asked for.
func (s *txSender) place(ctx context.Context, counts map[string]int, m *oms.Message) (oms.Partition, error) {
	p := oms.Partition{Topic: m.Topic}
	n, known := counts[m.Topic]
	if !known {
		var err error
		if n, err = s.partitions(ctx, m.Topic); err != nil {
			return p, err
		}
		counts[m.Topic] = n
		s.conn.lookout.look(m.Topic)
	}
	switch {
	case m.ToPartition != nil:
		if p.Number = *m.ToPartition; p.Number < 0 || p.Number >= n {
			return p, fail("send", m.Topic, oms.ErrInvalid, fmt.Errorf("there is no partition %d, only 0 to %d", p.Number, n-1))
		}
	case m.Key != nil:
		p.Number = murmur2.Partition(m.Key, n)
	default:
		p.Number = s.keyless[m.Topic] % n
		s.keyless[m.Topic]++
	}
	return p, nil
}

func (s *txSender) partitions(ctx context.Context, topic string) (int, error) {
	if err := checkTopic(topic); err != nil {
		return 0, fail("send", topic, oms.ErrInvalid, err)
	}
	ps, err := retry(ctx, func(bool) ([]int32, error) {
		ps, err := call(ctx, func() ([]int32, error) { return s.client.Partitions(topic) })
		return ps, s.conn.explain(ctx, err)
	})
	if err == nil && len(ps) == 0 {
		err = fail("send", topic, oms.ErrUnavailable, errors.New("the topic has no partition yet"))
	}
	return len(ps), classify("send", topic, err)
}

// store stores what a transaction has for its partitions, side by side. The
// first failure ends the others.
func (s *txSender) store(ctx context.Context, loads []*txLoad) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	next := make([]int32, len(loads))
	var storing sync.WaitGroup
	var once sync.Once
	var failure error // the first
	for i, l := range loads {
		first := s.sequences[l.at]
		storing.Go(func() {
			var err error
			next[i], err = s.fill(ctx, l, first)
			if err != nil {
				once.Do(func() { failure = err })
				cancel()
			}
		})
	}
	storing.Wait()
	if failure != nil {
		return failure
	}
	if s.sequences == nil {
		s.sequences = make(map[oms.Partition]int32)
	}
	for i, l := range loads {
		s.sequences[l.at] = next[i]
	}
	return nil
}

// fill stores what there is for one partition, batch by batch, and returns the
// sequence number of the next.
func (s *txSender) fill(ctx context.Context, l *txLoad, sequence int32) (int32, error) {
	for from := 0; from < len(l.records); {
		to, bytes := from, batchRoom
		for to < len(l.records) && to-from < mostRecords {
			bytes += l.sizes[to]
			if to > from && bytes > s.conn.options.maxMessage+headerRoom {
				break
			}
			to++
		}
		batch := s.batch(l.records[from:to], sequence)
		if err := s.deliver(ctx, l.at, batch); err != nil {
			return sequence, err
		}
		sequence = int32((int64(sequence) + int64(to-from)) % (math.MaxInt32 + 1))
		from = to
	}
	return sequence, nil
}

// batch makes a batch of records, stamped with the time of sending.
func (s *txSender) batch(records []*sarama.Record, sequence int32) *sarama.RecordBatch {
	now := time.Now().Truncate(time.Millisecond)
	for i, r := range records {
		r.OffsetDelta = int64(i)
	}
	return &sarama.RecordBatch{
		Version: 2, Codec: s.conn.options.compression, CompressionLevel: sarama.CompressionLevelDefault,
		FirstTimestamp: now, MaxTimestamp: now, IsTransactional: true,
		ProducerID: s.producer, ProducerEpoch: s.epoch, FirstSequence: sequence,
		LastOffsetDelta: int32(len(records) - 1), PartitionLeaderEpoch: -1, //nolint:gosec // at most mostRecords
		Records: records,
	}
}

// deliver sends a batch until it is stored, refused, or the time for it is
// over. What became of a batch that failed does not matter: its transaction is
// not committed.
func (s *txSender) deliver(ctx context.Context, at oms.Partition, batch *sarama.RecordBatch) error {
	wait := retryFirst
	missing := 0 // attempts that found no topic
	var before error
	for {
		err := reason(ctx, before, s.produce(ctx, at, batch))
		if err == nil {
			return nil
		}
		before = err
		switch outcomeOf(err) {
		case outcomeReset, outcomeRefused:
			return err
		case outcomeMissing:
			missing++
			if missing > 2 {
				return err
			}
		case outcomeUnknown, outcomeLater:
		}
		if sleep.For(ctx, wait) != nil {
			return err
		}
		wait = min(2*wait, retryMost)
		_ = run(ctx, func() error { return s.client.RefreshMetadata(at.Topic) })
	}
}

// produce sends a batch once.
func (s *txSender) produce(ctx context.Context, at oms.Partition, batch *sarama.RecordBatch) error {
	b, err := call(ctx, func() (*sarama.Broker, error) {
		b, err := s.client.Leader(at.Topic, number(at))
		if err == nil {
			_, err = b.Connected() // and not only being connected
		}
		return b, err
	})
	if err != nil {
		return notSentError{s.conn.explain(ctx, err)}
	}
	request := &sarama.ProduceRequest{
		Version: 7, RequiredAcks: sarama.WaitForAll, TransactionalID: &s.id,
		Timeout: int32(s.conn.options.requestTimeout / time.Millisecond), //nolint:gosec // a duration of seconds
	}
	request.AddBatch(at.Topic, number(at), batch)
	answer, err := call(ctx, func() (*sarama.ProduceResponse, error) { return b.Produce(request) })
	if err != nil {
		if connectionLost(err) && ctx.Err() == nil {
			_ = b.Close()
		}
		return err
	}
	block := answer.GetBlock(at.Topic, number(at))
	switch {
	case block == nil:
		return errors.New("the broker's answer leaves the partition out")
	case block.Err == sarama.ErrDuplicateSequenceNumber: // an attempt before has stored it
		return nil
	default:
		return kerror(block.Err)
	}
}
