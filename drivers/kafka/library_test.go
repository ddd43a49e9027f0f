package kafka_test

import (
	"context"
	"errors"
	"testing"

	"github.com/IBM/sarama"
	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/omconnect/omconnect/oms"
)

// The tests in this file show what the producer and the consumer group of the
// client library do, and that the driver, which uses neither, does otherwise.
// One that fails with a new version of the library is a reason to look at that
// decision again.

// oneByOne has the library send each message in a request of its own, stored
// once, one request at a time: as strict as it can be asked to be.
func (c *cluster) oneByOne() *sarama.Config {
	cfg := c.config()
	cfg.Producer.RequiredAcks, cfg.Producer.Idempotent, cfg.Net.MaxOpenRequests = sarama.WaitForAll, true, 1
	cfg.Producer.Flush.MaxMessages = 1
	return cfg
}

// refuseOne has the next request to store something refused for good.
func (c *cluster) refuseOne() {
	c.fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.TopicAuthorizationFailed})
}

// stored returns what a partition has.
func (c *cluster) stored(t *testing.T, topic string) []string {
	t.Helper()
	consumer, err := sarama.NewConsumer([]string{c.addr()}, c.config())
	if err != nil {
		t.Fatal(err)
	}
	defer consumer.Close()
	pc, err := consumer.ConsumePartition(topic, 0, sarama.OffsetOldest)
	if err != nil {
		t.Fatal(err)
	}
	defer pc.Close()
	var bodies []string
	for range c.end(topic, 0) {
		m := <-pc.Messages()
		bodies = append(bodies, string(m.Value))
	}
	return bodies
}

func TestTheLibrarysProducerLetsMessagesOvertakeOneThatFailed(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	topic := c.topic(t, 1)
	p, err := sarama.NewAsyncProducer([]string{c.addr()}, c.oneByOne())
	if err != nil {
		t.Fatal(err)
	}
	c.refuseOne()
	for _, body := range []string{"1", "2", "3"} { // before anybody could learn of a failure
		p.Input() <- &sarama.ProducerMessage{Topic: topic, Value: sarama.StringEncoder(body)}
	}
	for range 4 {
		select {
		case <-p.Successes():
		case failed := <-p.Errors(): // sending it again is all that is left to do
			p.Input() <- &sarama.ProducerMessage{Topic: topic, Value: failed.Msg.Value}
		}
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff([]string{"2", "3", "1"}, c.stored(t, topic)); diff != "" {
		t.Errorf("the library keeps the order of what fails now: the driver may not need lanes (-want +got):\n%s", diff)
	}
}

func TestNothingOvertakesAMessageThatFailed(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	topic := c.topic(t, 1)
	s := sender(t, c.open(t, ""))
	c.refuseOne()
	told, all := make([]chan error, 3), make(chan struct{})
	for i, body := range []string{"1", "2", "3"} {
		told[i] = make(chan error, 1)
		m := &oms.Message{Topic: topic, Body: []byte(body)}
		s.SendAsync(t.Context(), []*oms.Message{m}, func(err error) {
			<-all // before anybody could learn of a failure
			told[i] <- err
		})
	}
	close(all)
	for i := range told {
		if err := <-told[i]; err == nil {
			t.Errorf("message %d is confirmed, and one before it has failed", i)
		}
	}
	next := follow
	for _, body := range []string{"1", "2", "3"} {
		if err := next(t, s, &oms.Message{Topic: topic, Body: []byte(body)}); err != nil {
			t.Fatal(err)
		}
		next = outcome
	}
	if diff := cmp.Diff([]string{"1", "2", "3"}, c.stored(t, topic)); diff != "" {
		t.Errorf("stored (-want +got):\n%s", diff)
	}
}

// A committer marks the first message of its claim, commits, and looks at what
// it can learn from that.
type committer struct {
	committed chan error // the error of the session afterwards
	done      chan struct{}
}

// Setup implements sarama.ConsumerGroupHandler.
func (committer) Setup(sarama.ConsumerGroupSession) error { return nil }

// Cleanup implements sarama.ConsumerGroupHandler.
func (committer) Cleanup(sarama.ConsumerGroupSession) error { return nil }

// ConsumeClaim implements sarama.ConsumerGroupHandler.
func (h committer) ConsumeClaim(s sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	s.MarkMessage(<-claim.Messages(), "")
	s.Commit()
	h.committed <- s.Context().Err()
	<-h.done
	return nil
}

func TestTheLibrarysCommitTellsNobodyThatItFailed(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	topic, conn := c.topic(t, 1), c.open(t, "")
	send(t, conn, topic, "a")
	cfg := c.config()
	cfg.Consumer.Offsets.Initial, cfg.Consumer.Offsets.AutoCommit.Enable = sarama.OffsetOldest, false
	cfg.Consumer.Offsets.Retry.Max = 0
	cfg.Consumer.Return.Errors = true
	group, err := sarama.NewConsumerGroup([]string{c.addr()}, "g", cfg)
	if err != nil {
		t.Fatal(err)
	}
	refused := c.fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Err: kerr.IllegalGeneration, Count: -1})
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	h := committer{committed: make(chan error, 1), done: make(chan struct{})}
	ended := make(chan error, 1)
	go func() { ended <- group.Consume(ctx, []string{topic}, h) }()
	if err := <-h.committed; err != nil {
		t.Errorf("the session has ended with its commit, %v: the driver may not need a membership of its own", err)
	}
	if refused.Hits() == 0 {
		t.Error("commit has returned before it has asked: the driver may not need a membership of its own")
	}
	// Somebody else is told, and not of which commit.
	if err := <-group.Errors(); !errors.Is(err, sarama.ErrIllegalGeneration) {
		t.Errorf("the group's errors have %v, want %v", err, sarama.ErrIllegalGeneration)
	}
	refused.Remove()
	if at, ok := stands(t, conn, "g", topic); ok {
		t.Errorf("the group stands at %d, want nowhere", at)
	}
	close(h.done)
	stop()
	if err := errors.Join(<-ended, group.Close()); err != nil {
		t.Error(err)
	}
}

// stands returns where a group stands in a topic's first partition.
func stands(t *testing.T, conn oms.Conn, group, topic string) (int64, bool) {
	t.Helper()
	at, err := conn.(oms.GroupPositioner).Positions(t.Context(), group, []string{topic})
	if err != nil {
		t.Fatal(err)
	}
	offset, ok := at[oms.Partition{Topic: topic}]
	return offset, ok
}
