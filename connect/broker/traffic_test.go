package broker_test

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/omconnect/omconnect/oms"
)

// client opens a client of a broker, for the time of the call.
func (w *world) client(of string, use func(context.Context, *oms.Client)) {
	w.t.Helper()
	ctx, registry := w.t.Context(), new(oms.Registry)
	registry.Register(of, w.drivers[of])
	c, err := registry.Open(ctx, of)
	if err != nil {
		w.t.Fatal(err)
	}
	use(ctx, c)
	if err := c.Close(ctx); err != nil {
		w.t.Error(err)
	}
}

// send puts messages into a broker.
func (w *world) send(to string, msgs ...*oms.Message) {
	w.t.Helper()
	w.client(to, func(ctx context.Context, c *oms.Client) {
		p, err := c.NewProducer(ctx, oms.SenderConfig{})
		if err == nil {
			for _, m := range msgs {
				err = c.EnsureTopic(ctx, oms.TopicSpec{Name: m.Topic})
			}
			if err == nil {
				err = p.Send(ctx, msgs...)
			}
		}
		if err != nil {
			w.t.Fatal(err)
		}
		if err := p.Close(ctx); err != nil {
			w.t.Error(err)
		}
	})
}

// number sends messages whose bodies are the numbers from first.
func (w *world) number(to, topic string, first, n int) {
	w.t.Helper()
	msgs := make([]*oms.Message, n)
	for i := range msgs {
		msgs[i] = &oms.Message{Topic: topic, Key: fmt.Appendf(nil, "key %d", (first+i)%23), Body: fmt.Appendf(nil, "%d", first+i)}
	}
	w.send(to, msgs...)
}

// topic returns what a topic of a broker holds, by partition, in order.
func (w *world) topic(of, name string) (msgs []*oms.Message) {
	w.t.Helper()
	w.client(of, func(ctx context.Context, c *oms.Client) {
		if _, err := c.Offsets(ctx, []string{name}, oms.Start{}); err != nil {
			return // it is not there
		}
		r, err := c.NewPullConsumer(ctx, oms.ReceiverConfig{Topics: []string{name}, Group: "check", MaxUnacked: 1e9, MaxUnackedBytes: 1 << 40})
		if err != nil {
			w.t.Fatal(err)
		}
		for {
			got, err := r.Receive(ctx, 1e9, 10*time.Millisecond)
			if err != nil {
				w.t.Fatal(err)
			}
			if len(got) == 0 {
				break
			}
			msgs = append(msgs, got...)
		}
		if err := r.Close(ctx); err != nil {
			w.t.Error(err)
		}
	})
	slices.SortStableFunc(msgs, func(a, b *oms.Message) int { return a.Partition - b.Partition })
	return msgs
}

// bodies returns the bodies of a topic.
func (w *world) bodies(of, name string) []string {
	w.t.Helper()
	var texts []string
	for _, m := range w.topic(of, name) {
		texts = append(texts, string(m.Body))
	}
	return texts
}

// has waits until a topic has at least so many messages, and a little longer.
func (w *world) has(of, name string, n int) {
	w.t.Helper()
	w.eventually(fmt.Sprintf("%d messages in %s of %s", n, name, of), func() bool { return len(w.topic(of, name)) >= n })
	w.wait(3 * time.Second)
}

// acknowledged returns how many messages of a topic a group has acknowledged.
func (w *world) acknowledged(of, group, topic string) (sum int64) {
	w.t.Helper()
	w.client(of, func(ctx context.Context, c *oms.Client) {
		at, err := c.Positions(ctx, group, []string{topic})
		if err != nil {
			w.t.Fatal(err)
		}
		for _, n := range at {
			sum += n
		}
	})
	return sum
}

// numbers returns the numbers from 0 as bodies.
func numbers(n int) []string {
	texts := make([]string, n)
	for i := range texts {
		texts[i] = fmt.Sprint(i)
	}
	return texts
}

// once returns texts in order, each once.
func once(texts []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(texts)))
}

// same fails unless two lists are equal but for their order.
func same(t *testing.T, got, want []string) {
	t.Helper()
	if d := cmp.Diff(slices.Sorted(slices.Values(want)), slices.Sorted(slices.Values(got))); d != "" {
		t.Errorf("want -, got +:\n%s", d)
	}
}

// carried returns a message as it is to arrive: without what its broker gave
// it, and with its time cut as brokers do.
func carried(m *oms.Message) oms.Message {
	return oms.Message{
		ID: m.ID, Topic: m.Topic, Key: m.Key, Body: m.Body, Headers: m.Headers, BornAt: m.BornAt.Truncate(time.Millisecond).UTC(),
		CorrelationID: m.CorrelationID, TraceParent: m.TraceParent, TraceState: m.TraceState, ExpiresAt: m.ExpiresAt.UTC(), Priority: m.Priority,
	}
}

// diff compares what messages carry.
func diff(want, got []*oms.Message) string {
	var w, g []oms.Message
	for _, m := range want {
		w = append(w, carried(m))
	}
	for _, m := range got {
		g = append(g, carried(m))
	}
	return cmp.Diff(w, g, cmp.Comparer(func(a, b oms.Message) bool {
		return a.ID == b.ID && a.Topic == b.Topic && exact(a.Key, b.Key) && exact(a.Body, b.Body) && a.BornAt.Equal(b.BornAt) &&
			a.CorrelationID == b.CorrelationID && a.TraceParent == b.TraceParent && a.TraceState == b.TraceState &&
			a.ExpiresAt.Equal(b.ExpiresAt) && a.Priority == b.Priority &&
			slices.EqualFunc(a.Headers, b.Headers, func(x, y oms.Header) bool { return x.Name == y.Name && exact(x.Value, y.Value) })
	}))
}

// exact tells nil from empty.
func exact(a, b []byte) bool { return bytes.Equal(a, b) && (a == nil) == (b == nil) }
