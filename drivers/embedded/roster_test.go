package embedded_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/omconnect/omconnect/oms"
)

// bucket opens the members' bucket as a NATS program sees it. A receiver makes
// it, so one must have joined.
func (at place) bucket(t *testing.T) jetstream.KeyValue {
	t.Helper()
	kv, err := at.js.KeyValue(testContext(t), "omconnect-members")
	if err != nil {
		t.Fatal(err)
	}
	return kv
}

// joinBucket makes the bucket by joining and leaving.
func (at place) joinBucket(t *testing.T) jetstream.KeyValue {
	t.Helper()
	first := openMember(t, at, group("first"))
	first.await(t, 2)
	closeClient(t, first)
	return at.bucket(t)
}

func (at place) members(t *testing.T, group string) []string {
	t.Helper()
	return membersOf(t, at.Conn, group, "t")
}

// membersOf returns the names of a group's members.
func membersOf(t *testing.T, c oms.Conn, group, topic string) (names []string) {
	t.Helper()
	members, err := c.(oms.GroupAdmin).Members(testContext(t), group, []string{topic})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range members {
		if m.Foreign {
			t.Errorf("the member %s is foreign, and that is not claimed", m.Name)
		}
		names = append(names, m.Name)
	}
	return names
}

func TestALeaseOfADeadMemberIsTakenOver(t *testing.T) {
	t.Parallel()
	everywhere(t, func(at place) {
		t := at.t
		kv := at.joinBucket(t)
		// A process that died has left its entries: nobody answers at its inbox.
		ctx := testContext(t)
		_, err := kv.Put(ctx, "m.g.dead", []byte(`{"session":"_INBOX.dead","topics":["t"]}`))
		for _, key := range []string{"l.g.t.0", "l.g.t.1"} {
			if err == nil {
				_, err = kv.Put(ctx, key, []byte("_INBOX.dead dead"))
			}
		}
		if err != nil {
			t.Fatal(err)
		}
		m := openMember(t, at, group("g"))
		m.await(t, 2)
		names := at.members(t, "g")
		if len(names) != 1 || names[0] == "dead" {
			t.Errorf("members are %q, want the living one", names)
		}
		if _, err := kv.Get(ctx, "m.g.dead"); !errors.Is(err, jetstream.ErrKeyNotFound) {
			t.Errorf("the dead member's entry: %v, want it removed", err)
		}
		closeClient(t, m)
		for _, key := range []string{"l.g.t.0", "l.g.t.1"} {
			if _, err := kv.Get(ctx, key); !errors.Is(err, jetstream.ErrKeyNotFound) {
				t.Errorf("the lease %s after Close: %v, want it given back", key, err)
			}
		}
	})
}

func TestALeaseOfALivingMemberIsNotTaken(t *testing.T) {
	t.Parallel()
	everywhere(t, func(at place) {
		t := at.t
		kv := at.joinBucket(t)
		nc := at.js.Conn()
		answering, err := nc.Subscribe("_INBOX.living.alive", func(m *nats.Msg) { _ = m.Respond(nil) })
		if err == nil {
			err = nc.Flush()
		}
		if err == nil { // it is no member any more, and still holds what it had
			_, err = kv.Put(testContext(t), "l.g.t.0", []byte("_INBOX.living other"))
		}
		if err != nil {
			t.Fatal(err)
		}
		sendAll(t, at, []*oms.Message{in(0, 0), in(1, 1)})
		m := openMember(t, at, group("g"))
		if got := m.get(t, 1)[0]; got.Partition != 1 {
			t.Error("a partition is read by two members")
		}
		m.none(t, 200*time.Millisecond)
		// Only when its connection is gone it is over.
		if err := answering.Unsubscribe(); err != nil {
			t.Fatal(err)
		}
		if got := m.get(t, 1)[0]; got.Partition != 0 {
			t.Errorf("a message of partition %d comes", got.Partition)
		}
		m.await(t, 2)
	})
}

// A receiver that was closed while it joined may have left its entry behind,
// and a lease, in a session that lives on.
func TestAMemberThatItsSessionDoesNotHaveOwnsNothing(t *testing.T) {
	t.Parallel()
	for name, other := range map[string]bool{"of this connection": false, "of another one": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := startNATS(t)
			theirs := openConn(t, n.point("right", ""))
			ours := theirs
			if other {
				ours = openConn(t, n.point("right", ""))
			}
			ctx := testContext(t)
			if err := theirs.(oms.TopicAdmin).CreateTopic(ctx, oms.TopicSpec{Name: "t", Partitions: 2}); err != nil {
				t.Fatal(err)
			}
			// A member of theirs, whose session goes on answering.
			living := openMember(t, theirs, group("another"))
			living.await(t, 2)
			nc, err := nats.Connect(n.server.ClientURL(), nats.UserInfo("user", "right"))
			if err != nil {
				t.Fatal(err)
			}
			defer nc.Close()
			js, err := jetstream.New(nc)
			if err != nil {
				t.Fatal(err)
			}
			kv, err := js.KeyValue(ctx, "omconnect-members")
			if err != nil {
				t.Fatal(err)
			}
			names := membersOf(t, theirs, "another", "t")
			entry, err := kv.Get(ctx, "m.another."+names[0])
			if err != nil {
				t.Fatal(err)
			}
			var was struct{ Session string }
			if err := json.Unmarshal(entry.Value(), &was); err != nil {
				t.Fatal(err)
			}
			ghost := names[0] + "x"
			_, err = kv.Put(ctx, "m.g."+ghost, entry.Value())
			for _, key := range []string{"l.g.t.0", "l.g.t.1"} {
				if err == nil {
					_, err = kv.Put(ctx, key, []byte(was.Session+" "+ghost))
				}
			}
			if err != nil {
				t.Fatal(err)
			}
			m := openMember(t, ours, group("g"))
			m.await(t, 2)
			if names := membersOf(t, ours, "g", "t"); slices.Contains(names, ghost) {
				t.Errorf("the members are %q, want them without the one that is gone", names)
			}
			if names := membersOf(t, ours, "another", "t"); len(names) != 1 {
				t.Errorf("the members of the other group are %q, want its one", names)
			}
		})
	}
}

func TestAMemberThatIsBackIsNotTakenForDead(t *testing.T) {
	t.Parallel()
	everywhere(t, func(at place) {
		t := at.t
		kv := at.joinBucket(t)
		nc := at.js.Conn()
		_, err := nc.Subscribe("_INBOX.back.alive", func(m *nats.Msg) { _ = m.Respond(nil) })
		if err == nil {
			err = nc.Flush()
		}
		if err != nil {
			t.Fatal(err)
		}
		m := openMember(t, at, group("g"))
		m.await(t, 2)
		ctx := testContext(t)
		// Its first session is dead, and while the others make sure of that it
		// comes back with another.
		if _, err := kv.Put(ctx, "m.g.other", []byte(`{"session":"_INBOX.dead","topics":["t"]}`)); err != nil {
			t.Fatal(err)
		}
		m.none(t, 100*time.Millisecond)
		if _, err := kv.Put(ctx, "m.g.other", []byte(`{"session":"_INBOX.back","topics":["t"]}`)); err != nil {
			t.Fatal(err)
		}
		m.none(t, 500*time.Millisecond)
		if _, err := kv.Get(ctx, "m.g.other"); err != nil {
			t.Errorf("the entry of a living member: %v", err)
		}
		if names := at.members(t, "g"); !slices.Contains(names, "other") {
			t.Errorf("members are %q, without the one that is back", names)
		}
	})
}

func TestEntriesOfOthersInTheBucketAreLeftAlone(t *testing.T) {
	t.Parallel()
	everywhere(t, func(at place) {
		t := at.t
		kv := at.joinBucket(t)
		ctx := testContext(t)
		foreign := map[string]string{"m.g.garbage": "{", "x": "y", "m": "", "l.g.t.77": "nobody"}
		for key, value := range foreign {
			if _, err := kv.Put(ctx, key, []byte(value)); err != nil {
				t.Fatal(err)
			}
		}
		m := openMember(t, at, group("g"))
		m.await(t, 2)
		for key, value := range foreign {
			if entry, err := kv.Get(ctx, key); err != nil || string(entry.Value()) != value {
				t.Errorf("the entry %s became %v, %v", key, entry, err)
			}
		}
		if names := at.members(t, "g"); len(names) != 1 {
			t.Errorf("members are %q, want one", names)
		}
	})
}

func TestMembersOfOneConnectionShareTheBeginningOfTheirNames(t *testing.T) {
	t.Parallel()
	n := startNATS(t)
	ours, theirs := openConn(t, n.point("right", "")), openConn(t, n.point("right", ""))
	if err := ours.(oms.TopicAdmin).CreateTopic(testContext(t), oms.TopicSpec{Name: "t", Partitions: 3}); err != nil {
		t.Fatal(err)
	}
	var members []*member
	for _, c := range []oms.Conn{ours, ours, theirs} {
		members = append(members, openMember(t, c, group("g")))
	}
	for _, m := range members {
		m.await(t, 1)
	}
	beginnings := make(map[string]int)
	for _, c := range []oms.Conn{ours, theirs} { // both see the same
		names := membersOf(t, c, "g", "t")
		if len(names) != 3 || !slices.IsSorted(names) {
			t.Fatalf("members are %q, want three", names)
		}
		for _, name := range names {
			if !strings.HasPrefix(name, "omconnect-") {
				t.Errorf("a member is named %s", name)
			}
			beginnings[name[:strings.LastIndexByte(name, '-')]]++
		}
	}
	if len(beginnings) != 2 {
		t.Errorf("the names begin in %d ways %v, want one for each connection", len(beginnings), beginnings)
	}
	if names := membersOf(t, ours, "g", "other"); len(names) != 0 {
		t.Errorf("members that receive from another topic: %q", names)
	}
}

func TestAMemberWhoseCloseIsNotWaitedForLeavesAllTheSame(t *testing.T) {
	t.Parallel()
	everywhere(t, func(at place) {
		t := at.t
		first := openMember(t, at, group("g"))
		first.await(t, 2)
		expired, cancel := context.WithCancel(testContext(t))
		cancel()
		_ = first.Close(expired) // it may say that it was cut short
		second := openMember(t, at, group("g"))
		second.await(t, 2)
		if names := at.members(t, "g"); len(names) != 1 {
			t.Errorf("the members are %q, want the second only", names)
		}
	})
}

func TestAMemberOfAnEarlierSessionOfTheSameConnectionIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	everywhere(t, func(at place) {
		t := at.t
		kv := at.joinBucket(t)
		first := openMember(t, at, group("g"))
		first.await(t, 2)
		names := at.members(t, "g")
		closeClient(t, first)
		// The network was cut: the server keeps the connection of the earlier
		// session, so somebody listens at its inbox and nobody answers.
		silent := nats.NewInbox()
		sub, err := at.js.Conn().SubscribeSync(silent + ".>")
		if err != nil {
			t.Fatal(err)
		}
		defer sub.Unsubscribe()
		id := names[0] + "x"
		ctx := testContext(t)
		_, err = kv.Put(ctx, "m.g."+id, []byte(`{"session":"`+silent+`","topics":["t"]}`))
		for _, key := range []string{"l.g.t.0", "l.g.t.1"} {
			if err == nil {
				_, err = kv.Put(ctx, key, []byte(silent+" "+id))
			}
		}
		if err != nil {
			t.Fatal(err)
		}
		second := openMember(t, at, group("g"))
		second.await(t, 2)
	})
}
