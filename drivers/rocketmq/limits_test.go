package rocketmq_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/omconnect/omconnect/drivers/rocketmq"
	"github.com/omconnect/omconnect/integration/servers"
	"github.com/omconnect/omconnect/oms"
)

// limits are the tests of what a real broker refuses, and what it just takes.
var limits = map[string]func(*testing.T, *broker){
	"properties up to the limit arrive":             fillsProperties,
	"bodies beyond the broker's limit are refused":  exceedsBodies,
	"wrong keys are denied and not told":            deniesStrangers,
	"topics with other settings are left alone":     keepsSettings,
	"headers of any bytes arrive":                   carriesAnything,
	"names of the longest kind work":                namesAtLength,
	"an address that cannot be reached is in words": namesTheUnreachable,
}

// withHeaders is a message whose headers take so many bytes of properties, in
// many small ones.
func withHeaders(topic string, size int) *oms.Message {
	m := &oms.Message{Topic: topic, Body: []byte("x")}
	for i := 0; size > 0; i++ {
		name := fmt.Sprintf("h%03d", i)
		value := bytes.Repeat([]byte{'v'}, min(1000, size))
		m.Headers = append(m.Headers, oms.Header{Name: name, Value: value})
		size -= len(value) + 2*len(name) + 3 // in the property, and in the list of names
	}
	return m
}

// fillsProperties finds what the driver just takes, and has the broker take it,
// in a batch and delayed.
func fillsProperties(t *testing.T, b *broker) {
	t.Helper()
	c := b.open(t, "?delay=timer")
	makeTopic(t, c, "full", 1)
	low, high := 1, 64<<10 // of what is taken, and of what is not
	for high-low > 1 {
		try := (low + high) / 2
		err := oms.FailureOf(sendAll(t, c, withHeaders("full", try)), 0)
		switch oms.CodeOf(err) {
		case "":
			low = try
		case oms.ErrTooLarge:
			high = try
		default:
			t.Fatalf("headers of %d bytes: %v", try, err)
		}
		if high-low < 200 {
			break // near enough; each is a message
		}
	}
	if low < 30<<10 {
		t.Errorf("headers of %d bytes are refused", high)
	}
	largest := withHeaders("full", low)
	largest.Key, largest.Delay = []byte("last"), 1
	largest.Headers = largest.Headers[:len(largest.Headers)-1]
	must(t, sendAll(t, c, largest))
	r, err := c.OpenReceiver(within(t), oms.ReceiverConfig{Group: "full", Topics: []string{"full"}})
	must(t, err)
	for found := false; !found; {
		msgs, err := r.Receive(within(t), 100)
		must(t, err)
		for _, m := range msgs {
			if string(m.Key) != "last" {
				continue
			}
			found = true
			if diff := cmp.Diff(largest.Headers, m.Headers); diff != "" {
				t.Errorf("headers (-sent +received):\n%s", diff)
			}
		}
		must(t, r.Ack(within(t), msgs))
	}
	must(t, r.Close(within(t)))
}

// exceedsBodies tells the driver that more is possible than is.
func exceedsBodies(t *testing.T, b *broker) {
	t.Helper()
	c := b.open(t, "?max.message.bytes=9000000")
	makeTopic(t, c, "large", 1)
	must(t, sendAll(t, c, &oms.Message{Topic: "large", Body: make([]byte, 4<<20-64<<10)}))
	for _, size := range []int{4<<20 + 1, 8 << 20} {
		err := oms.FailureOf(sendAll(t, c, &oms.Message{Topic: "large", Body: make([]byte, size)}), 0)
		if oms.CodeOf(err) != oms.ErrTooLarge {
			t.Errorf("a body of %d bytes: %v, want ErrTooLarge", size, err)
		}
	}
	receiveAll(t, c, "large", "large", 1)
}

func deniesStrangers(t *testing.T, b *broker) {
	t.Helper()
	makeTopic(t, b.open(t, ""), "private", 1)
	for what, user := range map[string]string{
		"an unknown key": "stranger-key:stranger-secret", "a wrong secret": accessKey + ":wrong-secret",
	} {
		c := openAt(t, parse(t, b.point(user, "")))
		r, err := c.OpenReceiver(within(t), oms.ReceiverConfig{Group: "private", Topics: []string{"private"}})
		must(t, err)
		_, receiving := r.Receive(within(t), 1)
		_, offsets := c.(oms.OffsetFinder).Offsets(within(t), []string{"private"}, oms.Start{})
		for call, err := range map[string]error{
			"check":   c.Check(within(t)),
			"send":    oms.FailureOf(sendAll(t, c, &oms.Message{Topic: "private", Body: []byte("x")}), 0),
			"make":    c.(oms.TopicAdmin).CreateTopic(within(t), oms.TopicSpec{Name: "made"}),
			"receive": receiving,
			"offsets": offsets,
			"half": func() error {
				_, err := c.(oms.HalfOpener).OpenHalf(within(t), "private", newJury(nil).check)
				return err
			}(),
		} {
			if oms.CodeOf(err) != oms.ErrDenied {
				t.Errorf("%s, %s: %v, want ErrDenied", what, call, err)
			}
			if err != nil && strings.Contains(err.Error(), "secret") {
				t.Errorf("%s, %s: the error has the secret: %v", what, call, err)
			}
		}
		_ = r.Close(within(t)) // it has nothing to give back
	}
}

func keepsSettings(t *testing.T, b *broker) {
	t.Helper()
	c := b.open(t, "")
	makeTopic(t, c, "settled", 3)
	for _, n := range []int{1, 3, 8} {
		err := c.(oms.TopicAdmin).CreateTopic(within(t), oms.TopicSpec{Name: "settled", Partitions: n})
		if oms.CodeOf(err) != oms.ErrExists {
			t.Errorf("making it with %d partitions: %v, want ErrExists", n, err)
		}
	}
	must(t, c.(oms.GroupAdmin).EnsureGroup(within(t), "settled", []string{"settled"}, oms.Start{}))
	for topic, want := range map[string]int{"settled": 3, "missing": 0} {
		if n, err := rocketmq.Queues(within(t), c, topic); err != nil || n != want {
			t.Errorf("the broker says that topic %s has %d queues, %v, want %d", topic, n, err, want)
		}
	}
	got, err := b.open(t, "?topic.partitions=5").(oms.OffsetFinder).Offsets(within(t), []string{"settled"}, oms.Start{})
	must(t, err)
	if len(got) != 3 {
		t.Errorf("it has %d partitions, and was made with 3", len(got))
	}
}

func carriesAnything(t *testing.T, b *broker) {
	t.Helper()
	c := b.open(t, "")
	makeTopic(t, c, "anything", 1)
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	sent := []*oms.Message{
		{Topic: "anything", Key: every, Body: every, Headers: oms.Headers{{Name: string(every), Value: every}}},
		{Topic: "anything", Key: []byte{}, Body: []byte{}, Headers: oms.Headers{{Name: "", Value: []byte{}}, {Name: ""}, {Name: "a\x01b", Value: []byte("c\x02d")}}},
		{Topic: "anything", Headers: oms.Headers{{Name: "a", Value: []byte("1")}, {Name: "a", Value: []byte("2")}, {Name: "a"}, {Name: "A", Value: []byte("3")}}},
	}
	must(t, sendAll(t, c, sent...))
	for i, got := range receiveAll(t, c, "anything", "anything", len(sent)) {
		if diff := cmp.Diff(sent[i].Headers, got.Headers); diff != "" {
			t.Errorf("message %d, headers (-sent +received):\n%s", i, diff)
		}
		if !bytes.Equal(got.Key, sent[i].Key) || !bytes.Equal(got.Body, sent[i].Body) || (got.Key == nil) != (sent[i].Key == nil) || (got.Body == nil) != (sent[i].Body == nil) {
			t.Errorf("message %d has the key %q and the body %q", i, got.Key, got.Body)
		}
	}
}

func namesAtLength(t *testing.T, b *broker) {
	t.Helper()
	c := b.open(t, "")
	topic, group := strings.Repeat("t", 124)+".", strings.Repeat("g", 117)+"."
	makeTopic(t, c, topic, 1)
	must(t, sendAll(t, c, &oms.Message{Topic: topic, Body: []byte("x")}))
	receiveAll(t, c, group, topic, 1)
	makeTopic(t, b.open(t, ""), strings.Repeat("t", 127), 1)
}

// namesTheUnreachable is a client that has reached the name server, and is told
// of a broker behind a wall.
func namesTheUnreachable(t *testing.T, b *broker) {
	t.Helper()
	nowhere := startNames(t, b.Addr(), b.AddrOf(servers.Broker), "127.0.0.1:1")
	c := openAt(t, parse(t, "oms:rocketmq://"+accessKey+":"+secretKey+"@"+nowhere+"/?send.timeout.ms=2000"))
	if err := c.Check(within(t)); oms.CodeOf(err) != oms.ErrUnavailable || !strings.Contains(err.Error(), "127.0.0.1:1") || !strings.Contains(err.Error(), "brokerIP1") {
		t.Errorf("check: %v, and it does not say which address cannot be reached", err)
	}
}
