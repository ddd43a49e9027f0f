package connecttest_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/connect/connecttest"
	"github.com/omconnect/omconnect/oms"
)

// A shelf is the target of a sink: it outlives it.
type shelf struct {
	mu    sync.Mutex
	items []int
	busy  chan struct{} // not nil while it takes nothing; closed then
}

func (s *shelf) wait(ctx context.Context) error {
	s.mu.Lock()
	busy := s.busy
	s.mu.Unlock()
	if busy == nil {
		return ctx.Err()
	}
	select {
	case <-busy:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *shelf) block() (release func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	busy := make(chan struct{})
	s.busy = busy
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.busy = nil
		close(busy)
	}
}

func (s *shelf) stored() []int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.items)
}

// store keeps an item, once if it is asked to.
func (s *shelf) store(n int, once bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !once || !slices.Contains(s.items, n) {
		s.items = append(s.items, n)
	}
}

func (s *shelf) remove(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.items = slices.DeleteFunc(s.items, func(item int) bool { return item == n })
}

// A shelver is a sink that fills a shelf, broken in the way that its fault
// says.
type shelver struct {
	connect.Hooks
	*shelf
	fault string
	held  []*oms.Message
}

func shelfHarness(fault string) func(t *testing.T) connecttest.Sink {
	return func(*testing.T) connecttest.Sink {
		s := new(shelf)
		message := func(prefix string) func(i int) *oms.Message {
			return func(i int) *oms.Message {
				return &oms.Message{Topic: "t", Key: []byte(strconv.Itoa(i)), Body: []byte(prefix + strconv.Itoa(i)), Offset: int64(i)}
			}
		}
		return connecttest.Sink{
			Plugin: connect.Plugin{
				Class: "shelf-sink", Kind: connect.KindSink, Doc: "Fills a shelf.",
				Def: connect.ConfigDef{Keys: []connect.Key{{Name: "token", Secret: true, Doc: "Secret."}}},
				New: func(connect.Env) (connect.Connector, error) {
					c := &shelver{shelf: s, fault: fault}
					if strings.HasPrefix(fault, "flusher") {
						return &flushing{c}, nil
					}
					return c, nil
				},
			},
			Config:     oms.KeyValue{"token": password},
			Message:    message(""),
			Stored:     s.stored,
			Refused:    message("bad"),
			Tombstone:  func(i int) *oms.Message { return &oms.Message{Topic: "t", Key: []byte(strconv.Itoa(i))} },
			Block:      s.block,
			Idempotent: !strings.Contains(fault, "repeats are told"),
		}
	}
}

func (s *shelver) is(fault string) bool { return s.fault == fault }

func (s *shelver) HandlesTombstones() bool { return !s.is("tombstones are not claimed") }

func (s *shelver) OnStart(context.Context, oms.KeyValue) error {
	if s.is("the target is emptied at the start") {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.items = nil
	}
	return nil
}

func (s *shelver) OnStop(ctx context.Context) error {
	switch {
	case s.is("OnStop waits for the target"):
		return s.wait(context.WithoutCancel(ctx))
	case s.is("what was put waits for OnStop"):
		return s.all(ctx, s.held)
	}
	return nil
}

func (s *shelver) Put(ctx context.Context, msgs []*oms.Message) error {
	switch s.fault {
	case "a message waits for the next":
		msgs = append(s.held, msgs...)
		s.held = msgs[len(msgs)-1:]
		msgs = msgs[:len(msgs)-1]
	case "what was put waits for OnStop":
		s.held = append(s.held, msgs...)
		return nil
	case "a body is changed":
		msgs[0].Body = append(msgs[0].Body[:0:0], "x"...)
		defer func() { msgs[0].Body = []byte("y") }()
	case "the batch is sorted":
		defer slices.Reverse(msgs)
	case "Put does not look at its context":
		ctx = context.WithoutCancel(ctx)
	case "an end of the context is taken for success":
		if s.wait(ctx) != nil {
			return nil
		}
	}
	return s.all(ctx, msgs)
}

var errBad = errors.New("it is bad")

func (s *shelver) all(ctx context.Context, msgs []*oms.Message) error {
	for i, m := range msgs {
		if err := s.wait(ctx); err != nil {
			if i == 0 {
				return err
			}
			return &connect.PartialError{Index: i, Err: err}
		}
		if err := s.one(m); err != nil {
			switch s.fault {
			case "the index is one too high":
				i++
			case "the index is one too low":
				i--
			case "the index is always 0":
				i = 0
			case "the error is not partial":
				return err
			case "Also has all the rest":
				also := make(map[int]error)
				for j := i + 1; j < len(msgs); j++ {
					also[j] = errBad
				}
				return &connect.PartialError{Index: i, Err: err, Also: also}
			case "Also has what is before Index":
				return &connect.PartialError{Index: i, Err: err, Also: map[int]error{i - 1: err}}
			case "the error has a password":
				return &connect.PartialError{Index: i, Err: errors.New(password)}
			}
			return &connect.PartialError{Index: i, Err: err}
		}
	}
	return nil
}

func (s *shelver) one(m *oms.Message) error {
	if m.Body == nil {
		n, err := strconv.Atoi(string(m.Key))
		if err == nil && !s.is("tombstones do nothing") {
			s.remove(n)
		}
		return err
	}
	n, err := strconv.Atoi(string(m.Body))
	switch {
	case s.is("a body is changed"):
		n, _ = strconv.Atoi(string(m.Key)) // the body is not what it was
	case err != nil && s.is("bad messages are left out"):
		return nil
	case err != nil:
		return fmt.Errorf("%w: message %d", errBad, m.Offset)
	}
	s.store(n, !s.is("it is not idempotent") && !strings.Contains(s.fault, "repeats are told"))
	return nil
}

// A flushing shelver stores when it is flushed.
type flushing struct{ *shelver }

func (f *flushing) Put(_ context.Context, msgs []*oms.Message) error {
	for i, m := range msgs {
		if strings.HasPrefix(string(m.Body), "bad") {
			f.held = append(f.held, msgs[:i]...)
			return &connect.PartialError{Index: i, Err: errBad}
		}
	}
	f.held = append(f.held, msgs...)
	return nil
}

func (f *flushing) Flush(ctx context.Context) error {
	if f.is("flusher that does not flush") {
		return nil
	}
	if f.is("flusher that does not look at its context") {
		time.Sleep(2 * time.Minute)
	}
	err := f.all(ctx, f.held)
	if err == nil {
		f.held = nil
	}
	return err
}
