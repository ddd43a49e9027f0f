package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/IBM/sarama"
)

// The bare side for Kafka is sarama: its asynchronous producer, idempotent and
// confirmed by all replicas as ours is, and its consumer group. What is not
// said here is the library's default.

func saramaConfig() *sarama.Config {
	cfg := sarama.NewConfig()
	cfg.ClientID = clientKafkaBare
	cfg.Producer.RequiredAcks, cfg.Producer.Idempotent = sarama.WaitForAll, true
	cfg.Net.MaxOpenRequests = 1 // of an idempotent producer
	cfg.Producer.Partitioner = sarama.NewManualPartitioner
	cfg.Producer.Return.Successes, cfg.Producer.Return.Errors = true, true
	cfg.Consumer.Offsets.Initial, cfg.Consumer.Offsets.AutoCommit.Enable = sarama.OffsetOldest, false
	cfg.Consumer.Return.Errors = true
	return cfg
}

// saramaAdmin does something to topics.
func saramaAdmin(t task, do func(sarama.ClusterAdmin) error) error {
	admin, err := sarama.NewClusterAdmin([]string{t.Addr}, saramaConfig())
	if err != nil {
		return err
	}
	return errors.Join(do(admin), admin.Close())
}

// saramaPublish sends, each message to the next partition. Two goroutines take
// what the producer tells, as it has to be.
func saramaPublish(ctx context.Context, t task, w *stopwatch) error {
	err := saramaAdmin(t, func(a sarama.ClusterAdmin) error {
		return a.CreateTopic(t.Topic, &sarama.TopicDetail{NumPartitions: int32(t.Partitions), ReplicationFactor: 1}, false) //nolint:gosec // a few
	})
	if err != nil {
		return err
	}
	p, err := sarama.NewAsyncProducer([]string{t.Addr}, saramaConfig())
	if err != nil {
		return err
	}
	var told sync.WaitGroup
	all, failed := make(chan struct{}), make(chan error, 1)
	told.Go(func() {
		n := 0
		for range p.Successes() {
			n++
			if n == t.Records {
				close(all)
			}
		}
	})
	told.Go(func() {
		for e := range p.Errors() {
			select {
			case failed <- e:
			default: // one is enough
			}
		}
	})
	defer told.Wait()
	defer p.AsyncClose()
	if err := w.start(); err != nil {
		return err
	}
	for i := range t.Records {
		m := &sarama.ProducerMessage{Topic: t.Topic, Partition: int32(i % t.Partitions), Value: sarama.ByteEncoder(body)} //nolint:gosec // a few
		select {
		case p.Input() <- m:
		case err := <-failed:
			return err
		}
	}
	select {
	case <-all:
		return w.stop()
	case err := <-failed:
		return err
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(patience):
		return errors.New("the broker does not confirm")
	}
}

// saramaReceive is the one member of a group. It marks every message, and what
// is marked is committed each second, and in the end.
func saramaReceive(ctx context.Context, t task, w *stopwatch) error {
	group, err := sarama.NewConsumerGroup([]string{t.Addr}, t.Topic, saramaConfig())
	if err != nil {
		return err
	}
	r := &saramaReader{w: w, joined: make(chan sarama.ConsumerGroupSession, 1), all: make(chan struct{})}
	r.left.Store(int64(t.Records))
	reading, enough := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- group.Consume(reading, []string{t.Topic}, r) }()
	err = r.follow(group, ended)
	enough()
	if err := errors.Join(err, group.Close()); err != nil {
		return err
	}
	return saramaAdmin(t, func(a sarama.ClusterAdmin) error { return a.DeleteTopic(t.Topic) })
}

// A saramaReader reads the partitions of a session, each on a goroutine of its
// own.
type saramaReader struct {
	w      *stopwatch
	first  sync.Once
	left   atomic.Int64
	joined chan sarama.ConsumerGroupSession
	all    chan struct{}
}

var errSessionEnded = errors.New("the session of the consumer group has ended")

// follow commits until everything is read.
func (r *saramaReader) follow(group sarama.ConsumerGroup, ended <-chan error) error {
	var session sarama.ConsumerGroupSession
	commit := time.NewTicker(time.Second)
	defer commit.Stop()
	late := time.NewTimer(patience)
	defer late.Stop()
	for before := r.left.Load(); ; {
		select {
		case session = <-r.joined:
		case <-commit.C:
			if session != nil {
				session.Commit()
			}
			if now := r.left.Load(); now != before {
				before = now
				late.Reset(patience)
			}
		case <-r.all:
			session = r.session(session)
			session.Commit() // waits for the answer; an error comes by Errors
			if err := r.w.stop(); err != nil {
				return err
			}
			select {
			case err := <-group.Errors():
				return err
			default:
				return nil
			}
		case err := <-group.Errors():
			return err
		case err := <-ended:
			return errors.Join(errSessionEnded, err)
		case <-late.C:
			return fmt.Errorf("%d messages did not come", before)
		}
	}
}

// session returns that of the group, where there may be news of it.
func (r *saramaReader) session(known sarama.ConsumerGroupSession) sarama.ConsumerGroupSession {
	select {
	case s := <-r.joined:
		return s
	default:
		return known
	}
}

// Setup implements sarama.ConsumerGroupHandler.
func (r *saramaReader) Setup(s sarama.ConsumerGroupSession) error {
	r.joined <- s
	return nil
}

// Cleanup implements sarama.ConsumerGroupHandler.
func (*saramaReader) Cleanup(sarama.ConsumerGroupSession) error { return nil }

// ConsumeClaim implements sarama.ConsumerGroupHandler.
func (r *saramaReader) ConsumeClaim(s sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	var err error
	for {
		select {
		case m, ok := <-claim.Messages():
			if !ok {
				return nil
			}
			r.first.Do(func() { err = r.w.begin() })
			if err == nil {
				err = checkBody(m.Value)
			}
			if err != nil {
				return err
			}
			s.MarkMessage(m, "")
			if r.left.Add(-1) == 0 {
				close(r.all)
			}
		case <-s.Context().Done():
			return nil
		}
	}
}
