package rocketmq

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/omconnect/omconnect/oms"
)

// A watched is a receiver whose callbacks a test looks at.
type watched struct {
	*receiver

	mu      sync.Mutex
	held    map[int]bool // the numbers of partitions
	revoked []int
	gaps    []oms.Gap
}

func (c *conn) watch(t *testing.T, cfg oms.ReceiverConfig) *watched {
	t.Helper()
	w := &watched{held: make(map[int]bool)}
	cfg.Group = "g"
	cfg.OnAssigned = func(_ context.Context, ps []oms.Partition) (map[oms.Partition]int64, error) {
		w.mu.Lock()
		defer w.mu.Unlock()
		for _, p := range ps {
			w.held[p.Number] = true
		}
		return nil, nil
	}
	cfg.OnRevoked = func(_ context.Context, ps []oms.Partition) {
		w.mu.Lock()
		defer w.mu.Unlock()
		for _, p := range ps {
			delete(w.held, p.Number)
			w.revoked = append(w.revoked, p.Number)
		}
	}
	cfg.OnGap = func(g oms.Gap) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.gaps = append(w.gaps, g)
	}
	r, err := c.OpenReceiver(t.Context(), cfg)
	w.receiver = open(t, r, err).(*receiver)
	return w
}

// holds returns whether the member holds these partitions and no others.
func (w *watched) holds(want ...int) func() bool {
	return func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		return slices.Equal(slices.Sorted(maps.Keys(w.held)), want)
	}
}

func (w *watched) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.held)
}

// next returns the next messages of a receiver, at least one.
func next(t *testing.T, r oms.Receiver) []*oms.Message {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	msgs, err := r.Receive(ctx, 100)
	if err != nil {
		t.Fatal(err)
	}
	return msgs
}

// fill stores n messages in each partition of a topic.
func fill(t *testing.T, c *conn, topic string, partitions, n int) {
	t.Helper()
	s, err := c.OpenSender(t.Context(), oms.SenderConfig{})
	s = open(t, s, err)
	var msgs []*oms.Message
	for p := range partitions {
		for i := range n {
			msgs = append(msgs, &oms.Message{Topic: topic, ToPartition: &p, Body: []byte(strconv.Itoa(i))})
		}
	}
	sendBatch(t, s, msgs)
}

// wide opens a connection with a topic of four partitions.
func wide(t *testing.T, f *fake) *conn {
	t.Helper()
	c := connTo(t, f)
	if err := c.CreateTopic(t.Context(), oms.TopicSpec{Name: "wide", Partitions: 4}); err != nil && !errors.Is(err, oms.ErrExists) {
		t.Fatal(err)
	}
	return c
}
