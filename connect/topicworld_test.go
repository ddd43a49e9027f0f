package connect_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/omconnect/omconnect/drivers/mem"
	"github.com/omconnect/omconnect/oms"
)

// foreign calls the broker as a program of somebody else does.
func (w *world) foreign(use func(context.Context, *oms.Client)) {
	w.t.Helper()
	if w.driver == nil {
		w.driver = mem.New(w.broker)
	}
	ctx, registry := w.t.Context(), new(oms.Registry)
	registry.Register("mem", w.driver)
	c, err := registry.Open(ctx, "mem")
	if err != nil {
		w.t.Fatal(err)
	}
	use(ctx, c)
	if err := c.Close(ctx); err != nil {
		w.t.Error(err)
	}
}

// fill makes a topic and sends to it so many messages, numbered from first.
func (w *world) fill(topic string, first, n int) {
	w.t.Helper()
	w.foreign(func(ctx context.Context, c *oms.Client) {
		if err := c.EnsureTopic(ctx, oms.TopicSpec{Name: topic}); err != nil {
			w.t.Fatal(err)
		}
		p, err := c.NewProducer(ctx, oms.SenderConfig{})
		if err != nil {
			w.t.Fatal(err)
		}
		for i := range n {
			if err := p.Send(ctx, &oms.Message{Topic: topic, Key: fmt.Append(nil, i%5), Body: fmt.Appendf(nil, "%s/%d", topic, first+i)}); err != nil {
				w.t.Fatal(err)
			}
		}
		if err := p.Close(ctx); err != nil {
			w.t.Error(err)
		}
	})
}

func (w *world) deleteTopic(name string) {
	w.t.Helper()
	w.foreign(func(ctx context.Context, c *oms.Client) {
		if err := c.DeleteTopic(ctx, name); err != nil {
			w.t.Fatal(err)
		}
	})
}

func (w *world) topicNames() (names []string) {
	w.t.Helper()
	w.foreign(func(ctx context.Context, c *oms.Client) {
		infos, err := c.Topics(ctx)
		if err != nil {
			w.t.Fatal(err)
		}
		for _, info := range infos {
			names = append(names, info.Name)
		}
	})
	return names
}

// lagOf returns how many messages of topics a group has not acknowledged.
func (w *world) lagOf(group string, topics ...string) (lag int64) {
	w.t.Helper()
	w.foreign(func(ctx context.Context, c *oms.Client) {
		var err error
		if lag, err = c.Lag(ctx, group, topics); err != nil {
			w.t.Fatal(err)
		}
	})
	return lag
}

// A ledger is what each sink was given, by connector.
type ledger struct {
	mu   sync.Mutex
	rows map[string][]string
}

// keepLedger has the world's sinks write down what they are given.
func (w *world) keepLedger() *ledger {
	l := &ledger{rows: make(map[string][]string)}
	w.sink.onPut = func(life *lifeline, msgs []*oms.Message) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.rows[life.env.Connector] = append(l.rows[life.env.Connector], texts(msgs)...)
	}
	return l
}

// of returns what a connector was given, sorted.
func (l *ledger) of(connector string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Sorted(slices.Values(l.rows[connector]))
}

// filled returns what fill sends, sorted.
func filled(topic string, first, n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf("%s/%d", topic, first+i)
	}
	return slices.Sorted(slices.Values(list))
}

func together(lists ...[]string) []string {
	return slices.Sorted(slices.Values(slices.Concat(lists...)))
}

func wantSame(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: got %d records, want %d: %.300q", what, len(got), len(want), strings.Join(got, " "))
	}
}
