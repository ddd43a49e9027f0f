package connect_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/oms"
)

// base has the hooks of both test connectors.
type base struct {
	*scripted
	life *lifeline
	g    *gateway
}

func (b base) OnStart(ctx context.Context, _ oms.KeyValue) error {
	return b.call(ctx, b.life, "OnStart")
}
func (b base) OnPause(ctx context.Context) error     { return b.call(ctx, b.life, "OnPause") }
func (b base) OnStop(ctx context.Context) error      { return b.call(ctx, b.life, "OnStop") }
func (b base) OnFailed(ctx context.Context, _ error) { _ = b.call(ctx, b.life, "OnFailed") }
func (b base) OnDestroyed(ctx context.Context) error { return b.call(ctx, b.life, "OnDestroyed") }

type resumer struct{ base }

func (r resumer) OnResume(ctx context.Context) error { return r.call(ctx, r.life, "OnResume") }

// A plainCounter counts from 1 up to last; it cannot be told where to go on.
type plainCounter struct {
	base
	next, last, batch int
	every             time.Duration
}

// A counter goes on from its position.
type counter struct{ *plainCounter }

func (s *scripted) newSource(env connect.Env, g *gateway) (connect.Connector, error) {
	life, err := s.birth(env)
	if err != nil {
		return nil, err
	}
	c := counter{&plainCounter{base: base{s, life, g}, next: 1}}
	switch {
	case s.plain:
		return c.plainCounter, nil
	case s.split > 0:
		return splitter{c}, nil
	case s.resume:
		return struct {
			counter
			resumes
		}{c, resumer{c.base}}, nil
	}
	return c, nil
}

type resumes interface {
	OnResume(ctx context.Context) error
}

type splitter struct{ counter }

func (p splitter) Split(ctx context.Context, config oms.KeyValue, limit int) ([]oms.KeyValue, error) {
	if err := p.call(ctx, p.life, "Split"); err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	parts := make([]oms.KeyValue, min(limit, p.split))
	for i := range parts {
		parts[i] = config.Clone()
	}
	return parts, nil
}

func (c *plainCounter) OnStart(ctx context.Context, config oms.KeyValue) error {
	r := config.Reader()
	c.last, c.batch, c.every = r.Int("last"), r.Int("batch"), r.Millis("every.ms")
	return c.base.OnStart(ctx, config)
}

func (c *plainCounter) partition() string { return fmt.Sprintf(`{"task":%d}`, c.life.env.Task) }

func (c *plainCounter) Poll(ctx context.Context) ([]*oms.Message, error) {
	if c.next > c.last {
		return nil, io.EOF
	}
	select {
	case <-time.After(c.every):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if err := c.call(ctx, c.life, "Poll", strconv.Itoa(c.next)); err != nil {
		return nil, err
	}
	var msgs []*oms.Message
	for ; len(msgs) < c.batch && c.next <= c.last; c.next++ {
		m := &oms.Message{
			Key: fmt.Appendf(nil, "k%d", c.next%7), Body: []byte(strconv.Itoa(c.next)),
			Origin: &oms.Origin{Partition: c.partition(), Position: fmt.Sprintf(`{"n":%d}`, c.next)},
		}
		if c.message != nil {
			c.message(m, c.next)
		}
		msgs = append(msgs, m)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.polled = max(c.polled, c.next-1)
	return msgs, nil
}

func (c counter) Seek(ctx context.Context, positions []oms.Origin) error {
	if err := c.call(ctx, c.life, "Seek"); err != nil {
		return err
	}
	for _, p := range positions {
		if p.Partition != c.partition() {
			continue
		}
		if _, err := fmt.Sscanf(p.Position, `{"n":%d}`, &c.next); err != nil {
			return err
		}
		c.next++
	}
	return nil
}

func (c counter) Committed(ctx context.Context, positions []oms.Origin) error {
	for _, p := range positions {
		var n int
		if _, err := fmt.Sscanf(p.Position, `{"n":%d}`, &n); err != nil {
			return err
		}
		c.mu.Lock()
		c.committed = append(c.committed, n)
		c.mu.Unlock()
	}
	return c.call(ctx, c.life, "Committed")
}

// A memo writes down what is put.
type memo struct {
	base
	accepted []string
}

func (s *scripted) newSink(env connect.Env, g *gateway) (connect.Connector, error) {
	life, err := s.birth(env)
	if err != nil {
		return nil, err
	}
	m := &memo{base: base{s, life, g}}
	switch {
	case s.flush:
		return &flushing{m}, nil
	case s.resume:
		return struct {
			*memo
			resumes
		}{m, resumer{m.base}}, nil
	}
	return m, nil
}

func (m *memo) HandlesTombstones() bool {
	if m.onCall != nil {
		_ = m.onCall(context.Background(), m.life.env, "HandlesTombstones", "")
	}
	return m.graves
}

func (m *memo) Put(ctx context.Context, msgs []*oms.Message) error {
	m.notePut(msgs)
	err := m.call(ctx, m.life, "Put", string(msgs[0].Body))
	n := len(msgs)
	if err != nil {
		n = 0
		if p, ok := errors.AsType[*connect.PartialError](err); ok {
			n = min(p.Index, len(msgs)-1)
		}
	}
	m.safe(texts(msgs[:n]))
	return err
}

func (m *memo) notePut(msgs []*oms.Message) {
	if m.onPut != nil {
		m.onPut(m.life, msgs)
	}
}

// safe writes down what is safe now, unless the process is dead.
func (m *memo) safe(bodies []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.g.dead.Load() {
		m.put = append(m.put, bodies...)
	}
}

// A flushing sink has put what it accepted only when it is flushed.
type flushing struct{ *memo }

func (f *flushing) Put(ctx context.Context, msgs []*oms.Message) error {
	f.notePut(msgs)
	err := f.call(ctx, f.life, "Put", string(msgs[0].Body))
	if err == nil {
		f.accepted = append(f.accepted, texts(msgs)...)
	}
	return err
}

func (f *flushing) Flush(ctx context.Context) error {
	if err := f.call(ctx, f.life, "Flush"); err != nil {
		return err
	}
	f.safe(f.accepted)
	f.accepted = nil
	return nil
}

func texts(msgs []*oms.Message) []string {
	list := make([]string, len(msgs))
	for i, m := range msgs {
		list[i] = string(m.Body)
	}
	return list
}

// numbers returns the numbers from 1 to n as text.
func numbers(n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = strconv.Itoa(i + 1)
	}
	return list
}

// firsts returns a list without repeats.
func firsts(list []string) []string {
	seen := make(map[string]bool)
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool {
		was := seen[s]
		seen[s] = true
		return was
	})
}
