package kafka_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/omconnect/omconnect/oms"
)

func TestAGroupBeginsWhereItIsTold(t *testing.T) {
	t.Parallel()
	for what, c := range map[string]struct {
		start oms.Start
		want  int64
	}{
		"at the first message": {oms.Start{}, 0},
		"at the end":           {oms.Start{From: oms.StartLatest}, 2},
		"at a time":            {oms.Start{From: oms.StartAtTime, At: time.Unix(1, 0)}, 0},
		"at a time to come":    {oms.Start{From: oms.StartAtTime, At: time.Now().Add(time.Hour)}, 2},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			cl := startCluster(t)
			topic, conn := cl.topic(t, 1), cl.open(t, "")
			send(t, conn, topic, "a", "b")
			groups := conn.(oms.GroupAdmin)
			if err := groups.EnsureGroup(t.Context(), "g", []string{topic}, c.start); err != nil {
				t.Fatal(err)
			}
			send(t, conn, topic, "c")
			other := oms.Start{From: oms.StartLatest}
			if err := groups.EnsureGroup(t.Context(), "g", []string{topic}, other); err != nil {
				t.Fatal(err)
			}
			if at, ok := stands(t, conn, "g", topic); !ok || at != c.want {
				t.Errorf("the group stands at %d, %v; want %d, as it was told first", at, ok, c.want)
			}
		})
	}
}

func TestAGroupMakesTheTopicsThatItNeeds(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	conn := c.open(t, "")
	if err := conn.(oms.GroupAdmin).EnsureGroup(t.Context(), "g", []string{"one", "two"}, oms.Start{}); err != nil {
		t.Fatal(err)
	}
	infos, err := conn.(oms.TopicAdmin).Topics(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]oms.TopicInfo{{Name: "one", Partitions: 2}, {Name: "two", Partitions: 2}}, infos); diff != "" {
		t.Errorf("the topics (-want +got):\n%s", diff)
	}
}

func TestAGroupWithMembersKeepsItsPositions(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	topic, conn := c.topic(t, 1), c.open(t, "")
	send(t, conn, topic, "a")
	r := receiver(t, conn, oms.ReceiverConfig{Group: "g", Topics: []string{topic}})
	msgs, _ := get(t, r, 1)
	groups := conn.(oms.GroupAdmin)
	if err := groups.DeleteGroup(t.Context(), "g", []string{topic}); !errors.Is(err, oms.ErrBusy) {
		t.Errorf("delete a group that has members: %v, want %v", err, oms.ErrBusy)
	}
	if err := groups.EnsureGroup(t.Context(), "g", []string{topic}, oms.Start{}); err != nil {
		t.Errorf("ensure a group that has members: %v", err)
	}
	if err := errors.Join(r.Ack(t.Context(), msgs), r.Flush(t.Context())); err != nil {
		t.Error(err)
	}
	if at, _ := stands(t, conn, "g", topic); at != 1 {
		t.Errorf("the group stands at %d, want 1", at)
	}
}

func TestDeletingAGroupOfOneTopicKeepsItsOthers(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	conn := c.open(t, "")
	groups, both := conn.(oms.GroupAdmin), []string{"kept", "gone"}
	if err := groups.EnsureGroup(t.Context(), "g", both, oms.Start{}); err != nil {
		t.Fatal(err)
	}
	if err := groups.DeleteGroup(t.Context(), "g", both[1:]); err != nil {
		t.Fatal(err)
	}
	if _, ok := stands(t, conn, "g", "kept"); !ok {
		t.Error("the position in the other topic is gone")
	}
	if at, ok := stands(t, conn, "g", "gone"); ok {
		t.Errorf("the position is still %d", at)
	}
	if err := groups.DeleteGroup(t.Context(), "g", both[:1]); err != nil {
		t.Fatal(err)
	}
	for what, err := range map[string]error{
		"delete": groups.DeleteGroup(t.Context(), "g", both),
		"list":   func() error { _, err := groups.Members(t.Context(), "g", both); return err }(),
	} {
		if !errors.Is(err, oms.ErrNotFound) {
			t.Errorf("%s a group that is gone: %v, want %v", what, err, oms.ErrNotFound)
		}
	}
}

func TestMembersAreThoseWhoReadTheTopics(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	conn := c.open(t, "&client.id=ours")
	groups := conn.(oms.GroupAdmin)
	for _, topic := range []string{"one", "two"} {
		if err := conn.(oms.TopicAdmin).CreateTopic(t.Context(), oms.TopicSpec{Name: topic, Partitions: 1}); err != nil {
			t.Fatal(err)
		}
		receiver(t, conn, oms.ReceiverConfig{Group: "g", Topics: []string{topic}})
	}
	if _, err := c.fake.WaitGroupStable(t.Context(), "g", 2); err != nil {
		t.Fatal(err)
	}
	for topics, want := range map[string]int{"one": 1, "two": 1, "one,two": 2, "three": 0} {
		members, err := groups.Members(t.Context(), "g", strings.Split(topics, ","))
		if err != nil || len(members) != want {
			t.Errorf("who reads %s: %v, %v; want %d members", topics, members, err, want)
		}
		for _, m := range members {
			if m.Foreign || !strings.HasPrefix(m.Name, "ours") {
				t.Errorf("the member %+v passes for another program's", m)
			}
		}
	}
}

func TestTheLagIsWhatIsNotAcknowledged(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	topic, conn := c.topic(t, 1), c.open(t, "")
	send(t, conn, topic, "a", "b", "c", "d")
	lag := func(group string) int64 {
		t.Helper()
		by, err := conn.(oms.LagReporter).Lag(t.Context(), group, []string{topic, "missing"})
		if err != nil {
			t.Fatal(err)
		}
		if len(by) != 1 {
			t.Errorf("the lag is %v, want that of one partition", by)
		}
		return by[oms.Partition{Topic: topic}]
	}
	if got := lag("nobody"); got != 4 {
		t.Errorf("the lag of a group that is not there is %d, want 4", got)
	}
	r := receiver(t, conn, oms.ReceiverConfig{Group: "g", Topics: []string{topic}})
	msgs, _ := get(t, r, 4)
	for _, step := range []struct {
		ack  int
		want int64
	}{{0, 3}, {2, 3}, {1, 1}, {3, 0}} {
		if err := errors.Join(r.Ack(t.Context(), msgs[step.ack:step.ack+1]), r.Flush(t.Context())); err != nil {
			t.Fatal(err)
		}
		if got := lag("g"); got != step.want {
			t.Errorf("behind message %d the lag is %d, want %d", step.ack, got, step.want)
		}
	}
	if err := c.fake.DeleteRecords(topic, 0, 2); err != nil {
		t.Fatal(err)
	}
	if got := lag("nobody"); got != 2 {
		t.Errorf("the lag of what retention has left is %d, want 2", got)
	}
}

func TestRequestsFollowTheirCoordinator(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	topic, conn := c.topic(t, 1), c.open(t, "")
	groups := conn.(oms.GroupAdmin)
	keys := map[string][]kmsg.Key{
		"ensure": {kmsg.OffsetCommit, kmsg.OffsetFetch}, "list": {kmsg.DescribeGroups}, "delete": {kmsg.DeleteGroups, kmsg.DescribeGroups},
	}
	for _, step := range []struct {
		what string
		do   func() error
	}{
		{"ensure", func() error { return groups.EnsureGroup(t.Context(), "g", []string{topic}, oms.Start{}) }},
		{"list", func() error { _, err := groups.Members(t.Context(), "g", []string{topic}); return err }},
		{"delete", func() error { return groups.DeleteGroup(t.Context(), "g", []string{topic}) }},
	} {
		moved := c.fake.Fault(kfake.Fault{Keys: keys[step.what], Err: kerr.NotCoordinator, Count: 2})
		if err := step.do(); err != nil {
			t.Errorf("%s while the coordinator moves: %v", step.what, err)
		}
		if moved.Hits() != 2 {
			t.Errorf("%s: the fault was met %d times, want 2", step.what, moved.Hits())
		}
	}
}

func TestNamesAreCheckedBeforeAnythingIsAsked(t *testing.T) {
	t.Parallel()
	conn := openAt(t, "oms:kafka://127.0.0.1:1/")
	groups, admin := conn.(oms.GroupAdmin), conn.(oms.TopicAdmin)
	bad := []string{"__consumer_offsets"}
	_, list := groups.Members(t.Context(), "g", bad)
	_, lag := conn.(oms.LagReporter).Lag(t.Context(), "g", bad)
	_, positions := conn.(oms.GroupPositioner).Positions(t.Context(), "g", bad)
	_, offsets := conn.(oms.OffsetFinder).Offsets(t.Context(), bad, oms.Start{})
	_, receive := conn.OpenReceiver(t.Context(), oms.ReceiverConfig{Group: "g", Topics: bad})
	_, noTopic := conn.OpenReceiver(t.Context(), oms.ReceiverConfig{Group: "g"})
	_, noGroup := conn.OpenReceiver(t.Context(), oms.ReceiverConfig{Topics: []string{"t"}})
	for what, err := range map[string]error{
		"ensure": groups.EnsureGroup(t.Context(), "g", bad, oms.Start{}), "delete": groups.DeleteGroup(t.Context(), "g", bad),
		"list": list, "lag": lag, "positions": positions, "offsets": offsets, "receive": receive, "no topic": noTopic, "no group": noGroup,
		"create": admin.CreateTopic(t.Context(), oms.TopicSpec{Name: "a b"}), "delete a topic": admin.DeleteTopic(t.Context(), bad[0]),
		"a number": admin.CreateTopic(t.Context(), oms.TopicSpec{Name: "t", Partitions: -1}),
		"a start":  groups.EnsureGroup(t.Context(), "g", []string{"t"}, oms.Start{From: 99}),
	} {
		if !errors.Is(err, oms.ErrInvalid) {
			t.Errorf("%s: %v, want %v", what, err, oms.ErrInvalid)
		}
	}
}

func TestAClosedConnectionSaysSo(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	topic, conn := c.topic(t, 1), c.open(t, "")
	s := sender(t, conn)
	r := receiver(t, conn, oms.ReceiverConfig{Group: "g", Topics: []string{topic}})
	for range 2 {
		if err := conn.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	topics := []string{topic}
	_, list := conn.(oms.TopicAdmin).Topics(t.Context())
	_, members := conn.(oms.GroupAdmin).Members(t.Context(), "g", topics)
	_, identity := conn.(oms.Identifier).Identity(t.Context())
	_, receive := r.Receive(t.Context(), 1)
	_, send := conn.OpenSender(t.Context(), oms.SenderConfig{})
	_, join := conn.OpenReceiver(t.Context(), oms.ReceiverConfig{Group: "g", Topics: topics})
	for what, err := range map[string]error{
		"check": conn.Check(t.Context()), "list": list, "members": members, "identity": identity, "receive": receive, "open a sender": send,
		"open a receiver": join, "send": outcome(t, s, &oms.Message{Topic: topic}), "flush": r.Flush(t.Context()), "ack": r.Ack(t.Context(), nil),
		"ensure": conn.(oms.GroupAdmin).EnsureGroup(t.Context(), "g", topics, oms.Start{}),
	} {
		if !errors.Is(err, oms.ErrClosed) {
			t.Errorf("%s: %v, want %v", what, err, oms.ErrClosed)
		}
	}
}
