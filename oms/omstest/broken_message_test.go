package omstest_test

import (
	"bytes"
	"context"
	"slices"
	"strings"

	"github.com/omconnect/omconnect/oms"
)

// rewrite has every message changed on its way to the broker.
func rewrite(change func(*oms.Message)) func(*broken) {
	return func(d *broken) {
		d.onSender = func(s *brokenSender) {
			send := s.sendAsync
			s.sendAsync = func(ctx context.Context, msgs []*oms.Message, done func(error)) {
				changed := make([]*oms.Message, len(msgs))
				for i, m := range msgs {
					changed[i] = m.Clone()
					change(changed[i])
				}
				send(ctx, changed, done)
			}
		}
	}
}

// rewriteHeader has every header changed on its way to the broker.
func rewriteHeader(change func(*oms.Header)) func(*broken) {
	return rewrite(func(m *oms.Message) {
		m.Headers = slices.Clone(m.Headers)
		for i := range m.Headers {
			change(&m.Headers[i])
		}
	})
}

// drop has messages confirmed that are not sent.
func drop(unwanted func(s *brokenSender, m *oms.Message) bool) func(*broken) {
	return func(d *broken) {
		d.onSender = func(s *brokenSender) {
			send := s.sendAsync
			s.sendAsync = func(ctx context.Context, msgs []*oms.Message, done func(error)) {
				var index []int
				var wanted []*oms.Message
				for i, m := range msgs {
					if !unwanted(s, m) {
						index, wanted = append(index, i), append(wanted, m)
					}
				}
				send(ctx, wanted, func(err error) { done(spread(err, index)) })
			}
		}
	}
}

// spread gives the error of some messages of a batch the indices that they
// have in the whole batch.
func spread(err error, index []int) error {
	failed := make(map[int]error)
	for i, at := range index {
		if failure := oms.FailureOf(err, i); failure != nil {
			failed[at] = failure
		}
	}
	if len(failed) == 0 {
		return nil
	}
	return &oms.BatchError{Failed: failed}
}

func lastOfEachName(m *oms.Message) {
	var kept oms.Headers
	for i, h := range m.Headers {
		if !slices.ContainsFunc(m.Headers[i+1:], func(later oms.Header) bool { return later.Name == h.Name }) {
			kept = append(kept, h)
		}
	}
	m.Headers = kept
}

func textOnly(b []byte) []byte {
	if b == nil {
		return nil
	}
	return bytes.ToValidUTF8(b, []byte("?"))
}

// steer obeys a header that should only be carried.
func steer(m *oms.Message) {
	if topic := m.Headers.Text("broken-topic"); topic != "" {
		m.Topic = topic
	}
	if id := m.Headers.Text("broken-id"); id != "" {
		m.ID = id
	}
	if m.Headers.Text("broken-partition") != "" {
		m.Headers = m.Headers.Without("broken-partition")
	}
}

// dropRepeatedIDs takes two messages of one id for one.
func dropRepeatedIDs(d *broken) {
	seen := make(map[string]bool)
	name := func(m *oms.Message) string { return m.Topic + " " + m.ID }
	drop(func(_ *brokenSender, m *oms.Message) bool {
		d.mu.Lock()
		defer d.mu.Unlock()
		return m.ID != "" && seen[name(m)]
	})(d)
	dropping := d.onSender
	d.onSender = func(s *brokenSender) {
		dropping(s)
		send := s.sendAsync
		s.sendAsync = func(ctx context.Context, msgs []*oms.Message, done func(error)) {
			send(ctx, msgs, func(err error) {
				d.mu.Lock()
				for i, m := range msgs {
					seen[name(m)] = seen[name(m)] || oms.FailureOf(err, i) == nil
				}
				d.mu.Unlock()
				done(err)
			})
		}
	}
}

// makeTopics makes the topics of what is sent.
func makeTopics(d *broken) {
	d.onSender = func(s *brokenSender) {
		send := s.sendAsync
		s.sendAsync = func(ctx context.Context, msgs []*oms.Message, done func(error)) {
			for _, m := range msgs {
				_ = s.conn.memConn.CreateTopic(ctx, oms.TopicSpec{Name: m.Topic}) // which mostly is there
			}
			send(ctx, msgs, done)
		}
	}
}

// takeReservedNames hides from the broker that a topic is its own.
func takeReservedNames(d *broken) {
	mangle := func(topic string) string {
		return strings.NewReplacer("$", "dollar", "__", "lines").Replace(topic)
	}
	rewrite(func(m *oms.Message) { m.Topic = mangle(m.Topic) })(d)
	d.onConn = func(c *brokenConn) {
		create := c.createTopic
		c.createTopic = func(ctx context.Context, spec oms.TopicSpec) error {
			spec.Name = mangle(spec.Name)
			return create(ctx, spec)
		}
	}
}
