package embedded_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/omconnect/omconnect/drivers/embedded"
	"github.com/omconnect/omconnect/oms"
)

func TestWhatIsHeldIsExtendedForASlowHandler(t *testing.T) {
	t.Parallel()
	c, topic := setup(t, 1)
	embedded.Hurry(c, 3*time.Second, 100*time.Millisecond, 0)
	// A NATS program listens to what the member tells of its deliveries.
	extensions := make(chan struct{}, 1000)
	nc := native(t, dirOf(t, c))
	_, err := nc.Subscribe("$JS.ACK.t-0.g.>", func(m *nats.Msg) {
		if strings.HasPrefix(string(m.Data), "+WPI") {
			extensions <- struct{}{}
		}
	})
	if err == nil {
		err = nc.Flush()
	}
	if err != nil {
		t.Fatal(err)
	}
	sendAll(t, c, numbered(topic, 0, 1))
	m := openMember(t, c, group("g"))
	held := m.get(t, 1)
	for range 60 { // six seconds, which is twice the time to acknowledge
		recv(t, "the delivery to be extended", extensions)
	}
	m.none(t, 100*time.Millisecond)
	if err := m.Ack(t.Context(), held); err != nil {
		t.Errorf("Ack by a slow handler: %v", err)
	}
	if err := m.Flush(testContext(t)); err != nil {
		t.Errorf("Flush: %v", err)
	}
	wantLag(t, c, "g", 0)
}

// wantLag compares what a group has not acknowledged of t.
func wantLag(t *testing.T, c oms.Conn, group string, want int64) {
	t.Helper()
	lag, err := c.(oms.LagReporter).Lag(testContext(t), group, []string{"t"})
	if err != nil {
		t.Fatal(err)
	}
	var sum int64
	for _, n := range lag {
		sum += n
	}
	if sum != want {
		t.Errorf("the lag of %s is %v, want %d in all", group, lag, want)
	}
}

func TestWhatTheBrokerOffersAgainIsNotHandedOutTwice(t *testing.T) {
	t.Parallel()
	c, topic := setup(t, 1)
	embedded.Hurry(c, 200*time.Millisecond, time.Hour, 0) // nothing is extended: the machine was stopped for a while
	sendAll(t, c, numbered(topic, 0, 3))
	m := openMember(t, c, group("g"))
	held := m.get(t, 3)
	js, err := native(t, dirOf(t, c)).JetStream()
	if err != nil {
		t.Fatal(err)
	}
	ctx := testContext(t)
	for tick := time.NewTicker(20 * time.Millisecond); ; <-tick.C {
		info, err := js.ConsumerInfo("t-0", "g", nats.Context(ctx))
		if err != nil {
			t.Fatal(err)
		}
		if info.NumRedelivered == 3 {
			break
		}
	}
	m.none(t, 300*time.Millisecond)
	if err := m.Ack(ctx, held); err != nil {
		t.Fatal(err)
	}
	if err := m.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	wantLag(t, c, "g", 0)
	sendAll(t, c, numbered(topic, 3, 1)) // and what follows comes
	for got := m.get(t, 1)[0]; string(got.Body) != "3"; got = m.get(t, 1)[0] {
		// A copy that was on its way when its message was acknowledged.
		if got.Deliveries < 2 {
			t.Fatalf("got %s for the first time, want what was sent last", got.Body)
		}
	}
}

func TestOneReceiverHasFiftyPartitions(t *testing.T) {
	t.Parallel()
	const partitions, each = 50, 20
	c, _ := setup(t, partitions)
	sendAll(t, c, spread(partitions*each, partitions))
	g := group("g")
	g.MaxUnacked = 40 // fewer than partitions
	m := openMember(t, c, g)
	next := make(map[int]int64)
	ctx := testContext(t)
	for got := 0; got < partitions*each; {
		msgs, err := m.Receive(ctx, 100)
		if err != nil {
			t.Fatalf("after %d messages: %v", got, err)
		}
		if len(msgs) > g.MaxUnacked {
			t.Errorf("%d messages are out, at most %d may be", len(msgs), g.MaxUnacked)
		}
		for _, msg := range msgs {
			next[msg.Partition]++
			if msg.Offset != next[msg.Partition] {
				t.Fatalf("partition %d: offset %d comes, want %d", msg.Partition, msg.Offset, next[msg.Partition])
			}
		}
		if err := m.Ack(ctx, msgs); err != nil {
			t.Fatal(err)
		}
		got += len(msgs)
	}
	if m.count() != partitions {
		t.Errorf("the member has %d partitions", m.count())
	}
	closeClient(t, m)
	wantLag(t, c, "g", 0)
}

func TestClosingEndsAReceiveThatWaits(t *testing.T) {
	t.Parallel()
	everywhere(t, func(at place) {
		t := at.t
		waiting := func(m *member) <-chan error {
			begun, ended := make(chan struct{}), make(chan error, 1)
			go func() {
				close(begun)
				_, err := m.Receive(testContext(t), 1)
				ended <- err
			}()
			<-begun
			return ended
		}
		revoked := false
		m := openMember(t, at, group("g"))
		m.onRevoke = func([]oms.Partition) { revoked = true }
		m.await(t, 2)
		ended := waiting(m)
		closeClient(t, m)
		if err := recv(t, "Receive to end", ended); !errors.Is(err, oms.ErrClosed) {
			t.Errorf("Receive under Close: %v, want ErrClosed", err)
		}
		if revoked {
			t.Error("closing told OnRevoked")
		}
		for name, err := range map[string]error{
			"Flush":  m.Flush(testContext(t)),
			"Pause":  m.Receiver.(oms.Pauser).Pause(testContext(t), []oms.Partition{{Topic: "t"}}),
			"Seek":   m.Receiver.(oms.Seeker).Seek(testContext(t), map[oms.Partition]int64{{Topic: "t"}: 1}),
			"Resume": m.Receiver.(oms.Pauser).Resume(testContext(t), []oms.Partition{{Topic: "t"}}),
		} {
			if name == "Flush" {
				if err != nil {
					t.Errorf("Flush after Close: %v, want nil: Close has flushed", err)
				}
			} else if !errors.Is(err, oms.ErrNotFound) {
				t.Errorf("%s after Close: %v, want ErrNotFound", name, err)
			}
		}
		// A connection that closes under its receiver ends it, too.
		under := openMember(t, at, group("h"))
		under.await(t, 2)
		ended = waiting(under)
		closeClient(t, at.Conn)
		if err := recv(t, "Receive to end", ended); !errors.Is(err, oms.ErrClosed) {
			t.Errorf("Receive under the connection's Close: %v, want ErrClosed", err)
		}
	})
}
