package oms

import (
	"errors"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"
)

// A screen keeps back what cannot be sent, and gives the rest what a message
// has to have.
type screen struct {
	client    *Client
	unclaimed []feature
}

func newScreen(c *Client) screen {
	s := screen{client: c}
	for _, f := range features {
		if !c.caps.Has(f.capability) {
			s.unclaimed = append(s.unclaimed, f)
		}
	}
	return s
}

// pass gives messages their ids and times. When one of them cannot be sent at
// all it returns a *BatchError with every message of the batch: its own cause,
// or ErrAborted.
func (s screen) pass(msgs []*Message) error {
	var failed map[int]error
	var now time.Time // one for all: asking costs more than the rest of this
	var valid string  // the topic of the message before
	fresh := ids{left: len(msgs)}
	for i, m := range msgs {
		if err := s.check(m, valid); err != nil {
			if failed == nil {
				failed = make(map[int]error)
			}
			failed[i] = err
			continue
		}
		valid = m.Topic
		if m.ID == "" {
			m.ID = fresh.next()
		}
		fresh.left--
		if m.BornAt.IsZero() {
			if now.IsZero() {
				now = time.Now()
			}
			m.BornAt = now
		}
	}
	if len(failed) == 0 {
		return nil
	}
	for i, m := range msgs {
		if failed[i] == nil {
			failed[i] = s.fail(m, ErrAborted, errors.New("another message of its batch cannot be sent"))
		}
	}
	return &BatchError{Failed: failed}
}

// A feature is what a message can ask of a broker.
type feature struct {
	capability Capability
	used       func(*Message) bool
}

var features = []feature{
	{MessageKey, func(m *Message) bool { return m.Key != nil }},
	{Tombstones, func(m *Message) bool { return m.Body == nil }},
	{Delay, func(m *Message) bool { return m.Delay > 0 }},
	{Expiry, func(m *Message) bool { return !m.ExpiresAt.IsZero() }},
	{Priority, func(m *Message) bool { return m.Priority > 0 }},
	{ExplicitPartition, func(m *Message) bool { return m.ToPartition != nil }},
	{BinaryHeaders, func(m *Message) bool {
		return slices.ContainsFunc(m.Headers, func(h Header) bool { return !utf8.Valid(h.Value) })
	}},
	{RepeatedHeaders, func(m *Message) bool {
		for i, h := range m.Headers {
			for _, other := range m.Headers[:i] {
				if other.Name == h.Name {
					return true
				}
			}
		}
		return false
	}},
	{NilHeaders, func(m *Message) bool {
		for _, h := range m.Headers {
			if h.Value == nil {
				return true
			}
		}
		return false
	}},
}

// check tells what keeps a message from being sent. A topic that is known to
// be valid is not looked at again.
func (s screen) check(m *Message, valid string) error {
	if m.Topic != valid || valid == "" {
		if err := ValidTopic(m.Topic); err != nil {
			return s.fail(m, ErrInvalid, err)
		}
	}
	if limit := s.client.caps.MaxBody; limit > 0 && len(m.Body) > limit {
		return s.fail(m, ErrTooLarge, fmt.Errorf("the body has %d bytes, at most %d are allowed", len(m.Body), limit))
	}
	for _, f := range s.unclaimed {
		if f.used(m) {
			return s.client.caps.Check(s.client.ap.Driver, []Need{{Capability: f.capability}})
		}
	}
	for _, h := range m.Headers {
		if h.Name == "" {
			return s.fail(m, ErrFormat, errors.New("a header has no name"))
		}
	}
	if m.Delay < 0 || m.Priority < 0 || m.Priority > 10 {
		return s.fail(m, ErrInvalid, fmt.Errorf("delay %v or priority %d is out of range", m.Delay, m.Priority))
	}
	return nil
}

func (s screen) fail(m *Message, code Code, err error) error {
	return s.client.fail("send", m.Topic, code, err)
}
