package rocketmq

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apache/rocketmq-client-go/v2/primitive"

	"github.com/omconnect/omconnect/oms"
)

// at opens a connection to what a test has.
func at(t *testing.T, point string) *conn {
	t.Helper()
	ap, err := oms.ParseAccessPoint(point)
	if err != nil {
		t.Fatal(err)
	}
	opened, err := Driver{}.Open(t.Context(), ap)
	if err != nil {
		t.Fatal(err)
	}
	return open(t, opened.(*conn), nil)
}

// says fails unless an error has a code, and names all of the words.
func says(t *testing.T, what string, err error, code oms.Code, words ...string) {
	t.Helper()
	if oms.CodeOf(err) != code {
		t.Errorf("%s: %v, want %q", what, err, code)
		return
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("%s: %v, and it does not say %q", what, err, word)
		}
	}
}

func listener(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func TestAWrongHostIsNamed(t *testing.T) {
	t.Parallel()
	c := at(t, "oms:rocketmq://no-such-host.invalid/?send.timeout.ms=10000")
	says(t, "a host that is not there", c.Check(t.Context()), oms.ErrUnavailable, "name server no-such-host.invalid:9876")
	c = at(t, "oms:rocketmq://127.0.0.1:1,[::1]:1/")
	says(t, "ports that nobody has", c.Check(t.Context()), oms.ErrUnavailable, "127.0.0.1:1", "[::1]:1", "refused")
}

func TestAPortThatIsAnothersIsNotTakenForABroker(t *testing.T) {
	t.Parallel()
	web := listener(t)
	var serving sync.WaitGroup
	serving.Go(func() {
		client, err := web.Accept()
		if err != nil {
			return
		}
		_, _ = client.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"))
		_, _ = io.Copy(io.Discard, client) // until the driver has had enough
		_ = client.Close()
	})
	c := at(t, "oms:rocketmq://"+web.Addr().String()+"/?send.timeout.ms=60000")
	says(t, "a web server", c.Check(t.Context()), oms.ErrUnavailable, "is this a RocketMQ broker's port?")
	serving.Wait()

	silent := listener(t)
	c = at(t, "oms:rocketmq://"+silent.Addr().String()+"/?send.timeout.ms=200")
	says(t, "a port that says nothing", c.Check(t.Context()), oms.ErrTimeout, silent.Addr().String())
}

// Both ports speak the protocol. The broker's is the one that people know.
func TestABrokersPortIsNotTakenForANameServers(t *testing.T) {
	t.Parallel()
	f := startFake(t)
	c := connTo(t, f)
	f.refuseWith(func(cmd *command) *command {
		if cmd.Code == reqClusterInfo || cmd.Code == reqRoute {
			return refusal(resNotSupported, " request type 106 not supported")
		}
		return nil
	})
	says(t, "check", c.Check(t.Context()), oms.ErrInvalid, f.addr(), "no name server", "9876")
	_, err := c.Identity(t.Context())
	says(t, "identity", err, oms.ErrInvalid, "no name server")
}

func TestTheNextNameServerIsAsked(t *testing.T) {
	t.Parallel()
	f := startFake(t)
	c := at(t, "oms:rocketmq://127.0.0.1:1,"+f.addr()+"/?topic.partitions=1")
	if err := c.Check(t.Context()); err != nil {
		t.Errorf("the second is there: %v", err)
	}
	if err := c.CreateTopic(t.Context(), oms.TopicSpec{Name: "t"}); err != nil {
		t.Errorf("making a topic: %v", err)
	}
}

// Behind NAT the address that the name server gives is often one that clients
// cannot reach. Whatever is asked, the error names it.
func TestAnAddressThatCannotBeReachedIsNamed(t *testing.T) {
	t.Parallel()
	const advertise = "127.0.0.1:1"
	f := startFake(t)
	connTo(t, f) // makes the topic
	f.mu.Lock()
	f.advertise = advertise
	f.mu.Unlock()
	c := at(t, "oms:rocketmq://user-"+strings.ReplaceAll(f.addr()[10:], ":", "-")+":secret-1234@"+f.addr()+"/?send.timeout.ms=1000")
	for what, ask := range map[string]func() error{
		"offsets":      func() error { _, err := c.Offsets(t.Context(), []string{"t"}, oms.Start{}); return err },
		"positions":    func() error { _, err := c.Positions(t.Context(), "g", []string{"t"}); return err },
		"lag":          func() error { _, err := c.Lag(t.Context(), "g", []string{"t"}); return err },
		"members":      func() error { _, err := c.Members(t.Context(), "g", []string{"t"}); return err },
		"ensure group": func() error { return c.EnsureGroup(t.Context(), "g", []string{"t"}, oms.Start{}) },
		"make a topic": func() error { return c.CreateTopic(t.Context(), oms.TopicSpec{Name: "new"}) },
		"delete topic": func() error { return c.DeleteTopic(t.Context(), "t") },
		"send": func() error {
			s, err := c.OpenSender(t.Context(), oms.SenderConfig{})
			return oms.FailureOf(sendOne(t, open(t, s, err), "t"), 0)
		},
	} {
		err := ask()
		says(t, what, err, oms.ErrUnavailable, advertise, "brokerIP1")
		if err != nil && strings.Contains(err.Error(), "secret-1234") {
			t.Errorf("%s: the error has the secret key: %v", what, err)
		}
	}
}

func TestNamesThatRocketMQReservesAreRefusedEverywhere(t *testing.T) {
	t.Parallel()
	c := connTo(t, startFake(t))
	for _, topic := range []string{"TBW102", "%DLQ%g", "rmq_sys_x", "a b", ""} {
		for what, ask := range map[string]func() error{
			"make":         func() error { return c.CreateTopic(t.Context(), oms.TopicSpec{Name: topic}) },
			"delete":       func() error { return c.DeleteTopic(t.Context(), topic) },
			"offsets":      func() error { _, err := c.Offsets(t.Context(), []string{topic}, oms.Start{}); return err },
			"lag":          func() error { _, err := c.Lag(t.Context(), "g", []string{topic}); return err },
			"ensure group": func() error { return c.EnsureGroup(t.Context(), "g", []string{topic}, oms.Start{}) },
			"receive": func() error {
				_, err := c.OpenReceiver(t.Context(), oms.ReceiverConfig{Group: "g", Topics: []string{"t", topic}})
				return err
			},
			"send": func() error {
				s, err := c.OpenSender(t.Context(), oms.SenderConfig{})
				return oms.FailureOf(sendOne(t, open(t, s, err), topic), 0)
			},
		} {
			says(t, what+" "+topic, ask(), oms.ErrInvalid)
		}
	}
	for _, group := range []string{"TOOLS_CONSUMER", "%x", "", readerGroup, strings.Repeat("g", longestGroup+1)} {
		for what, ask := range map[string]func() error{
			"ensure":  func() error { return c.EnsureGroup(t.Context(), group, []string{"t"}, oms.Start{}) },
			"delete":  func() error { return c.DeleteGroup(t.Context(), group, []string{"t"}) },
			"members": func() error { _, err := c.Members(t.Context(), group, []string{"t"}); return err },
			"receive": func() error {
				_, err := c.OpenReceiver(t.Context(), oms.ReceiverConfig{Group: group, Topics: []string{"t"}})
				return err
			},
		} {
			says(t, what+" group "+group, ask(), oms.ErrInvalid)
		}
	}
}

func TestNumbersOfPartitionsThatBrokersRefuse(t *testing.T) {
	t.Parallel()
	c := connTo(t, startFake(t))
	for _, n := range []int{-1, mostPartitions + 1} {
		says(t, "making a topic", c.CreateTopic(t.Context(), oms.TopicSpec{Name: "new", Partitions: n}), oms.ErrInvalid, "1024")
	}
	seven := 7
	s, err := c.OpenSender(t.Context(), oms.SenderConfig{})
	s = open(t, s, err)
	done := make(chan error, 1)
	s.SendAsync(t.Context(), []*oms.Message{{Topic: "t", ToPartition: &seven}}, func(err error) { done <- err })
	says(t, "to a partition that is not there", oms.FailureOf(<-done, 0), oms.ErrInvalid, "no number 7")
}

func TestBodiesBeyondTheLimitAreRefusedBeforeAnythingIsSent(t *testing.T) {
	t.Parallel()
	f := startFake(t)
	c := connTo(t, f, "max.message.bytes=1000")
	s, err := c.OpenSender(t.Context(), oms.SenderConfig{})
	s = open(t, s, err)
	for size, want := range map[int]oms.Code{999: "", 1000: "", 1001: oms.ErrTooLarge} {
		done := make(chan error, 1)
		s.SendAsync(t.Context(), []*oms.Message{{Topic: "t", Body: make([]byte, size)}}, func(err error) { done <- err })
		if err := oms.FailureOf(<-done, 0); oms.CodeOf(err) != want {
			t.Errorf("a body of %d bytes: %v, want %q", size, err, want)
		}
	}
	if n := len(f.stored()); n != 2 {
		t.Errorf("%d messages are stored, want 2", n)
	}
}

// A status says that a message is stored. While a replica is away, each does.
func TestStoredAndNotReplicatedIsWarnedOfOnceInAWhile(t *testing.T) {
	t.Parallel()
	c := newConn(options{hosts: []string{"127.0.0.1:1"}})
	t.Cleanup(func() { _ = c.Close(context.Background()) })
	var out bytes.Buffer
	c.log = slog.New(slog.NewTextHandler(&out, nil))
	for i := range 2*unreplicatedEvery + 1 {
		if err := c.stored(t.Context(), queue{broker: "b"}, storedStatus(primitive.SendStatus(1+i%3))); err != nil {
			t.Fatal(err)
		}
	}
	if n := strings.Count(out.String(), "not flushed or replicated in time"); n != 3 || strings.Count(out.String(), "level=WARN") != 3 {
		t.Errorf("%d warnings of %d messages, want 3:\n%s", n, 2*unreplicatedEvery+1, out.String())
	}
}

func TestAStrictSendFailsAfterFiveSeconds(t *testing.T) {
	t.Parallel()
	for status, name := range map[primitive.SendStatus]string{
		primitive.SendFlushDiskTimeout: "flush disk timeout", primitive.SendFlushSlaveTimeout: "flush slave timeout",
		primitive.SendSlaveNotAvailable: "slave not available", primitive.SendUnknownError: "status 4",
	} {
		synctest.Test(t, func(t *testing.T) {
			c := newConn(options{hosts: []string{"127.0.0.1:1"}, strict: true})
			begun := time.Now()
			says(t, name, c.stored(t.Context(), queue{broker: "b"}, storedStatus(status)), oms.ErrUnknown, name, "durability=strict")
			if waited := time.Since(begun); waited != strictWait || waited < 5*time.Second {
				t.Errorf("it fails after %v; the front sends it again at once", waited)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			begun = time.Now()
			says(t, name, c.stored(ctx, queue{broker: "b"}, storedStatus(status)), oms.ErrUnknown)
			if waited := time.Since(begun); waited != time.Second {
				t.Errorf("a sender that gives up after a second waits for %v", waited)
			}
		})
	}
}
