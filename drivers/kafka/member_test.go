package kafka_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/omconnect/omconnect/oms"
)

func TestAFewHeartbeatsThatFailLoseNothing(t *testing.T) {
	t.Parallel()
	for _, failure := range []*kerr.Error{kerr.CoordinatorNotAvailable, kerr.NotCoordinator, kerr.CoordinatorLoadInProgress} {
		t.Run(failure.Message, func(t *testing.T) {
			t.Parallel()
			c := startCluster(t)
			topic, conn := c.topic(t, 1), c.open(t, "")
			send(t, conn, topic, "a")
			r, l := member(t, conn, topic)
			msgs, _ := get(t, r, 1)
			fault := c.fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Heartbeat}, TopLevel: true, Err: failure, Count: 3})
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			if err := fault.Wait(ctx, 3); err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(r.Ack(t.Context(), msgs), r.Flush(t.Context())); err != nil {
				t.Error(err)
			}
			if n := l.timesRevoked(); n != 0 {
				t.Errorf("%d partitions were revoked, want none", n)
			}
		})
	}
}

func TestAMemberThatWillNotSettleIsNotWaitedForLongerThanTheGroupDoes(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	topic := c.topic(t, 2)
	impatient := strings.Replace(c.point(), patientRebalance, "rebalance.timeout.ms=1500", 1)
	stuck, free := make(chan struct{}), make(chan struct{})
	defer close(free)
	r := receiver(t, openWith(t, c.driver(), impatient), oms.ReceiverConfig{
		Group: "g", Topics: []string{topic},
		OnRevoked: func(ctx context.Context, _ []oms.Partition) {
			select {
			case <-stuck:
			default:
				close(stuck)
			}
			select {
			case <-ctx.Done(): // as one does that gives up in time
			case <-free:
			}
		},
	})
	send(t, c.open(t, ""), topic, "a", "b")
	msgs, _ := get(t, r, 2)
	_, second := member(t, openWith(t, c.driver(), impatient), topic)
	<-stuck
	gone := second.await(t, 1)[0]
	for _, m := range msgs {
		want := error(nil)
		if m.At() == gone {
			want = oms.ErrStaleDelivery
		}
		if err := r.Ack(t.Context(), []*oms.Message{m}); !errors.Is(err, want) {
			t.Errorf("acknowledge a message of %v, while %v is gone: %v, want %v", m.At(), gone, err, want)
		}
	}
}

func TestAMemberWhoseNameAnotherHasIsOutForGood(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	topic, more := c.topic(t, 1), "&group.instance.id=same"
	conn := c.open(t, more)
	old, l := member(t, conn, topic)
	l.await(t, 1)
	young, has := member(t, c.open(t, more), topic)
	has.await(t, 1)
	l.await(t, 0)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for range 3 {
		if _, err := old.Receive(ctx, 1); !errors.Is(err, oms.ErrFenced) || !strings.Contains(err.Error(), "same-0") {
			t.Errorf("receive by the old one: %v, want %v with the name", err, oms.ErrFenced)
		}
	}
	if err := old.Close(ctx); err != nil {
		t.Error(err)
	}
	send(t, conn, topic, "a")
	msgs, _ := get(t, young, 1)
	if err := errors.Join(young.Ack(ctx, msgs), young.Flush(ctx)); err != nil {
		t.Errorf("settle by the young one: %v", err)
	}
	if n := has.timesRevoked(); n != 0 {
		t.Errorf("the young one lost %d partitions, want none", n)
	}
}
