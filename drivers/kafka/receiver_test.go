package kafka_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/IBM/sarama"
	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/omconnect/omconnect/oms"
)

func receiver(t *testing.T, conn oms.Conn, cfg oms.ReceiverConfig) oms.Receiver {
	t.Helper()
	r, err := conn.OpenReceiver(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// get receives n messages, and returns their bodies too.
func get(t *testing.T, r oms.Receiver, n int) (msgs []*oms.Message, bodies []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for len(msgs) < n {
		some, err := r.Receive(ctx, n-len(msgs))
		if err != nil {
			t.Fatalf("receive message %d of %d: %v", len(msgs), n, err)
		}
		msgs = append(msgs, some...)
	}
	for _, m := range msgs {
		bodies = append(bodies, string(m.Body))
	}
	return msgs, bodies
}

func send(t *testing.T, conn oms.Conn, topic string, bodies ...string) {
	t.Helper()
	s := sender(t, conn)
	for _, b := range bodies {
		if err := outcome(t, s, &oms.Message{Topic: topic, Body: []byte(b)}); err != nil {
			t.Fatal(err)
		}
	}
}

func positions(t *testing.T, conn oms.Conn, group, topic string) int64 {
	t.Helper()
	at, err := conn.(oms.GroupPositioner).Positions(t.Context(), group, []string{topic})
	if err != nil {
		t.Fatal(err)
	}
	return at[oms.Partition{Topic: topic}]
}

func TestAFlushGoesOnUntilTheCommitIsTaken(t *testing.T) {
	t.Parallel()
	for _, failure := range []*kerr.Error{kerr.IllegalGeneration, kerr.RebalanceInProgress, kerr.NotCoordinator, kerr.CoordinatorLoadInProgress} {
		t.Run(failure.Message, func(t *testing.T) {
			t.Parallel()
			c := startCluster(t)
			topic, conn := c.topic(t, 1), c.open(t, "")
			send(t, conn, topic, "a", "b", "c")
			r := receiver(t, conn, oms.ReceiverConfig{Group: "g", Topics: []string{topic}})
			msgs, _ := get(t, r, 3)
			fault := c.fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Err: failure, Count: 2})
			if err := errors.Join(r.Ack(t.Context(), msgs[:2]), r.Flush(t.Context())); err != nil {
				t.Fatal(err)
			}
			if hits := fault.Hits(); hits != 2 {
				t.Errorf("the fault was met %d times, want 2", hits)
			}
			if at := positions(t, conn, "g", topic); at != 2 {
				t.Errorf("the position is %d, want 2", at)
			}
		})
	}
}

func TestAFlushSaysThatTheCommitWasRefused(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	topic, conn := c.topic(t, 1), c.open(t, "")
	send(t, conn, topic, "a")
	r := receiver(t, conn, oms.ReceiverConfig{Group: "g", Topics: []string{topic}})
	msgs, _ := get(t, r, 1)
	fault := c.fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Err: kerr.GroupAuthorizationFailed, Count: -1})
	if err := r.Ack(t.Context(), msgs); err != nil {
		t.Fatal(err)
	}
	if err := r.Flush(t.Context()); !errors.Is(err, oms.ErrDenied) {
		t.Errorf("flush: %v, want %v", err, oms.ErrDenied)
	}
	fault.Remove()
	if err := r.Flush(t.Context()); err != nil {
		t.Errorf("flush once it is allowed: %v", err)
	}
}

func TestASessionThatIsLostIsToldAndItsAcknowledgementsAreStale(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	topic, conn := c.topic(t, 1), c.open(t, "")
	send(t, conn, topic, "a", "b")
	revoked := make(chan []oms.Partition, 10)
	r := receiver(t, conn, oms.ReceiverConfig{
		Group: "g", Topics: []string{topic},
		OnRevoked: func(_ context.Context, ps []oms.Partition) { revoked <- ps },
	})
	msgs, _ := get(t, r, 2)
	c.fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Heartbeat}, TopLevel: true, Err: kerr.UnknownMemberID})
	if diff := cmp.Diff([]oms.Partition{{Topic: topic}}, <-revoked); diff != "" {
		t.Errorf("revoked (-want +got):\n%s", diff)
	}
	if err := r.Ack(t.Context(), msgs); !errors.Is(err, oms.ErrStaleDelivery) {
		t.Errorf("acknowledge what was lost: %v, want %v", err, oms.ErrStaleDelivery)
	}
	again, bodies := get(t, r, 2)
	if diff := cmp.Diff([]string{"a", "b"}, bodies); diff != "" {
		t.Errorf("what comes again (-want +got):\n%s", diff)
	}
	if err := errors.Join(r.Ack(t.Context(), again), r.Flush(t.Context())); err != nil {
		t.Error(err)
	}
}

func TestAMemberLeavesItsGroupWhenItIsClosed(t *testing.T) {
	t.Parallel()
	for name, more := range map[string]string{"dynamic": "", "static": "&group.instance.id=gateway"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := startCluster(t)
			topic, conn := c.topic(t, 2), c.open(t, more)
			var rs []oms.Receiver
			for range 2 {
				rs = append(rs, receiver(t, conn, oms.ReceiverConfig{Group: "g", Topics: []string{topic}}))
			}
			info, err := c.fake.WaitGroupStable(t.Context(), "g", 2)
			if err != nil {
				t.Fatal(err)
			}
			names := make(map[string]bool)
			for _, m := range info.Members {
				if m.InstanceID != nil {
					names[*m.InstanceID] = true
				}
			}
			if want := map[string]bool{"gateway-0": true, "gateway-1": true}; name == "static" && !cmp.Equal(want, names) {
				t.Errorf("the members are %v, want %v", names, want)
			}
			for _, r := range rs {
				if err := r.Close(t.Context()); err != nil {
					t.Error(err)
				}
			}
			ids, err := conn.(oms.GroupAdmin).Members(t.Context(), "g", []string{topic})
			if err != nil || len(ids) > 0 {
				t.Errorf("the members are %v, %v; want none", ids, err)
			}
		})
	}
}

func TestWhatATransactionTookBackIsNotDelivered(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	topic, conn := c.topic(t, 1), c.open(t, "")
	cfg := c.config()
	cfg.Producer.RequiredAcks, cfg.Producer.Idempotent, cfg.Net.MaxOpenRequests = sarama.WaitForAll, true, 1
	cfg.Producer.Transaction.ID = "theirs"
	p, err := sarama.NewSyncProducer([]string{c.addr()}, cfg)
	if err != nil {
		t.Fatal(err)
	}
	for i, end := range []func() error{p.CommitTxn, p.AbortTxn, p.CommitTxn} {
		if err := p.BeginTxn(); err != nil {
			t.Fatal(err)
		}
		if _, _, err := p.SendMessage(&sarama.ProducerMessage{Topic: topic, Value: sarama.StringEncoder(fmt.Sprint(i))}); err != nil {
			t.Fatal(err)
		}
		if err := end(); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	r := receiver(t, conn, oms.ReceiverConfig{
		Group: "g", Topics: []string{topic},
		OnGap: func(g oms.Gap) { t.Errorf("told of the gap %v, which is none", g) },
	})
	if _, got := get(t, r, 2); !cmp.Equal(got, []string{"0", "2"}) {
		t.Errorf("received %q, want 0 and 2", got)
	}
}

func TestAPositionThatIsGoneIsWhatTheOptionSays(t *testing.T) {
	t.Parallel()
	for policy, want := range map[string]string{"fail": "", "earliest": "e", "latest": "new"} {
		t.Run(policy, func(t *testing.T) {
			t.Parallel()
			c := startCluster(t)
			topic, conn := c.topic(t, 1), c.open(t, "&consumer.offset.out.of.range="+policy)
			send(t, conn, topic, "a", "b", "c", "d", "e", "f")
			cfg := oms.ReceiverConfig{Group: "g", Topics: []string{topic}}
			if err := conn.(oms.GroupAdmin).EnsureGroup(t.Context(), cfg.Group, cfg.Topics, cfg.Start); err != nil {
				t.Fatal(err)
			}
			if err := c.fake.DeleteRecords(topic, 0, 4); err != nil {
				t.Fatal(err)
			}
			if want == "" {
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				defer cancel()
				if _, err := receiver(t, conn, cfg).Receive(ctx, 1); !errors.Is(err, oms.ErrNotFound) {
					t.Errorf("receive: %v, want %v", err, oms.ErrNotFound)
				}
				return
			}
			told := make(chan oms.Gap, 1)
			cfg.OnGap = func(g oms.Gap) { told <- g }
			r := receiver(t, conn, cfg)
			gap := <-told
			if gap.From != 0 || (gap.To != 4) != (policy == "latest") {
				t.Errorf("told of the gap %v", gap)
			}
			send(t, conn, topic, "new")
			if _, got := get(t, r, 1); got[0] != want {
				t.Errorf("received %q, want %q", got, want)
			}
		})
	}
}

func TestAGroupOfAnotherProtocolIsSaid(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	topic := c.topic(t, 1)
	receiver(t, c.open(t, "&rebalance.protocol=eager"), oms.ReceiverConfig{Group: "g", Topics: []string{topic}})
	if _, err := c.fake.WaitGroupStable(t.Context(), "g", 1); err != nil {
		t.Fatal(err)
	}
	other := receiver(t, c.open(t, ""), oms.ReceiverConfig{Group: "g", Topics: []string{topic}})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if _, err := other.Receive(ctx, 1); !errors.Is(err, oms.ErrInvalid) {
		t.Errorf("receive: %v, want %v", err, oms.ErrInvalid)
	}
}
