package embedded_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/omconnect/omconnect/drivers/embedded"
	"github.com/omconnect/omconnect/oms"
)

// recv waits for something to come from a channel.
func recv[T any](t *testing.T, what string, from <-chan T) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-testContext(t).Done():
		t.Fatalf("waited in vain for %s", what)
		panic("not reached")
	}
}

func TestFlushFailsWhenWhatIsWrittenCannotBeTold(t *testing.T) {
	t.Parallel()
	c, topic := setup(t, 2)
	var unknown atomic.Bool
	embedded.OnWritten(c, func(context.Context, string) error {
		if unknown.Load() {
			return &oms.Error{Code: oms.ErrFormat, Err: errors.New("another form")}
		}
		return nil
	})
	sendAll(t, c, numbered(topic, 0, 2))
	m := openMember(t, c, group("g"))
	msgs := m.get(t, 2)
	unknown.Store(true)
	if err := m.Ack(t.Context(), msgs[:1]); err != nil {
		t.Fatal(err)
	}
	for range 2 { // it stays undone
		if err := m.Flush(testContext(t)); !errors.Is(err, oms.ErrFormat) {
			t.Errorf("Flush: %v, want ErrFormat", err)
		}
	}
	unknown.Store(false)
	if err := m.Flush(testContext(t)); err != nil {
		t.Errorf("Flush when it can be told: %v", err)
	}
	// What could not be flushed when the receiver closed, Close tells.
	unknown.Store(true)
	if err := m.Ack(t.Context(), msgs[1:]); err != nil {
		t.Fatal(err)
	}
	if err := m.Close(testContext(t)); !errors.Is(err, oms.ErrFormat) {
		t.Errorf("Close: %v, want ErrFormat", err)
	}
}

func TestFlushWaitsForPartitionsThatAreLeaving(t *testing.T) {
	t.Parallel()
	c, topic := setup(t, 2)
	var holding atomic.Bool
	entered, goOn := make(chan string, 10), make(chan struct{})
	embedded.OnWritten(c, func(ctx context.Context, stream string) error {
		if !holding.Load() {
			return nil
		}
		entered <- stream
		select {
		case <-goOn:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	sendAll(t, c, spread(20, 2))
	a := openMember(t, c, group("g"))
	msgs := a.get(t, 20)
	holding.Store(true)
	a.onRevoke = func(ps []oms.Partition) { // the whole partition is done with at the last moment
		for _, m := range msgs {
			if m.Topic == topic && m.Partition == ps[0].Number {
				if err := a.Ack(t.Context(), []*oms.Message{m}); err != nil {
					t.Errorf("Ack in OnRevoked: %v", err)
				}
			}
		}
	}
	b := openMember(t, c, group("g"))
	leaving := recv(t, "the flush of what is leaving", entered)
	flushed := make(chan error, 1)
	go func() { flushed <- a.Flush(testContext(t)) }()
	if again := recv(t, "Flush to wait for it, too", entered); again != leaving {
		t.Errorf("Flush waits for %s, want %s", again, leaving)
	}
	select {
	case err := <-flushed:
		t.Errorf("Flush returned %v before the acknowledgements were written", err)
	default:
	}
	close(goOn)
	if err := recv(t, "Flush", flushed); err != nil {
		t.Errorf("Flush: %v", err)
	}
	b.await(t, 1)
}

// The server answers no acknowledgement of what the consumer, a new one of that
// name, has not delivered.
func TestFlushHasNothingToWaitForOfATopicThatWasDeletedAndMadeAgain(t *testing.T) {
	t.Parallel()
	c, topic := setup(t, 1)
	sendAll(t, c, spread(10, 1))
	m := openMember(t, c, group("g"))
	if err := m.Ack(t.Context(), m.get(t, 10)); err != nil {
		t.Fatal(err)
	}
	again := make(chan struct{}) // until then the member is busy with what it loses
	m.onRevoke = func([]oms.Partition) { <-again; m.onRevoke = nil }
	admin := c.(oms.TopicAdmin)
	if err := admin.DeleteTopic(testContext(t), topic); err != nil {
		t.Fatal(err)
	}
	if err := admin.CreateTopic(testContext(t), oms.TopicSpec{Name: topic}); err != nil {
		t.Fatal(err)
	}
	if err := c.(oms.GroupAdmin).EnsureGroup(testContext(t), "g", []string{topic}, oms.Start{}); err != nil {
		t.Fatal(err)
	}
	close(again)
	if err := m.Flush(testContext(t)); err != nil {
		t.Errorf("Flush: %v", err)
	}
	if err := m.Close(testContext(t)); err != nil {
		t.Errorf("Close: %v", err)
	}
}

func TestFlushTellsOnceThatAcknowledgementsMayBeLost(t *testing.T) {
	t.Parallel()
	n := startNATS(t)
	c := openConn(t, n.point("right", ""))
	if err := c.(oms.TopicAdmin).CreateTopic(testContext(t), oms.TopicSpec{Name: "t"}); err != nil {
		t.Fatal(err)
	}
	sendAll(t, c, numbered("t", 0, 5))
	m := openMember(t, c, group("g"))
	revoked := make(chan struct{})
	m.onRevoke = func([]oms.Partition) { close(revoked); m.onRevoke = nil }
	msgs := m.get(t, 5)
	if err := m.Ack(t.Context(), msgs[:2]); err != nil {
		t.Fatal(err)
	}
	n.cutAll(t)
	recv(t, "OnRevoked", revoked)
	if err := m.Flush(testContext(t)); err == nil || !errors.Is(err, oms.ErrStaleDelivery) && !oms.IsTemporary(err) {
		t.Errorf("Flush after the connection was lost: %v, want an error", err)
	}
	// What comes again is of a new session: the old receipts are stale.
	again := m.get(t, 3)
	for _, msg := range again {
		if msg.Deliveries < 2 {
			t.Errorf("offset %d is delivered for the first time", msg.Offset)
		}
	}
	if err := m.Ack(t.Context(), msgs[2:]); !errors.Is(err, oms.ErrStaleDelivery) {
		t.Errorf("Ack of the lost session: %v, want ErrStaleDelivery", err)
	}
	if err := m.Receiver.(oms.Nacker).Nack(t.Context(), msgs[2:]); !errors.Is(err, oms.ErrStaleDelivery) {
		t.Errorf("Nack of the lost session: %v, want ErrStaleDelivery", err)
	}
	if err := m.Ack(t.Context(), again); err != nil {
		t.Errorf("Ack of the new session: %v", err)
	}
	for { // the doubt is told once, if Flush was too early for it above
		err := m.Flush(testContext(t))
		if err == nil {
			break
		}
		if !errors.Is(err, oms.ErrStaleDelivery) && !oms.IsTemporary(err) {
			t.Fatalf("Flush: %v", err)
		}
	}
}

func TestADeletedTopicHasNothingToFlush(t *testing.T) {
	t.Parallel()
	c, topic := setup(t, 1)
	var swallowed atomic.Bool
	embedded.OnWritten(c, func(context.Context, string) error {
		if swallowed.Load() { // the server was asked just as it deleted the consumer
			return &oms.Error{Code: oms.ErrTimeout, Err: context.DeadlineExceeded}
		}
		return nil
	})
	sendAll(t, c, numbered(topic, 0, 1))
	m := openMember(t, c, group("g"))
	if err := m.Ack(t.Context(), m.get(t, 1)); err != nil {
		t.Fatal(err)
	}
	swallowed.Store(true)
	if err := m.Flush(testContext(t)); !errors.Is(err, oms.ErrTimeout) {
		t.Errorf("Flush of a topic that is there: %v, want ErrTimeout", err)
	}
	if err := c.(oms.TopicAdmin).DeleteTopic(testContext(t), topic); err != nil {
		t.Fatal(err)
	}
	if err := m.Flush(testContext(t)); err != nil {
		t.Errorf("Flush of a topic that was deleted: %v, want nil", err)
	}
}
