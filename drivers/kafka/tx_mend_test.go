package kafka_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/omconnect/omconnect/oms"
)

// What a transaction has left open is ended behind it; where that fails, the
// next one says so, and does it once that is possible.
func TestWhatCannotBeMendedAtOnceIsMendedByTheNextCall(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	topic := c.topic(t, 1)
	conn := c.open(t, "&delivery.timeout.ms=5000")
	s := transactions(t, conn, "id")
	ended := c.fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.EndTxn}, Observe: true, Count: -1})
	c.fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.TopicAuthorizationFailed})
	away := c.fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.InitProducerID}, Err: kerr.CoordinatorNotAvailable, Count: -1})
	if err := s.SendAll(t.Context(), bodies(topic, "lost")); oms.CodeOf(err) != oms.ErrDenied {
		t.Errorf("the transaction: %v, want %v", err, oms.ErrDenied)
	}
	if err := s.SendAll(t.Context(), bodies(topic, "lost")); oms.CodeOf(err) != oms.ErrUnavailable {
		t.Errorf("the next one: %v, want %v", err, oms.ErrUnavailable)
	}
	// The abort was done; who asks for it with an epoch that may have gone up
	// would be taken for an earlier owner.
	if hits := ended.Hits(); hits != 1 {
		t.Errorf("the abort was asked for %d times, want once", hits)
	}
	away.Remove()
	if err := s.SendAll(t.Context(), bodies(topic, "kept")); err != nil {
		t.Fatal(err)
	}
	wantStored(t, conn, topic, "kept")
}

func TestATransactionThatIsGivenUpIsEndedBehindIt(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	topic := c.topic(t, 1)
	conn := c.open(t, "")
	s := transactions(t, conn, "id")
	aborted := c.fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.EndTxn}, Observe: true, Count: -1, When: func(r kmsg.Request) bool {
		end, ok := r.(*kmsg.EndTxnRequest)
		return ok && !end.Commit
	}})
	storing := c.fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.NotLeaderForPartition, Count: -1})
	ctx, cancel := context.WithCancel(t.Context())
	outcome := make(chan error, 1)
	go func() { outcome <- s.SendAll(ctx, bodies(topic, "lost")) }()
	if err := storing.Wait(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-outcome; err == nil || errors.Is(err, oms.ErrUnknown) {
		t.Errorf("the transaction: %v, want an error that is certain", err)
	}
	if err := aborted.Wait(t.Context(), 1); err != nil { // and nobody has to call anything
		t.Error(err)
	}
	storing.Remove()
	if err := s.SendAll(t.Context(), bodies(topic, "kept")); err != nil {
		t.Fatal(err)
	}
	wantStored(t, conn, topic, "kept")
}

func TestClosingEndsATransactionThatHangs(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	topic := c.topic(t, 1)
	conn := c.open(t, "&delivery.timeout.ms=600000")
	s := transactions(t, conn, "id")
	began := c.fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.AddPartitionsToTxn}, Err: kerr.ConcurrentTransactions, Count: -1})
	outcome := make(chan error, 1)
	go func() { outcome <- s.SendAll(context.Background(), bodies(topic, "1")) }()
	if err := began.Wait(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := s.Close(ctx); oms.CodeOf(err) != oms.ErrTimeout {
		t.Errorf("close: %v, want %v", err, oms.ErrTimeout)
	}
	if err := <-outcome; err == nil {
		t.Error("the transaction is done, though it was given up")
	}
	if err := s.SendAll(t.Context(), bodies(topic, "2")); oms.CodeOf(err) != oms.ErrClosed {
		t.Errorf("after Close: %v", err)
	}
	if err := s.Close(t.Context()); err != nil {
		t.Errorf("close again: %v", err)
	}
}

// Who is told that the epoch is an old one, and cannot find out whether there
// is another owner, does not say so.
func TestNobodyIsFencedBeforeThatIsCertain(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	topic := c.topic(t, 1)
	conn := c.open(t, "&delivery.timeout.ms=5000")
	s := transactions(t, conn, "id")
	c.fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.InvalidProducerEpoch})
	away := c.fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.EndTxn}, Err: kerr.CoordinatorNotAvailable, Count: -1})
	if err := s.SendAll(t.Context(), bodies(topic, "lost")); oms.CodeOf(err) != oms.ErrUnavailable {
		t.Errorf("the transaction: %v, want %v", err, oms.ErrUnavailable)
	}
	away.Remove()
	if err := s.SendAll(t.Context(), bodies(topic, "kept")); err != nil {
		t.Fatal(err)
	}
	wantStored(t, conn, topic, "kept")
}
