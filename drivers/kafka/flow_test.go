package kafka_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/omconnect/omconnect/drivers/kafka"
	"github.com/omconnect/omconnect/oms"
)

func TestALeaderThatMovesIsFollowed(t *testing.T) {
	t.Parallel()
	const n, moves = 60, 6
	fake, err := kfake.NewCluster(kfake.NumBrokers(3), kfake.SeedTopics(1, "topic"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(fake.Close)
	conn := openWith(t, kafka.Driver{}, "oms:kafka://"+strings.Join(fake.ListenAddrs(), ",")+"/")
	s := sender(t, conn)
	r := receiver(t, conn, oms.ReceiverConfig{Group: "g", Topics: []string{"topic"}})
	var want, got []string
	for i := range n {
		if i%(n/moves) == 0 {
			if err := fake.MoveTopicPartition("topic", 0, int32(i/(n/moves))%3); err != nil {
				t.Fatal(err)
			}
		}
		want = append(want, strconv.Itoa(i))
		if err := outcome(t, s, &oms.Message{Topic: "topic", Body: []byte(want[i])}); err != nil {
			t.Fatalf("send message %d: %v", i, err)
		}
		msgs, bodies := get(t, r, 1)
		got = append(got, bodies...)
		if err := r.Ack(t.Context(), msgs); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("what came while the leader moved (-want +got):\n%s", diff)
	}
	if err := r.Flush(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestAReaderThatFailsGoesOnWhereItWas(t *testing.T) {
	t.Parallel()
	for _, failure := range []*kerr.Error{kerr.NotLeaderForPartition, kerr.LeaderNotAvailable, kerr.KafkaStorageError, kerr.UnknownServerError} {
		t.Run(failure.Message, func(t *testing.T) {
			t.Parallel()
			c := startCluster(t)
			topic, conn := c.topic(t, 1), c.open(t, "")
			r := receiver(t, conn, oms.ReceiverConfig{Group: "g", Topics: []string{topic}})
			send(t, conn, topic, "a", "b")
			get(t, r, 2)
			fault := c.fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Topic: topic, Err: failure, Count: 2})
			send(t, conn, topic, "c", "d")
			if _, got := get(t, r, 2); !cmp.Equal(got, []string{"c", "d"}) {
				t.Errorf("received %q, want c and d", got)
			}
			if fault.Hits() == 0 {
				t.Error("the fault was not met")
			}
		})
	}
}

func TestWhoMayNotReadIsTold(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	topic, conn := c.topic(t, 1), c.open(t, "")
	send(t, conn, topic, "a")
	fault := c.fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Topic: topic, Err: kerr.TopicAuthorizationFailed, Count: -1})
	r := receiver(t, conn, oms.ReceiverConfig{Group: "g", Topics: []string{topic}})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if _, err := r.Receive(ctx, 1); !errors.Is(err, oms.ErrDenied) || !strings.Contains(err.Error(), topic) {
		t.Errorf("receive: %v, want %v with the topic", err, oms.ErrDenied)
	}
	fault.Remove()
	for {
		msgs, err := r.Receive(ctx, 1)
		if errors.Is(err, oms.ErrDenied) {
			continue // from before
		}
		if err != nil || len(msgs) != 1 {
			t.Errorf("receive once it is allowed: %d messages, %v", len(msgs), err)
		}
		return
	}
}

func TestAMessageLargerThanAFetchIsReceived(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	if err := c.fake.CreateTopic("topic", 1, map[string]string{"max.message.bytes": "8000000"}); err != nil {
		t.Fatal(err)
	}
	conn := c.open(t, "&max.message.bytes=5000000")
	bodies := [][]byte{[]byte("small"), bytes.Repeat([]byte("large "), 700_000), []byte("behind")}
	s := sender(t, conn)
	for _, body := range bodies {
		if err := outcome(t, s, &oms.Message{Topic: "topic", Body: body}); err != nil {
			t.Fatal(err)
		}
	}
	r := receiver(t, conn, oms.ReceiverConfig{Group: "g", Topics: []string{"topic"}, MaxUnackedBytes: 1000})
	for i, want := range bodies { // each alone, as there is room for no more
		msgs, _ := get(t, r, 1)
		if !bytes.Equal(msgs[0].Body, want) {
			t.Errorf("message %d has %d bytes, want %d", i, len(msgs[0].Body), len(want))
		}
		if err := r.Ack(t.Context(), msgs); err != nil {
			t.Error(err)
		}
	}
}

func TestAPositionBehindTheEndIsAGap(t *testing.T) {
	t.Parallel()
	for policy, want := range map[string]int64{"earliest": 0, "latest": 2} {
		t.Run(policy, func(t *testing.T) {
			t.Parallel()
			c := startCluster(t)
			topic, conn := c.topic(t, 1), c.open(t, "&consumer.offset.out.of.range="+policy)
			send(t, conn, topic, "a", "b")
			told := make(chan oms.Gap, 1)
			r := receiver(t, conn, oms.ReceiverConfig{
				Group: "g", Topics: []string{topic}, OnGap: func(g oms.Gap) { told <- g },
				OnAssigned: func(_ context.Context, ps []oms.Partition) (map[oms.Partition]int64, error) {
					return map[oms.Partition]int64{ps[0]: 50}, nil // as after a restored broker
				},
			})
			if diff := cmp.Diff(oms.Gap{Partition: oms.Partition{Topic: topic}, From: 50, To: want}, <-told); diff != "" {
				t.Errorf("told of (-want +got):\n%s", diff)
			}
			send(t, conn, topic, "c")
			next := map[int64]string{0: "a", 2: "c"}[want]
			if _, got := get(t, r, 1); got[0] != next {
				t.Errorf("received %q, want %q", got, next)
			}
		})
	}
}

func TestWhatIsHeldIsBounded(t *testing.T) {
	t.Parallel()
	const n, most = 200, 7
	c := startCluster(t)
	topic, conn := c.topic(t, 3), c.open(t, "")
	var msgs []*oms.Message
	for i := range n {
		msgs = append(msgs, &oms.Message{Topic: topic, Body: fmt.Append(nil, i)})
	}
	if err := outcome(t, sender(t, conn), msgs...); err != nil {
		t.Fatal(err)
	}
	r := receiver(t, conn, oms.ReceiverConfig{Group: "g", Topics: []string{topic}, MaxUnacked: most})
	seen := make(map[string]bool)
	for len(seen) < n {
		held, bodies := get(t, r, min(most, n-len(seen)))
		for _, b := range bodies {
			seen[b] = true
		}
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
		if more, _ := r.Receive(ctx, 1); len(held) == most && len(more) > 0 {
			t.Fatalf("%d messages are out, want at most %d", len(held)+len(more), most)
		}
		cancel()
		if err := r.Ack(t.Context(), held); err != nil {
			t.Fatal(err)
		}
	}
}
