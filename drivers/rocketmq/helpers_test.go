package rocketmq_test

import (
	"context"
	"testing"

	"github.com/omconnect/omconnect/drivers/rocketmq"
	"github.com/omconnect/omconnect/oms"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// within is a context with patience.
func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

func parse(t *testing.T, text string) oms.AccessPoint {
	t.Helper()
	ap, err := oms.ParseAccessPoint(text)
	must(t, err)
	return ap
}

func openAt(t *testing.T, ap oms.AccessPoint) oms.Conn {
	t.Helper()
	c, err := rocketmq.Driver{}.Open(t.Context(), ap)
	must(t, err)
	t.Cleanup(func() { must(t, c.Close(context.WithoutCancel(t.Context()))) })
	return c
}

func makeTopic(t *testing.T, c oms.Conn, name string, partitions int) {
	t.Helper()
	must(t, c.(oms.TopicAdmin).CreateTopic(within(t), oms.TopicSpec{Name: name, Partitions: partitions}))
}

// sendAll sends messages as one batch and returns what became of it.
func sendAll(t *testing.T, c oms.Conn, msgs ...*oms.Message) error {
	t.Helper()
	s, err := c.OpenSender(within(t), oms.SenderConfig{})
	must(t, err)
	done := make(chan error, 1)
	s.SendAsync(within(t), msgs, func(err error) { done <- err })
	select {
	case err = <-done:
	case <-within(t).Done():
		t.Fatal("done is not called")
	}
	must(t, s.Close(within(t)))
	return err
}

// receiveAll returns n messages as a new member of a group, acknowledges and
// flushes them, and leaves.
func receiveAll(t *testing.T, c oms.Conn, group, topic string, n int) []*oms.Message {
	t.Helper()
	r, err := c.OpenReceiver(within(t), oms.ReceiverConfig{Group: group, Topics: []string{topic}})
	must(t, err)
	var all []*oms.Message
	for len(all) < n {
		msgs, err := r.Receive(within(t), n-len(all))
		must(t, err)
		all = append(all, msgs...)
	}
	must(t, r.Ack(within(t), all))
	must(t, r.Close(within(t)))
	return all
}
