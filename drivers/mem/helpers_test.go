package mem_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/omconnect/omconnect/drivers/mem"
	"github.com/omconnect/omconnect/oms"
)

// bench is a broker and one connection to it, inside a bubble of fake time.
// The bubble fails the test if a goroutine outlives what was opened.
type bench struct {
	*testing.T

	driver *mem.Driver
	conn   oms.Conn
}

func bubble(t *testing.T, o mem.Options, f func(b *bench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := &bench{T: t, driver: mem.New(o)}
		b.conn = b.dial()
		f(b)
	})
}

// dial opens one more connection, closed when the test ends.
func (b *bench) dial() oms.Conn {
	b.Helper()
	conn, err := b.driver.Open(b.Context(), oms.AccessPoint{Driver: "mem"})
	b.noError(err)
	b.Cleanup(func() { b.noError(conn.Close(context.Background())) })
	return conn
}

func (b *bench) topic(name string, partitions int) {
	b.Helper()
	b.noError(b.admin().CreateTopic(b.Context(), oms.TopicSpec{Name: name, Partitions: partitions}))
}

func (b *bench) admin() oms.TopicAdmin  { return b.conn.(oms.TopicAdmin) }
func (b *bench) groups() oms.GroupAdmin { return b.conn.(oms.GroupAdmin) }

func (b *bench) sender(cfg oms.SenderConfig) oms.Sender {
	b.Helper()
	s, err := b.conn.OpenSender(b.Context(), cfg)
	b.noError(err)
	return s
}

func (b *bench) receiver(cfg oms.ReceiverConfig) oms.Receiver {
	b.Helper()
	r, err := b.conn.OpenReceiver(b.Context(), cfg)
	b.noError(err)
	return r
}

// reader opens a receiver of one topic.
func (b *bench) reader(topic, group string) oms.Receiver {
	b.Helper()
	return b.receiver(oms.ReceiverConfig{Topics: []string{topic}, Group: group})
}

// send sends messages and fails the test when one is not confirmed.
func (b *bench) send(msgs ...*oms.Message) {
	b.Helper()
	s := b.sender(oms.SenderConfig{})
	b.noError(outcome(s, msgs...))
	b.noError(s.Close(b.Context()))
}

// outcome sends a batch and waits for what became of it.
func outcome(s oms.Sender, msgs ...*oms.Message) error {
	return <-start(s, msgs...)
}

// start sends a batch without waiting.
func start(s oms.Sender, msgs ...*oms.Message) <-chan error {
	done := make(chan error, 2) // a second outcome is seen, not waited for
	s.SendAsync(context.Background(), msgs, func(err error) { done <- err })
	return done
}

// told waits until every done that was called has returned, and the sender has
// noted it: until then what comes behind a failure is aborted.
func (b *bench) told() {
	b.Helper()
	time.Sleep(time.Second) // which goes by when nobody in the bubble has anything left to do
}

// receive takes all that comes until nothing more does.
func (b *bench) receive(r oms.Receiver) []*oms.Message {
	b.Helper()
	var all []*oms.Message
	for {
		msgs, err := b.poll(r, 1000)
		if err != nil {
			return all
		}
		all = append(all, msgs...)
	}
}

// poll makes one attempt to receive, which ends when the bubble is idle.
func (b *bench) poll(r oms.Receiver, limit int) ([]*oms.Message, error) {
	ctx, cancel := context.WithTimeout(b.Context(), time.Millisecond)
	defer cancel()
	return r.Receive(ctx, limit)
}

func (b *bench) noError(err error) {
	b.Helper()
	if err != nil {
		b.Fatalf("unexpected error: %v", err)
	}
}

func (b *bench) wantError(err, want error) {
	b.Helper()
	if code, ok := want.(oms.Code); ok && oms.CodeOf(err) != code || !ok && err != want { //nolint:errorlint // the very error
		b.Errorf("error is %v, want %v", err, want)
	}
}

func (b *bench) wantBodies(msgs []*oms.Message, want ...string) {
	b.Helper()
	if got := bodies(msgs); !slices.Equal(got, want) {
		b.Errorf("received %q, want %q", got, want)
	}
}

func (b *bench) offsets(start oms.Start, topics ...string) (map[oms.Partition]int64, error) {
	return b.conn.(oms.OffsetFinder).Offsets(b.Context(), topics, start)
}

// wantPositions compares where a group stands, partition by partition.
func (b *bench) wantPositions(group, topic string, want ...int64) {
	b.Helper()
	got, err := b.conn.(oms.GroupPositioner).Positions(b.Context(), group, []string{topic})
	b.noError(err)
	expected := make(map[oms.Partition]int64)
	for n, offset := range want {
		expected[oms.Partition{Topic: topic, Number: n}] = offset
	}
	if diff := cmp.Diff(expected, got); diff != "" {
		b.Errorf("positions of %s, -want +got:\n%s", group, diff)
	}
}

func (b *bench) wantLag(group, topic string, want int64) {
	b.Helper()
	lag, err := b.conn.(oms.LagReporter).Lag(b.Context(), group, []string{topic})
	b.noError(err)
	var sum int64
	for _, n := range lag {
		sum += n
	}
	if sum != want {
		b.Errorf("lag of %s is %d %v, want %d", group, sum, lag, want)
	}
}

// text is a message with a body.
func text(topic, body string) *oms.Message {
	return &oms.Message{Topic: topic, Body: []byte(body)}
}

// keyed is a message with a key.
func keyed(topic, key, body string) *oms.Message {
	return &oms.Message{Topic: topic, Key: []byte(key), Body: []byte(body)}
}

// numbered returns n messages with their number as body.
func numbered(topic string, n int) []*oms.Message {
	msgs := make([]*oms.Message, n)
	for i := range msgs {
		msgs[i] = text(topic, fmt.Sprint(i))
	}
	return msgs
}

func bodies(msgs []*oms.Message) []string {
	var out []string
	for _, m := range msgs {
		out = append(out, string(m.Body))
	}
	return out
}

// in sends to a partition.
func in(p int, m *oms.Message) *oms.Message {
	m.ToPartition = &p
	return m
}
