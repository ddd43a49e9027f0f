package embedded_test

import (
	"errors"
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/omconnect/omconnect/oms"
)

// A place is a broker with a topic t of two partitions, and a NATS program's
// view of it.
type place struct {
	oms.Conn
	t  *testing.T
	js jetstream.JetStream
}

// everywhere runs a test with a broker in the process and with a NATS server.
func everywhere(t *testing.T, test func(at place)) {
	t.Helper()
	for name, start := range map[string]func(*testing.T) (oms.Conn, *nats.Conn){
		"embedded": startInside, "nats": startOutside,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, nc := start(t)
			js, err := jetstream.New(nc)
			if err != nil {
				t.Fatal(err)
			}
			test(place{c, t, js})
		})
	}
}

func startInside(t *testing.T) (c oms.Conn, nc *nats.Conn) {
	t.Helper()
	c, _ = setup(t, 2)
	return c, native(t, dirOf(t, c))
}

func startOutside(t *testing.T) (c oms.Conn, nc *nats.Conn) {
	t.Helper()
	n := startNATS(t)
	c = openConn(t, n.point("right", ""))
	if err := c.(oms.TopicAdmin).CreateTopic(testContext(t), oms.TopicSpec{Name: "t", Partitions: 2}); err != nil {
		t.Fatal(err)
	}
	nc, err := nats.Connect(n.server.ClientURL(), nats.UserInfo("user", n.password))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return c, nc
}

// wantOffsets compares the offsets of partitions 0 and 1 of t.
func (at place) wantOffsets(t *testing.T, what string, start oms.Start, zero, one int64) {
	t.Helper()
	got, err := at.Conn.(oms.OffsetFinder).Offsets(testContext(t), []string{"t"}, start)
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	want := map[oms.Partition]int64{{Topic: "t"}: zero, {Topic: "t", Number: 1}: one}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s, -want +got:\n%s", what, diff)
	}
}

// wantPositions compares where a group stands in t.
func (at place) wantPositions(t *testing.T, group string, want map[int]int64) {
	t.Helper()
	got, err := at.Conn.(oms.GroupPositioner).Positions(testContext(t), group, []string{"t", "missing"})
	if err != nil {
		t.Fatal(err)
	}
	expected := make(map[oms.Partition]int64)
	for p, offset := range want {
		expected[oms.Partition{Topic: "t", Number: p}] = offset
	}
	if !maps.Equal(got, expected) {
		t.Errorf("positions of %s are %v, want %v", group, got, expected)
	}
}

// storedAt is when the broker stored a message.
func (at place) storedAt(t *testing.T, p int, offset int64) time.Time {
	t.Helper()
	stream, err := at.js.Stream(testContext(t), fmt.Sprintf("t-%d", p))
	if err != nil {
		t.Fatal(err)
	}
	m, err := stream.GetMsg(testContext(t), uint64(offset))
	if err != nil {
		t.Fatal(err)
	}
	return m.Time
}

func TestOffsetsAreWhereAGroupWouldBegin(t *testing.T) {
	t.Parallel()
	everywhere(t, func(at place) {
		t := at.t
		earliest, latest := oms.Start{}, oms.Start{From: oms.StartLatest}
		since := func(moment time.Time) oms.Start { return oms.Start{From: oms.StartAtTime, At: moment} }
		at.wantOffsets(t, "earliest of an empty topic", earliest, 1, 1)
		at.wantOffsets(t, "latest of an empty topic", latest, 1, 1)
		at.wantOffsets(t, "any time of an empty topic", since(time.Now().Add(-time.Hour)), 1, 1)

		for i := range 4 { // one by one, so that no two have the same time
			sendAll(t, at, []*oms.Message{in(0, i)})
		}
		sendAll(t, at, []*oms.Message{in(1, 4)})
		at.wantOffsets(t, "earliest", earliest, 1, 1)
		at.wantOffsets(t, "latest", latest, 5, 2)
		third, last := at.storedAt(t, 0, 3), at.storedAt(t, 1, 1)
		at.wantOffsets(t, "long ago", since(third.Add(-time.Hour)), 1, 1)
		at.wantOffsets(t, "at a message", since(third), 3, 1)
		at.wantOffsets(t, "after a message", since(third.Add(1)), 4, 1)
		at.wantOffsets(t, "after all", since(last.Add(time.Minute)), 5, 2)

		// What retention removes is not offered.
		stream, err := at.js.Stream(testContext(t), "t-0")
		if err != nil {
			t.Fatal(err)
		}
		if err := stream.Purge(testContext(t), jetstream.WithPurgeSequence(3)); err != nil {
			t.Fatal(err)
		}
		at.wantOffsets(t, "earliest that is retained", earliest, 3, 1)
		at.wantOffsets(t, "a time of what was removed", since(third.Add(-time.Hour)), 3, 1)
		if err := stream.Purge(testContext(t)); err != nil {
			t.Fatal(err)
		}
		at.wantOffsets(t, "earliest with nothing retained", earliest, 5, 1)
		at.wantOffsets(t, "a time with nothing retained", since(third), 5, 1)

		// A group that starts there begins there, and nothing was left behind.
		m := openMember(t, at, oms.ReceiverConfig{Topics: []string{"t"}, Group: "g", Start: since(last)})
		if got := m.get(t, 1)[0]; got.Partition != 1 || got.Offset != 1 {
			t.Errorf("the group begins at %d of partition %d", got.Offset, got.Partition)
		}
		for name := range stream.ConsumerNames(testContext(t)).Name() {
			if name != "g" {
				t.Errorf("the consumer %s was left behind", name)
			}
		}
	})
}

func TestOffsetsOfWhatIsNotThere(t *testing.T) {
	t.Parallel()
	everywhere(t, func(at place) {
		t := at.t
		offsets := at.Conn.(oms.OffsetFinder).Offsets
		for name, c := range map[string]struct {
			topics []string
			start  oms.Start
			want   oms.Code
		}{
			"a missing topic":  {[]string{"t", "missing"}, oms.Start{}, oms.ErrNotFound},
			"a reserved topic": {[]string{"$JS"}, oms.Start{}, oms.ErrInvalid},
			"no time":          {[]string{"t"}, oms.Start{From: oms.StartAtTime}, oms.ErrInvalid},
			"nowhere":          {[]string{"t"}, oms.Start{From: 9}, oms.ErrInvalid},
		} {
			if got, err := offsets(testContext(t), c.topics, c.start); oms.CodeOf(err) != c.want || got != nil {
				t.Errorf("%s: got %v, %v; want %v", name, got, err, c.want)
			}
		}
		if got, err := offsets(testContext(t), nil, oms.Start{}); err != nil || len(got) != 0 {
			t.Errorf("no topics: got %v, %v", got, err)
		}
		// Deleted and made again with another number of partitions, a topic is
		// as it is now.
		admin := at.Conn.(oms.TopicAdmin)
		for _, n := range []int{1, 3} {
			if err := admin.DeleteTopic(testContext(t), "t"); err != nil {
				t.Fatal(err)
			}
			if err := admin.CreateTopic(testContext(t), oms.TopicSpec{Name: "t", Partitions: n}); err != nil {
				t.Fatal(err)
			}
			if got, err := offsets(testContext(t), []string{"t"}, oms.Start{}); err != nil || len(got) != n {
				t.Errorf("of %d partitions: got %v, %v", n, got, err)
			}
		}
	})
}

func TestAPositionIsTheFirstThatIsNotAcknowledged(t *testing.T) {
	t.Parallel()
	everywhere(t, func(at place) {
		t := at.t
		at.wantPositions(t, "g", nil)
		groups := at.Conn.(oms.GroupAdmin)
		if err := groups.EnsureGroup(testContext(t), "g", []string{"t"}, oms.Start{}); err != nil {
			t.Fatal(err)
		}
		at.wantPositions(t, "g", map[int]int64{0: 1, 1: 1})
		sendAll(t, at, []*oms.Message{in(0, 0), in(0, 1), in(0, 2), in(1, 3)})
		if err := groups.EnsureGroup(testContext(t), "late", []string{"t"}, oms.Start{From: oms.StartLatest}); err != nil {
			t.Fatal(err)
		}
		at.wantPositions(t, "late", map[int]int64{0: 4, 1: 2})

		m := openMember(t, at, group("g"))
		byOffset := make(map[int64]*oms.Message)
		for _, msg := range m.get(t, 4) {
			if msg.Partition == 0 {
				byOffset[msg.Offset] = msg
			}
		}
		at.wantPositions(t, "g", map[int]int64{0: 1, 1: 1})
		ack := func(offset int64) {
			t.Helper()
			if err := m.Ack(testContext(t), []*oms.Message{byOffset[offset]}); err != nil {
				t.Fatal(err)
			}
			if err := m.Flush(testContext(t)); err != nil {
				t.Fatal(err)
			}
		}
		ack(2)
		at.wantPositions(t, "g", map[int]int64{0: 1, 1: 1}) // the first is not
		ack(1)
		at.wantPositions(t, "g", map[int]int64{0: 3, 1: 1})
		ack(3)
		at.wantPositions(t, "g", map[int]int64{0: 4, 1: 1})
		if err := m.Receiver.(oms.Seeker).Seek(testContext(t), map[oms.Partition]int64{{Topic: "t"}: 2}); err != nil {
			t.Fatal(err)
		}
		at.wantPositions(t, "g", map[int]int64{0: 2, 1: 1})
		closeClient(t, m)
		if err := groups.DeleteGroup(testContext(t), "g", []string{"t"}); err != nil {
			t.Fatal(err)
		}
		at.wantPositions(t, "g", nil)
		if _, err := at.Conn.(oms.GroupPositioner).Positions(testContext(t), "", nil); !errors.Is(err, oms.ErrInvalid) {
			t.Errorf("positions of nobody: %v, want ErrInvalid", err)
		}
		if _, err := at.Conn.(oms.GroupPositioner).Positions(testContext(t), "g", []string{"$x"}); !errors.Is(err, oms.ErrInvalid) {
			t.Errorf("positions in a reserved topic: %v, want ErrInvalid", err)
		}
	})
}

// in is message number i for partition p of t.
func in(p, i int) *oms.Message {
	return &oms.Message{Topic: "t", ToPartition: &p, Body: fmt.Append(nil, i)}
}
