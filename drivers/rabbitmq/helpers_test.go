package rabbitmq_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/omconnect/omconnect/drivers/rabbitmq"
	"github.com/omconnect/omconnect/oms"
)

// patience is how long a test waits for what must happen.
const patience = time.Minute

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

func open(t *testing.T, f *fake, options string) oms.Conn {
	t.Helper()
	ap, err := oms.ParseAccessPoint("oms:rabbitmq://" + f.addr() + "/?" + options)
	if err != nil {
		t.Fatal(err)
	}
	return openAt(t, ap)
}

func openAt(t *testing.T, ap oms.AccessPoint) oms.Conn {
	t.Helper()
	c, err := rabbitmq.Driver{}.Open(t.Context(), ap)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return c
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func want(t *testing.T, what string, err, code error) {
	t.Helper()
	if !errors.Is(err, code) {
		t.Errorf("%s: %v, want %v", what, err, code)
	}
}

func ensure(t *testing.T, c oms.Conn, group string, topics ...string) {
	t.Helper()
	must(t, c.(oms.GroupAdmin).EnsureGroup(within(t), group, topics, oms.Start{}))
}

func makeTopic(t *testing.T, c oms.Conn, name string, partitions int) {
	t.Helper()
	must(t, c.(oms.TopicAdmin).CreateTopic(within(t), oms.TopicSpec{Name: name, Partitions: partitions}))
}

func numbered(topic string, from, to int) (msgs []*oms.Message) {
	for i := from; i < to; i++ {
		msgs = append(msgs, &oms.Message{Topic: topic, ID: fmt.Sprint(i), Body: fmt.Append(nil, i)})
	}
	return msgs
}

// start sends a batch, and returns where its outcome comes.
func start(t *testing.T, s oms.Sender, msgs ...*oms.Message) <-chan error {
	t.Helper()
	out := make(chan error, 2) // two would be a failure, and must not block
	s.SendAsync(within(t), msgs, func(err error) { out <- err })
	return out
}

func outcome(t *testing.T, out <-chan error) error {
	t.Helper()
	select {
	case err := <-out:
		return err
	case <-time.After(patience):
		t.Fatal("done is not called")
		return nil
	}
}

// follow sends a batch that may stand behind a failure, and returns what became
// of it. A done that was called may not have returned yet: as long as the first
// message is aborted it sends again, with pauses that grow, since that is a
// failure, too.
func follow(t *testing.T, s oms.Sender, msgs ...*oms.Message) error {
	t.Helper()
	ctx := within(t)
	for pause := time.Millisecond; ; pause = min(2*pause, time.Second) {
		err := outcome(t, start(t, s, msgs...))
		if !errors.Is(oms.FailureOf(err, 0), oms.ErrAborted) {
			return err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			t.Fatalf("what comes behind a failure stays aborted: %v", err)
		}
	}
}

func sender(t *testing.T, c oms.Conn) oms.Sender {
	t.Helper()
	s, err := c.OpenSender(t.Context(), oms.SenderConfig{})
	must(t, err)
	return s
}

func receiver(t *testing.T, c oms.Conn, cfg oms.ReceiverConfig) oms.Receiver {
	t.Helper()
	r, err := c.OpenReceiver(t.Context(), cfg)
	must(t, err)
	return r
}

func receive(t *testing.T, r oms.Receiver, n int) (msgs []*oms.Message) {
	t.Helper()
	for len(msgs) < n {
		more, err := r.Receive(within(t), n-len(msgs))
		must(t, err)
		msgs = append(msgs, more...)
	}
	return msgs
}

func bodies(msgs []*oms.Message) (out []string) {
	for _, m := range msgs {
		out = append(out, string(m.Body))
	}
	return out
}

func equal(t *testing.T, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(oms.Message{})); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func until(t *testing.T, what string, cond func() bool) {
	t.Helper()
	ctx := within(t)
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for !cond() {
		select {
		case <-again.C:
		case <-ctx.Done():
			t.Fatal(what + " does not happen")
		}
	}
}
