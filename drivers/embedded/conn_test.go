package embedded_test

import (
	"context"
	"fmt"
	"net/url"
	"testing"
	"time"

	"go.uber.org/goleak"

	_ "github.com/omconnect/omconnect/drivers/embedded"
	"github.com/omconnect/omconnect/internal/leaks"
	"github.com/omconnect/omconnect/oms"
	"github.com/omconnect/omconnect/oms/omstest"
)

func TestMain(m *testing.M) {
	omstest.ServeMemberProcess()
	if run, ok := children[childName()]; ok {
		run()
		return
	}
	leaks.Main(m,
		// The server leaves a stream open that is being made while it shuts down.
		goleak.IgnoreTopFunction("github.com/nats-io/nats-server/v2/server.(*fileStore).flushStreamStateLoop"),
		goleak.IgnoreTopFunction("github.com/nats-io/nats-server/v2/server/ats.Register.func1"),
	)
}

// bound is how long anything in these tests may take. It decides nothing on a
// machine that is merely slow.
const bound = time.Minute

func testContext(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), bound)
	t.Cleanup(cancel)
	return ctx
}

// pointOf is an access point for a broker in a folder. The floor of free disk
// is off: tests must run on machines that are nearly full. The server starts
// its timer for syncing without a lock, which the race detector sees when the
// timer is short and the machine busy; hence the interval.
func pointOf(dir string, options ...string) string {
	q := url.Values{"dir": {dir}, "min.free.bytes": {"0"}, "sync.interval.ms": {"2000"}}
	for i := 0; i+1 < len(options); i += 2 {
		q.Set(options[i], options[i+1])
	}
	return "oms:embedded:///?" + q.Encode()
}

// open opens a client that is closed when the test ends.
func open(t *testing.T, accessPoint string) *oms.Client {
	t.Helper()
	c, err := oms.Open(testContext(t), accessPoint)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeClient(t, c) })
	return c
}

func closeClient(t *testing.T, c interface{ Close(context.Context) error }) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), bound)
	defer cancel()
	if err := c.Close(ctx); err != nil {
		t.Errorf("Close: %v", err)
	}
}

func createTopic(t *testing.T, c *oms.Client, name string, partitions int) {
	t.Helper()
	if err := c.EnsureTopic(testContext(t), oms.TopicSpec{Name: name, Partitions: partitions}); err != nil {
		t.Fatal(err)
	}
}

func newProducer(t *testing.T, c *oms.Client) *oms.Producer {
	t.Helper()
	p, err := c.NewProducer(testContext(t), oms.SenderConfig{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeClient(t, p) })
	return p
}

func newConsumer(t *testing.T, c *oms.Client, cfg oms.ReceiverConfig) *oms.PullConsumer {
	t.Helper()
	pc, err := c.NewPullConsumer(testContext(t), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeClient(t, pc) })
	return pc
}

func send(t *testing.T, p *oms.Producer, msgs ...*oms.Message) {
	t.Helper()
	if err := p.Send(testContext(t), msgs...); err != nil {
		t.Fatal(err)
	}
}

// numbered makes n messages that say which they are.
func numbered(topic string, from, n int) []*oms.Message {
	msgs := make([]*oms.Message, n)
	for i := range msgs {
		msgs[i] = &oms.Message{Topic: topic, Body: fmt.Appendf(nil, "%d", from+i)}
	}
	return msgs
}

// receive waits for n messages.
func receive(t *testing.T, pc *oms.PullConsumer, n int) []*oms.Message {
	t.Helper()
	ctx := testContext(t)
	var msgs []*oms.Message
	for len(msgs) < n {
		more, err := pc.Receive(ctx, n-len(msgs), bound)
		if err != nil || len(more) == 0 {
			t.Fatalf("received %d of %d messages, then: %v", len(msgs), n, err)
		}
		msgs = append(msgs, more...)
	}
	return msgs
}

func bodies(msgs []*oms.Message) []string {
	out := make([]string, len(msgs))
	for i, m := range msgs {
		out[i] = string(m.Body)
	}
	return out
}

func TestWhatIsSentArrives(t *testing.T) {
	c := open(t, pointOf(t.TempDir()))
	createTopic(t, c, "orders", 1)
	p := newProducer(t, c)
	send(t, p, numbered("orders", 0, 1000)...)
	pc := newConsumer(t, c, oms.ReceiverConfig{Topics: []string{"orders"}, Group: "g"})
	msgs := receive(t, pc, 1000)
	for i, m := range msgs {
		if string(m.Body) != fmt.Sprint(i) {
			t.Fatalf("message %d is %s", i, m.Body)
		}
	}
	if err := pc.Ack(testContext(t), msgs...); err != nil {
		t.Fatal(err)
	}
	if err := pc.Flush(testContext(t)); err != nil {
		t.Fatal(err)
	}
	lag, err := c.Lag(testContext(t), "g", []string{"orders"})
	if err != nil || lag != 0 {
		t.Fatalf("lag %d, %v; want 0", lag, err)
	}
}
