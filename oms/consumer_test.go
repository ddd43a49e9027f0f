package oms_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/omconnect/omconnect/drivers/mem"
	"github.com/omconnect/omconnect/oms"
)

var anyTopic = oms.ReceiverConfig{Topics: []string{"t"}, Group: "g"}

// memory returns a client of a new broker in memory with topic t.
func memory(t *testing.T, opts mem.Options) (*oms.Client, *mem.Driver) {
	t.Helper()
	var r oms.Registry
	d := mem.New(opts)
	r.Register("mem", d)
	c, err := r.Open(context.Background(), "mem")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.EnsureTopic(context.Background(), oms.TopicSpec{Name: "t"}); err != nil {
		t.Fatal(err)
	}
	return c, d
}

func send(t *testing.T, c *oms.Client, msgs ...*oms.Message) {
	t.Helper()
	p, err := c.NewProducer(context.Background(), oms.SenderConfig{})
	if err != nil {
		t.Fatal(err)
	}
	defer closing(t, p)
	if err := p.Send(context.Background(), msgs...); err != nil {
		t.Fatal(err)
	}
}

func TestReceiveReturnsNoneAfterItsWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := memory(t, mem.Options{})
		pc, err := c.NewPullConsumer(t.Context(), anyTopic)
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		msgs, err := pc.Receive(t.Context(), 10, 3*time.Second)
		if len(msgs) > 0 || err != nil || time.Since(start) != 3*time.Second {
			t.Errorf("Receive = %v, %v after %v; want none after 3s", msgs, err, time.Since(start))
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := pc.Receive(ctx, 10, time.Second); !errors.Is(err, context.Canceled) {
			t.Errorf("Receive = %v, want the context's error", err)
		}
		shut(t, pc.Close, c.Close)
	})
}

func shut(t *testing.T, closers ...func(context.Context) error) {
	t.Helper()
	for _, c := range closers {
		if err := c(context.Background()); err != nil {
			t.Errorf("close: %v", err)
		}
	}
}

func TestExpiredMessagesAreAcknowledgedAndLeftOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := memory(t, mem.Options{})
		old, live := message("k", "old"), message("k", "live")
		old.ExpiresAt = time.Now().Add(time.Second)
		send(t, c, old, live)
		time.Sleep(2 * time.Second)
		pc, err := c.NewPullConsumer(t.Context(), anyTopic)
		if err != nil {
			t.Fatal(err)
		}
		msgs, err := pc.Receive(t.Context(), 10, time.Second)
		if err != nil || len(msgs) != 1 || string(msgs[0].Body) != "live" {
			t.Fatalf("Receive = %v, %v; want the live one", msgs, err)
		}
		if err := pc.Ack(t.Context(), msgs...); err != nil {
			t.Fatal(err)
		}
		if lag, err := c.Lag(t.Context(), "g", []string{"t"}); lag != 0 || err != nil {
			t.Errorf("Lag = %d, %v; want 0", lag, err)
		}
		shut(t, pc.Close, c.Close)
	})
}

func TestReceiveInterceptorsWrapReceiving(t *testing.T) {
	b := newBack()
	b.receive = func(context.Context, int) ([]*oms.Message, error) { return []*oms.Message{message("k", "1")}, nil }
	c := b.open(t, oms.WithReceiveInterceptors(func(next oms.ReceiveFunc) oms.ReceiveFunc {
		return func(ctx context.Context, limit int) ([]*oms.Message, error) {
			msgs, err := next(ctx, limit)
			for i, m := range msgs {
				msgs[i] = m.Clone()
				msgs[i].Headers = m.Headers.With("seen", "yes")
			}
			return msgs, err
		}
	}))
	pc, err := c.NewPullConsumer(t.Context(), anyTopic)
	if err != nil {
		t.Fatal(err)
	}
	msgs, err := pc.Receive(t.Context(), 1, time.Minute)
	if err != nil || msgs[0].Headers.Text("seen") != "yes" {
		t.Errorf("Receive = %v, %v; want the interceptor's header", msgs, err)
	}
	if owned := pc.Owned(msgs); len(owned) != 1 {
		t.Error("a clone of a received message is not owned")
	}
}

func TestConsumersNeedATopicAndAGroup(t *testing.T) {
	c := newBack().open(t)
	for _, cfg := range []oms.ReceiverConfig{{Group: "g"}, {Topics: []string{"t"}}, {Topics: []string{"a b"}, Group: "g"}} {
		if _, err := c.NewPullConsumer(t.Context(), cfg); !errors.Is(err, oms.ErrInvalid) {
			t.Errorf("NewPullConsumer(%+v) = %v, want ErrInvalid", cfg, err)
		}
		if _, err := c.NewPushConsumer(t.Context(), cfg, oms.PushConfig{}); !errors.Is(err, oms.ErrInvalid) {
			t.Errorf("NewPushConsumer(%+v) = %v, want ErrInvalid", cfg, err)
		}
	}
}

func TestWhatADriverLacksIsUnsupported(t *testing.T) {
	b := newBack()
	c := b.open(t)
	pc, err := c.NewPullConsumer(t.Context(), anyTopic)
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	_, topicsErr := c.Topics(ctx)
	_, groupsErr := c.Groups()
	_, lagErr := c.Lag(ctx, "g", []string{"t"})
	_, identityErr := c.Identity(ctx)
	for name, err := range map[string]error{
		"EnsureTopic": c.EnsureTopic(ctx, oms.TopicSpec{Name: "t"}), "DeleteTopic": c.DeleteTopic(ctx, "t"), "Topics": topicsErr,
		"Groups": groupsErr, "Lag": lagErr, "Identity": identityErr,
		"Nack claimed and not there": pc.Nack(ctx), "Seek": pc.Seek(ctx, nil), "Pause": pc.Pause(ctx), "Resume": pc.Resume(ctx),
	} {
		if !errors.Is(err, oms.ErrUnsupported) {
			t.Errorf("%s = %v, want ErrUnsupported", name, err)
		}
	}
	if err := c.Check(ctx); err != nil {
		t.Errorf("Check = %v", err)
	}
}

// TestMessagesOfARevokedPartitionAreNotOwned revokes at three moments: before,
// while and after the driver is asked.
func TestMessagesOfARevokedPartitionAreNotOwned(t *testing.T) {
	b := newBack()
	p := []oms.Partition{{Topic: "t"}}
	during := func() {}
	b.receive = func(context.Context, int) ([]*oms.Message, error) {
		during()
		return []*oms.Message{message("k", "1")}, nil
	}
	pc, err := b.open(t).NewPullConsumer(t.Context(), anyTopic)
	if err != nil {
		t.Fatal(err)
	}
	receive := func() []*oms.Message {
		msgs, err := pc.Receive(t.Context(), 1, time.Millisecond)
		if err != nil {
			t.Fatal(err)
		}
		return msgs
	}
	revoke := func() { b.cfg.OnRevoked(t.Context(), p) }
	assign := func() {
		if _, err := b.cfg.OnAssigned(t.Context(), p); err != nil {
			t.Fatal(err)
		}
	}
	assign()
	msgs := receive()
	if got := pc.Owned(msgs); len(got) != 1 {
		t.Errorf("Owned = %v before anything was revoked", got)
	}
	revoke()
	if got := pc.Owned(msgs); len(got) != 0 {
		t.Errorf("Owned = %v after the revocation", got)
	}
	assign()
	if got := pc.Owned(msgs); len(got) != 0 {
		t.Errorf("Owned = %v of the earlier session", got)
	}
	once := sync.OnceFunc(revoke)
	during = func() { once() }
	// The first is left out; the partition is gone, so the driver has no more.
	b.receive = func(ctx context.Context, _ int) ([]*oms.Message, error) {
		if len(b.acked) == 0 {
			b.acked = append(b.acked, "asked")
			revoke()
			return []*oms.Message{message("k", "1")}, nil
		}
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if got := receive(); len(got) != 0 {
		t.Errorf("Receive = %v, want nothing of a partition revoked meanwhile", got)
	}
}

func ExamplePushConsumer() {
	var r oms.Registry
	r.Register("mem", mem.New())
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	client, err := r.Open(ctx, "mem")
	if err != nil {
		fmt.Println(err)
		return
	}
	_ = client.EnsureTopic(ctx, oms.TopicSpec{Name: "orders"})
	producer, _ := client.NewProducer(ctx, oms.SenderConfig{})
	_ = producer.Send(ctx, &oms.Message{Topic: "orders", Key: []byte("7"), Body: []byte("three apples")})

	consumer, _ := client.NewPushConsumer(ctx, oms.ReceiverConfig{Topics: []string{"orders"}, Group: "kitchen"}, oms.PushConfig{})
	_ = consumer.Run(ctx, func(_ context.Context, msgs []*oms.Message) error {
		for _, m := range msgs {
			fmt.Printf("%s: %s\n", m.Key, m.Body)
		}
		cancel() // enough seen
		return nil
	})
	_ = consumer.Close(context.Background())
	_ = producer.Close(context.Background())
	_ = client.Close(context.Background())
	// Output: 7: three apples
}

func TestPushRetriesInItsLaneOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := memory(t, mem.Options{})
		for i := range 9 {
			send(t, c, message(strconv.Itoa(i%3), strconv.Itoa(i)))
		}
		retries := 0
		pc, err := c.NewPushConsumer(t.Context(), anyTopic, oms.PushConfig{Batch: 1, Lanes: 64, OnRetry: func(error) { retries++ }})
		if err != nil {
			t.Fatal(err)
		}
		var mu sync.Mutex
		byKey := map[string][]string{}
		fails := 3
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		err = pc.Run(ctx, func(_ context.Context, msgs []*oms.Message) error {
			mu.Lock()
			defer mu.Unlock()
			m := msgs[0]
			if string(m.Body) == "1" && fails > 0 {
				fails--
				return io.ErrUnexpectedEOF
			}
			byKey[string(m.Key)] = append(byKey[string(m.Key)], string(m.Body))
			return nil
		})
		if err != nil {
			t.Errorf("Run = %v", err)
		}
		for key, want := range map[string][]string{"0": {"0", "3", "6"}, "1": {"1", "4", "7"}, "2": {"2", "5", "8"}} {
			if !slices.Equal(byKey[key], want) {
				t.Errorf("key %s was handled as %v, want %v", key, byKey[key], want)
			}
		}
		if retries != 3 {
			t.Errorf("%d retries were told, want 3", retries)
		}
		if lag, err := c.Lag(t.Context(), "g", []string{"t"}); lag != 0 || err != nil {
			t.Errorf("Lag = %d, %v; want 0", lag, err)
		}
		shut(t, pc.Flush, pc.Close, c.Close)
	})
}

func TestPushAcknowledgesWhatABatchErrorDoesNotName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := memory(t, mem.Options{})
		for i := range 4 {
			send(t, c, message("k", strconv.Itoa(i)))
		}
		pc, err := c.NewPushConsumer(t.Context(), anyTopic, oms.PushConfig{})
		if err != nil {
			t.Fatal(err)
		}
		var calls [][]string
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_ = pc.Run(ctx, func(_ context.Context, msgs []*oms.Message) error {
			var bodies []string
			for _, m := range msgs {
				bodies = append(bodies, string(m.Body))
			}
			if calls = append(calls, bodies); len(calls) == 1 {
				return &oms.BatchError{Failed: map[int]error{2: io.ErrUnexpectedEOF}}
			}
			return nil
		})
		if got := fmt.Sprint(calls); got != "[[0 1 2 3] [2]]" {
			t.Errorf("the handler was called with %v, want the failed one again alone", got)
		}
		shut(t, pc.Close, c.Close)
	})
}

func TestPushFinishesTheCallUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := memory(t, mem.Options{})
		send(t, c, message("k", "1"), message("k", "2"))
		pc, err := c.NewPushConsumer(t.Context(), anyTopic, oms.PushConfig{Batch: 1})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var handled []string
		_ = pc.Run(ctx, func(ctx context.Context, msgs []*oms.Message) error {
			time.Sleep(time.Minute)
			if ctx.Err() != nil {
				t.Error("the handler's context was cancelled")
			}
			handled = append(handled, string(msgs[0].Body))
			return nil
		})
		if !slices.Equal(handled, []string{"1"}) {
			t.Errorf("handled %v, want only what was under way", handled)
		}
		if lag, err := c.Lag(t.Context(), "g", []string{"t"}); lag != 1 || err != nil {
			t.Errorf("Lag = %d, %v; want the other one", lag, err)
		}
		shut(t, pc.Close, c.Close)
	})
}
