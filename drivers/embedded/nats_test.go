package embedded_test

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/omconnect/omconnect/oms"
)

// A natsServer is an external broker, as far as the driver can tell.
type natsServer struct {
	t        *testing.T
	options  server.Options
	server   *server.Server
	password string
}

// startNATS starts a server on a port that it keeps through restarts.
func startNATS(t *testing.T) *natsServer {
	t.Helper()
	n := &natsServer{t: t, password: "right", options: server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true,
		JetStream: true, StoreDir: t.TempDir(), Username: "user",
	}}
	n.start()
	n.options.Port = n.server.Addr().(*net.TCPAddr).Port
	t.Cleanup(n.stop)
	return n
}

func (n *natsServer) start() {
	n.t.Helper()
	o := n.options
	o.Password = n.password
	s, err := server.NewServer(&o)
	if err != nil {
		n.t.Fatal(err)
	}
	s.Start()
	if !s.ReadyForConnections(bound) {
		n.t.Fatal("the NATS server does not start")
	}
	n.server = s
}

func (n *natsServer) stop() {
	n.server.Shutdown()
	n.server.WaitForShutdown()
}

// cutAll cuts every connection, as a network may.
func (n *natsServer) cutAll(t *testing.T) {
	t.Helper()
	conns, err := n.server.Connz(&server.ConnzOptions{})
	if err != nil || len(conns.Conns) == 0 {
		t.Fatalf("connections: %v, %v", conns, err)
	}
	for _, c := range conns.Conns {
		if err := n.server.DisconnectClientByID(c.Cid); err != nil {
			t.Fatal(err)
		}
	}
}

func (n *natsServer) point(password, options string) string {
	return fmt.Sprintf("oms:nats://user:%s@127.0.0.1:%d/%s", password, n.options.Port, options)
}

func TestAnExternalServerIsRestartedUnderLoad(t *testing.T) {
	t.Parallel()
	n := startNATS(t)
	c := open(t, n.point("right", ""))
	createTopic(t, c, "t", 3)
	p := newProducer(t, c)
	const total, keys = 20_000, 50
	ctx := testContext(t)
	var mu sync.Mutex
	confirmed, failed := 0, 0
	half := make(chan struct{})
	done := make(chan struct{})
	go func() {
		for i := 0; i < total; i += 100 {
			msgs := make([]*oms.Message, 100)
			for j := range msgs {
				msgs[j] = &oms.Message{Topic: "t", Key: fmt.Append(nil, j%keys), Body: fmt.Append(nil, (i+j)/keys)}
			}
			p.SendAsync(ctx, msgs, func(err error) {
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					failed += 100
					t.Errorf("a batch failed for good: %v", err)
				}
				confirmed += 100
				switch confirmed {
				case total / 2:
					close(half)
				case total:
					close(done)
				}
			})
		}
	}()
	pc := newConsumer(t, c, oms.ReceiverConfig{Topics: []string{"t"}, Group: "g"})
	received := make(chan map[string]int)
	go func() {
		last := make(map[string]int) // by key: first deliveries ascend by one
		count := 0
		for count < total {
			msgs, err := pc.Receive(ctx, 500, time.Second)
			if err != nil {
				t.Errorf("Receive: %v", err)
				break
			}
			for _, m := range msgs {
				round, _ := strconv.Atoi(string(m.Body))
				switch next := last[string(m.Key)] + 1; {
				case round == next, round == 0 && last[string(m.Key)] == 0:
					count++
				case round >= next:
					t.Errorf("key %s: %d comes after %d", m.Key, round, next-1)
				}
				if round > last[string(m.Key)] {
					last[string(m.Key)] = round
				}
			}
			if err := pc.Ack(ctx, msgs...); err != nil && !errors.Is(err, oms.ErrStaleDelivery) {
				t.Errorf("Ack: %v", err)
			}
			if len(msgs) == 0 && ctx.Err() != nil {
				break
			}
			full := 0
			for _, round := range last {
				if round == total/keys-1 {
					full++
				}
			}
			if full == keys {
				break
			}
		}
		received <- last
	}()
	for range 2 {
		n.stop()
		n.start()
	}
	select {
	case <-done:
	case <-ctx.Done():
		t.Fatalf("%d of %d messages confirmed; stalled by %v", confirmed, total, p.Stalled())
	}
	for key, round := range <-received {
		if round != total/keys-1 {
			t.Errorf("key %s ends at %d", key, round)
		}
	}
	// A message whose outcome was unknown is not stored twice: the lane looks.
	check := newConsumer(t, c, oms.ReceiverConfig{Topics: []string{"t"}, Group: "check", MaxUnacked: 2 * total})
	if got := len(receive(t, check, total)); got != total {
		t.Errorf("%d messages are stored", got)
	}
	if more, err := check.Receive(ctx, 10, 200*time.Millisecond); err != nil || len(more) > 0 {
		t.Errorf("%d messages are stored twice; %v", len(more), err)
	}
}

func TestWrongCredentialsAreDeniedUntilTheyAreMended(t *testing.T) {
	t.Parallel()
	n := startNATS(t)
	n.stop()
	n.password = "changed"
	n.start()
	c := open(t, n.point("right", ""))
	ctx := testContext(t)
	pc := newConsumer(t, c, oms.ReceiverConfig{Topics: []string{"t"}, Group: "g"})
	for range 3 {
		if err := c.Check(ctx); !errors.Is(err, oms.ErrDenied) {
			t.Errorf("Check: %v, want ErrDenied", err)
		}
		if err := c.EnsureTopic(ctx, oms.TopicSpec{Name: "t"}); !errors.Is(err, oms.ErrDenied) {
			t.Errorf("EnsureTopic: %v, want ErrDenied", err)
		}
	}
	if _, err := pc.Receive(ctx, 1, bound); !errors.Is(err, oms.ErrDenied) {
		t.Errorf("Receive: %v, want ErrDenied", err)
	}
	n.stop()
	n.password = "right"
	n.start()
	for c.Check(ctx) != nil {
		if ctx.Err() != nil {
			t.Fatal("mended credentials do not help")
		}
	}
	createTopic(t, c, "t", 1)
	send(t, newProducer(t, c), numbered("t", 0, 1)...)
	for { // a denial from before may still be told
		msgs, err := pc.Receive(ctx, 1, bound)
		if len(msgs) == 1 {
			break
		}
		if !errors.Is(err, oms.ErrDenied) {
			t.Fatalf("got %v, %v", msgs, err)
		}
	}
}

func TestABrokerThatIsAwayIsUnavailable(t *testing.T) {
	n := startNATS(t)
	n.stop()
	c := open(t, n.point("right", ""))
	ctx := testContext(t)
	if err := c.Check(ctx); !errors.Is(err, oms.ErrUnavailable) {
		t.Errorf("Check: %v, want ErrUnavailable", err)
	}
	pc := newConsumer(t, c, oms.ReceiverConfig{Topics: []string{"t"}, Group: "g"})
	if msgs, err := pc.Receive(ctx, 1, 100*time.Millisecond); len(msgs) > 0 || err != nil {
		t.Errorf("Receive: %v, %v; want nothing yet", msgs, err)
	}
	sent := make(chan error, 1)
	p := newProducer(t, c)
	p.SendAsync(ctx, numbered("t", 0, 1), func(err error) { sent <- err })
	n.start()
	for c.EnsureTopic(ctx, oms.TopicSpec{Name: "t"}) != nil {
		if ctx.Err() != nil {
			t.Fatal("the broker is not found again")
		}
	}
	if err := <-sent; err != nil && !errors.Is(err, oms.ErrNotFound) { // it may have been there before the topic
		t.Errorf("the message sent meanwhile: %v", err)
	}
	send(t, p, numbered("t", 1, 1)...)
	receive(t, pc, 1)
	if id, err := c.Identity(ctx); err != nil || id == "" {
		t.Errorf("identity %q, %v", id, err)
	}
}

func TestMembersInTwoProcessesShareAndOutliveEachOther(t *testing.T) {
	t.Parallel()
	n := startNATS(t)
	first, second := openConn(t, n.point("right", "")), openConn(t, n.point("right", ""))
	if err := first.(oms.TopicAdmin).CreateTopic(testContext(t), oms.TopicSpec{Name: "t", Partitions: 4}); err != nil {
		t.Fatal(err)
	}
	a, b := openMember(t, first, group("g")), openMember(t, second, group("g"))
	a.await(t, 2)
	b.await(t, 2)
	names, err := second.(oms.GroupAdmin).Members(testContext(t), "g", []string{"t"})
	if err != nil || len(names) != 2 {
		t.Errorf("members %v, %v; want two", names, err)
	}
	sendAll(t, first, spread(40, 4))
	got := len(a.get(t, 20)) // b's are b's
	got += len(b.get(t, 20))
	if got != 40 {
		t.Errorf("%d messages", got)
	}
	// The second process dies: it says nothing, its connection is just gone.
	for _, client := range n.clientsBut(t, first) {
		if err := n.server.DisconnectClientByID(client); err != nil {
			t.Fatal(err)
		}
	}
	_ = second.Close(testContext(t)) // so that it does not come back
	a.await(t, 4)
	again := a.get(t, 20)
	for _, m := range again {
		if m.Deliveries < 2 { // more, if the second was back for a moment before it was closed
			t.Errorf("%s/%d is delivered for the %d. time", m.Topic, m.Offset, m.Deliveries)
		}
	}
}

// spread makes n messages over so many partitions.
func spread(n, partitions int) []*oms.Message {
	msgs := numbered("t", 0, n)
	for i, m := range msgs {
		p := i % partitions
		m.ToPartition = &p
	}
	return msgs
}

// clientsBut lists the server's connections that are not the oldest.
func (n *natsServer) clientsBut(t *testing.T, _ oms.Conn) []uint64 {
	t.Helper()
	conns, err := n.server.Connz(&server.ConnzOptions{Sort: server.ByCid})
	if err != nil || len(conns.Conns) < 2 {
		t.Fatalf("connections: %v, %v", conns, err)
	}
	var ids []uint64
	for _, c := range conns.Conns[1:] {
		ids = append(ids, c.Cid)
	}
	return ids
}

func TestAFullStreamHoldsUpAndKeepsTheOrder(t *testing.T) {
	n := startNATS(t)
	c := openConn(t, n.point("right", "?retention.bytes=200000"))
	ctx := testContext(t)
	if err := c.(oms.TopicAdmin).CreateTopic(ctx, oms.TopicSpec{Name: "t"}); err != nil {
		t.Fatal(err)
	}
	s, err := c.OpenSender(ctx, oms.SenderConfig{})
	if err != nil {
		t.Fatal(err)
	}
	defer closeClient(t, s)
	// Large ones fill the stream up; then a small one would still fit behind
	// one that does not.
	msgs := make([]*oms.Message, 20)
	for i := range msgs {
		size := 30_000
		if i%2 == 1 {
			size = 10
		}
		msgs[i] = &oms.Message{Topic: "t", Body: make([]byte, size)}
	}
	whole := make(chan error, 1)
	s.SendAsync(ctx, msgs, func(err error) { whole <- err })
	outcome := <-whole
	failed := false
	for i := range msgs {
		switch err := oms.FailureOf(outcome, i); {
		case err == nil && failed:
			t.Errorf("message %d is stored behind one that failed", i)
		case err != nil && !failed:
			failed = true
			if !errors.Is(err, oms.ErrFull) {
				t.Errorf("message %d: %v, want ErrFull", i, err)
			}
		case err != nil && !errors.Is(err, oms.ErrAborted):
			t.Errorf("message %d: %v, want ErrAborted", i, err)
		}
	}
	if !failed {
		t.Error("the stream took more than it may hold")
	}
	for { // a done is over when it has returned, a moment after it was heard here
		outcome := make(chan error, 1)
		s.SendAsync(ctx, numbered("t", 0, 1), func(err error) { outcome <- err })
		err := <-outcome
		if err == nil {
			break
		}
		if !errors.Is(err, oms.ErrAborted) || ctx.Err() != nil {
			t.Fatalf("a small message after all are done: %v", err)
		}
	}
}
