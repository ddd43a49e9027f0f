package embedded_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"

	"github.com/omconnect/omconnect/oms"
)

func openSender(t *testing.T, c oms.Conn, cfg oms.SenderConfig) oms.Sender {
	t.Helper()
	s, err := c.OpenSender(testContext(t), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeClient(t, s) })
	return s
}

func TestManySendersShareALaneInOrder(t *testing.T) {
	c, topic := setup(t, 2)
	const senders, each = 50, 100
	var running sync.WaitGroup
	for i := range senders {
		s := openSender(t, c, oms.SenderConfig{MaxInFlight: 7})
		running.Go(func() {
			var done sync.WaitGroup
			for j := range each {
				done.Add(1)
				s.SendAsync(t.Context(), []*oms.Message{{Topic: topic, Key: fmt.Append(nil, i), Body: fmt.Append(nil, j)}}, func(err error) {
					if err != nil {
						t.Errorf("sender %d: %v", i, err)
					}
					done.Done()
				})
			}
			done.Wait()
		})
	}
	running.Wait()
	g := group("g")
	g.MaxUnacked = 2 * senders * each
	next := make(map[string]int)
	for _, m := range openMember(t, c, g).get(t, senders*each) {
		if want := strconv.Itoa(next[string(m.Key)]); string(m.Body) != want {
			t.Fatalf("sender %s: %s comes, want %s", m.Key, m.Body, want)
		}
		next[string(m.Key)]++
	}
}

func TestTwoProcessesWriteToOnePartition(t *testing.T) {
	n := startNATS(t)
	conns := []oms.Conn{openConn(t, n.point("right", "")), openConn(t, n.point("right", ""))}
	if err := conns[0].(oms.TopicAdmin).CreateTopic(testContext(t), oms.TopicSpec{Name: "t"}); err != nil {
		t.Fatal(err)
	}
	const each = 2000
	var running sync.WaitGroup
	for i, c := range conns {
		s := openSender(t, c, oms.SenderConfig{})
		for j := range each {
			running.Add(1)
			s.SendAsync(t.Context(), []*oms.Message{{Topic: "t", Key: fmt.Append(nil, i), Body: fmt.Append(nil, j)}}, func(err error) {
				if err != nil {
					t.Errorf("process %d: %v", i, err)
				}
				running.Done()
			})
		}
	}
	running.Wait()
	g := group("g")
	g.MaxUnacked = 3 * each
	next := make(map[string]int)
	m := openMember(t, conns[0], g)
	for _, m := range m.get(t, 2*each) {
		if want := strconv.Itoa(next[string(m.Key)]); string(m.Body) != want {
			t.Fatalf("process %s: %s comes, want %s", m.Key, m.Body, want)
		}
		next[string(m.Key)]++
	}
}

func TestTheWindowBlocksAndCloseCallsEveryDone(t *testing.T) {
	n := startNATS(t)
	c := openConn(t, n.point("right", ""))
	muteTopic(t, n, "t")
	s := openSender(t, c, oms.SenderConfig{MaxInFlight: 5, MaxInFlightBytes: 10_000})
	var dones, entered atomic.Int64
	var started sync.WaitGroup
	ctx, cancel := context.WithCancel(t.Context())
	for range 3 {
		started.Go(func() { // blocks: twelve messages, room for five
			for i := range 4 {
				s.SendAsync(ctx, numbered("t", i, 1), func(err error) {
					if err == nil {
						t.Error("a message is confirmed by nobody")
					}
					dones.Add(1)
				})
				entered.Add(1)
			}
		})
	}
	for entered.Load() < 5 { // more than that cannot enter
		runtime.Gosched()
	}
	var sent atomic.Int64
	canceled := make(chan error, 1)
	limited, stop := context.WithCancel(t.Context())
	started.Go(func() {
		s.SendAsync(limited, numbered("t", 0, 6), func(err error) { sent.Add(1); canceled <- err })
	})
	stop() // whether it stands in line already or not
	expired, expire := context.WithTimeout(context.Background(), 1)
	defer expire()
	if err := s.Close(expired); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Close: %v, want its context's error", err)
	}
	cancel()
	started.Wait()
	if err := <-canceled; err == nil {
		t.Error("a batch that was not let in is confirmed")
	}
	if dones.Load() != 12 || sent.Load() != 1 {
		t.Errorf("%d of 12 dones were called, %d of 1", dones.Load(), sent.Load())
	}
	if err := s.Close(t.Context()); err != nil {
		t.Errorf("second Close: %v", err)
	}
	after := make(chan error, 1)
	s.SendAsync(t.Context(), numbered("t", 0, 1), func(err error) { after <- err })
	if err := <-after; !errors.Is(err, oms.ErrClosed) {
		t.Errorf("SendAsync after Close: %v, want ErrClosed", err)
	}
}

// muteTopic makes a topic whose messages the server stores and does not
// confirm.
func muteTopic(t *testing.T, n *natsServer, name string) {
	t.Helper()
	nc, err := nats.Connect(n.server.ClientURL(), nats.UserInfo("user", n.password))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := nc.JetStream()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.AddStream(&nats.StreamConfig{Name: name + "-0", Subjects: []string{name + ".0"}, NoAck: true}); err != nil {
		t.Fatal(err)
	}
}

func TestAnswersThatDoNotComeAreUnknownAndNothingIsStoredTwice(t *testing.T) {
	t.Parallel()
	n := startNATS(t)
	c := openConn(t, n.point("right", "?publish.timeout.ms=300"))
	muteTopic(t, n, "t")
	s := openSender(t, c, oms.SenderConfig{})
	for i, m := range numbered("t", 0, 3) {
		unknown := false
		for { // as the front resends: the same message
			outcome := make(chan error, 1)
			s.SendAsync(t.Context(), []*oms.Message{m}, func(err error) { outcome <- err })
			err := <-outcome
			if err == nil {
				break // found in the stream: it was stored at the first attempt
			}
			unknown = unknown || errors.Is(err, oms.ErrUnknown)
			// A busy machine may not answer what the sender asks between
			// the attempts in time either: then nothing was tried.
			if code := oms.CodeOf(err); code != oms.ErrAborted && !code.Temporary() {
				t.Fatalf("got %v, want ErrUnknown", err)
			}
		}
		if !unknown {
			t.Errorf("message %d: no outcome was unknown", i)
		}
	}
	m := openMember(t, c, group("g"))
	if diff := cmp.Diff([]string{"0", "1", "2"}, bodies(m.get(t, 3))); diff != "" {
		t.Error(diff)
	}
	m.none(t, 100*time.Millisecond)
}

func TestMessagesThatCannotBeSentBlockTheirPartitionOnly(t *testing.T) {
	c, topic := setup(t, 2, "max.message.bytes", "1000")
	s := openSender(t, c, oms.SenderConfig{})
	zero, one, nine := 0, 1, 9
	large := make([]byte, 1001)
	outcome := make(chan error, 1)
	s.SendAsync(t.Context(), []*oms.Message{
		{Topic: topic, ToPartition: &zero, Body: []byte("0")},
		{Topic: topic, ToPartition: &zero, Body: large},
		{Topic: topic, ToPartition: &zero, Body: []byte("behind")},
		{Topic: topic, ToPartition: &one, Body: []byte("1")},
		{Topic: "missing", Body: []byte("2")},
		{Topic: "missing", Body: []byte("3")},
		{Topic: "$JS.API.STREAM.PURGE.t-0", Body: []byte("4")},
	}, func(err error) { outcome <- err })
	err := <-outcome
	for i, want := range []oms.Code{"", oms.ErrTooLarge, oms.ErrAborted, "", oms.ErrNotFound, oms.ErrNotFound, oms.ErrInvalid} {
		if got := oms.CodeOf(oms.FailureOf(err, i)); got != want {
			t.Errorf("message %d: %q, want %q", i, got, want)
		}
	}
	s.SendAsync(t.Context(), []*oms.Message{{Topic: topic, ToPartition: &nine}}, func(err error) { outcome <- err })
	if err := <-outcome; !errors.Is(err, oms.ErrInvalid) {
		t.Errorf("partition 9 of 2: %v, want ErrInvalid", err)
	}
	if got := bodies(openMember(t, c, group("g")).get(t, 2)); len(got) != 2 || got[0] == "behind" || got[1] == "behind" {
		t.Errorf("stored: %q", got)
	}
}
