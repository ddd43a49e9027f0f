package kafka_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/omconnect/omconnect/oms"
)

// open opens the cluster with the driver, with further options.
func (c *cluster) open(t *testing.T, more string) oms.Conn {
	t.Helper()
	return openWith(t, c.driver(), c.point()+more)
}

func (c *cluster) topic(t *testing.T, partitions int) string {
	t.Helper()
	if err := c.fake.CreateTopic("topic", int32(partitions), nil); err != nil {
		t.Fatal(err)
	}
	return "topic"
}

func sender(t *testing.T, conn oms.Conn) oms.Sender {
	t.Helper()
	s, err := conn.OpenSender(t.Context(), oms.SenderConfig{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// outcome sends a batch and waits for what becomes of it.
func outcome(t *testing.T, s oms.Sender, msgs ...*oms.Message) error {
	t.Helper()
	told := make(chan error, 1)
	s.SendAsync(t.Context(), msgs, func(err error) { told <- err })
	select {
	case err := <-told:
		return err
	case <-t.Context().Done():
		t.Fatal("the test has ended before the outcome of a batch")
		return nil
	}
}

// follow sends a batch that may stand behind a failure, and returns what became
// of it. A done that was called may not have returned yet: as long as the first
// message is aborted it sends again, with pauses that grow, since that is a
// failure, too.
func follow(t *testing.T, s oms.Sender, msgs ...*oms.Message) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for pause := time.Millisecond; ; pause = min(2*pause, time.Second) {
		err := outcome(t, s, msgs...)
		if !errors.Is(oms.FailureOf(err, 0), oms.ErrAborted) {
			return err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			t.Fatalf("what comes behind a failure stays aborted: %v", err)
		}
	}
}

func (c *cluster) end(topic string, partition int32) int64 {
	return c.fake.PartitionInfo(topic, partition).HighWatermark
}

func TestAnAttemptThatIsRepeatedIsStoredOnce(t *testing.T) {
	t.Parallel()
	for _, failure := range []*kerr.Error{kerr.RequestTimedOut, kerr.NotEnoughReplicasAfterAppend, kerr.NotLeaderForPartition, kerr.NotEnoughReplicas} {
		t.Run(failure.Message, func(t *testing.T) {
			t.Parallel()
			c := startCluster(t)
			topic := c.topic(t, 1)
			fault := c.fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: failure, Count: 2})
			s := sender(t, c.open(t, ""))
			for i := range 3 {
				if err := outcome(t, s, &oms.Message{Topic: topic, Body: fmt.Append(nil, i)}); err != nil {
					t.Fatalf("send: %v", err)
				}
			}
			if hits := fault.Hits(); hits != 2 {
				t.Errorf("the fault was met %d times, want 2", hits)
			}
			if end := c.end(topic, 0); end != 3 {
				t.Errorf("%d messages are stored, want 3", end)
			}
		})
	}
}

func TestAnOutcomeThatStaysUnknownIsSaid(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	topic := c.topic(t, 1)
	s := sender(t, c.open(t, "&delivery.timeout.ms=4000"))
	fault := c.fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.RequestTimedOut, Count: -1})
	if err := outcome(t, s, &oms.Message{Topic: topic, Body: []byte("1")}); !errors.Is(err, oms.ErrUnknown) {
		t.Errorf("send: %v, want %v", err, oms.ErrUnknown)
	}
	fault.Remove()
	next := follow
	for range 3 { // and the producer goes on with a new epoch
		if err := next(t, s, &oms.Message{Topic: topic, Body: []byte("2")}); err != nil {
			t.Fatalf("send: %v", err)
		}
		next = outcome
	}
	if end := c.end(topic, 0); end != 4 {
		t.Errorf("%d messages are stored, want 4", end)
	}
}

func TestAProducerThatTheBrokersForgotBeginsAnew(t *testing.T) {
	t.Parallel()
	for _, failure := range []*kerr.Error{kerr.UnknownProducerID, kerr.OutOfOrderSequenceNumber, kerr.ProducerFenced, kerr.InvalidProducerEpoch} {
		t.Run(failure.Message, func(t *testing.T) {
			t.Parallel()
			c := startCluster(t)
			topic := c.topic(t, 1)
			s := sender(t, c.open(t, ""))
			for i := range 4 {
				if i == 2 {
					c.fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: failure})
				}
				if err := outcome(t, s, &oms.Message{Topic: topic, Body: []byte("b")}); err != nil {
					t.Fatalf("send message %d: %v", i, err)
				}
			}
			if end := c.end(topic, 0); end != 4 {
				t.Errorf("%d messages are stored, want 4", end)
			}
		})
	}
}

func TestKeysLandWhereJavaClientsPutThem(t *testing.T) {
	t.Parallel()
	const partitions, n = 7, 200
	c := startCluster(t)
	topic := c.topic(t, partitions)
	s := sender(t, c.open(t, ""))
	want := make(map[int32]int64)
	theirs := sarama.NewMurmur2Partitioner(topic)
	var msgs []*oms.Message
	for i := range n {
		key := fmt.Appendf(nil, "key %d", i)
		p, err := theirs.Partition(&sarama.ProducerMessage{Key: sarama.ByteEncoder(key)}, partitions)
		if err != nil {
			t.Fatal(err)
		}
		want[p]++
		msgs = append(msgs, &oms.Message{Topic: topic, Key: key})
	}
	if err := outcome(t, s, msgs...); err != nil {
		t.Fatal(err)
	}
	for p := range int32(partitions) {
		if end := c.end(topic, p); end != want[p] {
			t.Errorf("partition %d has %d messages, want %d", p, end, want[p])
		}
	}
}

func TestASenderMakesNoTopic(t *testing.T) {
	t.Parallel()
	c := startCluster(t) // which makes topics for whoever asks it to
	s := sender(t, c.open(t, ""))
	if err := outcome(t, s, &oms.Message{Topic: "missing", Body: []byte("b")}); !errors.Is(err, oms.ErrNotFound) {
		t.Errorf("send: %v, want %v", err, oms.ErrNotFound)
	}
	if info := c.fake.TopicInfo("missing"); info != nil {
		t.Errorf("the topic is there: %+v", info)
	}
}

func TestWhatIsTooLargeIsRefusedBeforeAnythingIsSent(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	topic := c.topic(t, 1)
	seen := c.fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Observe: true, Count: -1})
	s := sender(t, c.open(t, "&max.message.bytes=1000"))
	for what, m := range map[string]*oms.Message{
		"body":    {Topic: topic, Body: make([]byte, 1001)},
		"key":     {Topic: topic, Key: make([]byte, 70_000)},
		"headers": {Topic: topic, Headers: oms.Headers{{Name: "h", Value: make([]byte, 70_000)}}},
	} {
		if err := outcome(t, s, m); !errors.Is(err, oms.ErrTooLarge) {
			t.Errorf("a large %s: %v, want %v", what, err, oms.ErrTooLarge)
		}
	}
	if hits := seen.Hits(); hits != 0 {
		t.Errorf("%d requests were made", hits)
	}
}

// What is for a partition shows late when another topic has to be asked for
// first.
func TestWhatWaitsForItsPartitionIsBehindAFailureToo(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	topic := c.topic(t, 1)
	s := sender(t, c.open(t, ""))
	if err := outcome(t, s, &oms.Message{Topic: topic, Body: []byte("0")}); err != nil {
		t.Fatal(err)
	}
	c.refuseOne()
	c.fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Metadata}, Topic: "slow", Err: kerr.LeaderNotAvailable, Count: -1})
	told, all := make([]chan error, 3), make(chan struct{})
	for i, name := range []string{topic, "slow", topic} {
		told[i] = make(chan error, 1)
		m := &oms.Message{Topic: name, Body: []byte("b")}
		s.SendAsync(t.Context(), []*oms.Message{m}, func(err error) {
			<-all
			told[i] <- err
		})
	}
	close(all)
	for i, want := range []oms.Code{oms.ErrDenied, oms.ErrUnavailable, oms.ErrAborted} {
		if err := <-told[i]; !errors.Is(oms.FailureOf(err, 0), want) {
			t.Errorf("message %d: %v, want %v", i, err, want)
		}
	}
	if end := c.end(topic, 0); end != 1 {
		t.Errorf("%d messages are stored, want 1", end)
	}
}
