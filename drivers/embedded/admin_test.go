package embedded_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/omconnect/omconnect/drivers/embedded"
	"github.com/omconnect/omconnect/oms"
)

func TestTopicsAreMadeListedAndDeleted(t *testing.T) {
	c := open(t, pointOf(t.TempDir()))
	ctx := testContext(t)
	names := []string{"T", "T.1", "T-1", "T=1", ".T", "T.", "a..b", "Ä/ö\\*>", "T_0"}
	p := newProducer(t, c)
	for i, name := range names {
		createTopic(t, c, name, i%3+1)
		send(t, p, &oms.Message{Topic: name, Key: []byte("k"), Body: []byte(name)})
	}
	// None of them shares anything with another.
	for _, name := range names {
		pc := newConsumer(t, c, oms.ReceiverConfig{Topics: []string{name}, Group: "g"})
		m := receive(t, pc, 1)[0]
		if string(m.Body) != name || m.Topic != name {
			t.Errorf("topic %q has %q of %q", name, m.Body, m.Topic)
		}
		if err := pc.Ack(ctx, m); err != nil {
			t.Fatal(err)
		}
		if lag, err := c.Lag(ctx, "g", []string{name}); err != nil || lag != 0 {
			if err := pc.Flush(ctx); err != nil {
				t.Fatal(err)
			}
			if lag, err = c.Lag(ctx, "g", []string{name}); err != nil || lag != 0 {
				t.Errorf("topic %q: lag %d, %v", name, lag, err)
			}
		}
	}
	infos, err := c.Topics(ctx)
	if err != nil {
		t.Fatal(err)
	}
	partitions := map[string]int{}
	for _, info := range infos {
		partitions[info.Name] = info.Partitions
	}
	if len(infos) != len(names) || partitions["T.1"] != 2 || partitions["T-1"] != 3 {
		t.Errorf("topics: %v", infos)
	}
	if err := c.DeleteTopic(ctx, "T"); err != nil {
		t.Fatal(err)
	}
	if err := p.Send(ctx, &oms.Message{Topic: "T", Body: []byte("x")}); !errors.Is(err, oms.ErrNotFound) {
		t.Errorf("sending to a deleted topic: %v, want ErrNotFound", err)
	}
	if err := c.DeleteTopic(ctx, "T"); !errors.Is(err, oms.ErrNotFound) {
		t.Errorf("deleting it twice: %v, want ErrNotFound", err)
	}
	send(t, p, &oms.Message{Topic: "T.1", Key: []byte("k"), Body: []byte("still there")})
}

func TestReservedNamesAreRefused(t *testing.T) {
	c := open(t, pointOf(t.TempDir()))
	ctx := testContext(t)
	p := newProducer(t, c)
	for _, name := range []string{
		"$JS.API.STREAM.PURGE.T", "$SYS", "__consumer", "_INBOX.x", "KV_omconnect-members", "OBJ_x", "", "a b", "a\x00b", "a\nb",
		strings.Repeat("x", 300), strings.Repeat("ä", 120),
	} {
		if err := c.EnsureTopic(ctx, oms.TopicSpec{Name: name}); !errors.Is(err, oms.ErrInvalid) {
			t.Errorf("making topic %.20q: %v, want ErrInvalid", name, err)
		}
		if err := p.Send(ctx, &oms.Message{Topic: name, Body: []byte("x")}); !errors.Is(err, oms.ErrInvalid) {
			t.Errorf("sending to %.20q: %v, want ErrInvalid", name, err)
		}
		if _, err := c.NewPullConsumer(ctx, oms.ReceiverConfig{Topics: []string{name}, Group: "g"}); !errors.Is(err, oms.ErrInvalid) {
			t.Errorf("receiving from %.20q: %v, want ErrInvalid", name, err)
		}
	}
	if err := c.EnsureTopic(ctx, oms.TopicSpec{Name: "t", Partitions: 100_000}); !errors.Is(err, oms.ErrInvalid) {
		t.Errorf("100,000 partitions: %v, want ErrInvalid", err)
	}
	admin, err := c.Groups()
	if err != nil {
		t.Fatal(err)
	}
	if err := admin.EnsureGroup(ctx, strings.Repeat("g", 300), nil, oms.Start{}); !errors.Is(err, oms.ErrInvalid) {
		t.Errorf("a long group: %v, want ErrInvalid", err)
	}
}

func TestGroupsMadeAheadGetEverything(t *testing.T) {
	c := open(t, pointOf(t.TempDir()))
	ctx := testContext(t)
	admin, err := c.Groups()
	if err != nil {
		t.Fatal(err)
	}
	// One that starts at the latest message makes the topic it needs; one that
	// starts at the earliest needs none.
	for range 2 {
		if err := admin.EnsureGroup(ctx, "late.group/1", []string{"made"}, oms.Start{From: oms.StartLatest}); err != nil {
			t.Fatal(err)
		}
		if err := admin.EnsureGroup(ctx, "early", []string{"made", "missing"}, oms.Start{}); err != nil {
			t.Fatal(err)
		}
	}
	p := newProducer(t, c)
	send(t, p, numbered("made", 0, 3)...)
	createTopic(t, c, "missing", 2)
	send(t, p, numbered("missing", 0, 2)...)
	for group, want := range map[string]int64{"late.group/1": 3, "early": 5, "never seen": 5} {
		lag, err := c.Lag(ctx, group, []string{"made", "missing", "nowhere"})
		if group == "late.group/1" {
			lag, err = c.Lag(ctx, group, []string{"made"})
		}
		if err != nil || lag != want {
			t.Errorf("lag of %s is %d, %v; want %d", group, lag, err, want)
		}
	}
	late := newConsumer(t, c, oms.ReceiverConfig{Topics: []string{"made"}, Group: "late.group/1", Start: oms.Start{From: oms.StartLatest}})
	early := newConsumer(t, c, oms.ReceiverConfig{Topics: []string{"made", "missing"}, Group: "early"})
	receive(t, late, 3)
	msgs := receive(t, early, 5)
	if lag, err := c.Lag(ctx, "early", []string{"made", "missing"}); err != nil || lag != 5 {
		t.Errorf("lag with all unacknowledged is %d, %v; want 5", lag, err)
	}
	if err := early.Ack(ctx, msgs...); err != nil {
		t.Fatal(err)
	}
	if err := early.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	if lag, err := c.Lag(ctx, "early", []string{"made", "missing"}); err != nil || lag != 0 {
		t.Errorf("lag with all acknowledged is %d, %v; want 0", lag, err)
	}
	names, err := admin.Members(ctx, "early", []string{"missing"})
	if err != nil || len(names) != 1 {
		t.Errorf("members %v, %v; want one", names, err)
	}
	if names, err := admin.Members(ctx, "nobody", []string{"missing"}); err != nil || len(names) != 0 {
		t.Errorf("members of a group without any: %v, %v", names, err)
	}
	if err := admin.DeleteGroup(ctx, "late.group/1", []string{"made", "nowhere"}); err != nil {
		t.Fatal(err)
	}
}

func TestAGroupStartsWhereItIsTold(t *testing.T) {
	c := open(t, pointOf(t.TempDir()))
	createTopic(t, c, "t", 1)
	p := newProducer(t, c)
	send(t, p, numbered("t", 0, 2)...)
	latest := newConsumer(t, c, oms.ReceiverConfig{Topics: []string{"t"}, Group: "latest", Start: oms.Start{From: oms.StartLatest}})
	ctx := testContext(t)
	for { // until it has joined
		positions, err := c.Positions(ctx, "latest", []string{"t"})
		if err != nil {
			t.Fatal(err)
		}
		if len(positions) == 1 {
			break
		}
	}
	at := time.Now()
	send(t, p, numbered("t", 2, 2)...)
	if diff := cmp.Diff([]string{"2", "3"}, bodies(receive(t, latest, 2))); diff != "" {
		t.Errorf("latest: %s", diff)
	}
	since := newConsumer(t, c, oms.ReceiverConfig{Topics: []string{"t"}, Group: "since", Start: oms.Start{From: oms.StartAtTime, At: at}})
	if diff := cmp.Diff([]string{"2", "3"}, bodies(receive(t, since, 2))); diff != "" {
		t.Errorf("since: %s", diff)
	}
}

func TestATopicThatComesLaterIsReceivedFrom(t *testing.T) {
	c := openConn(t, pointOf(t.TempDir()))
	embedded.Hurry(c, 0, 0, time.Hour) // looking for it now and then is not how it is noticed
	m := openMember(t, c, oms.ReceiverConfig{Topics: []string{"later"}, Group: "g"})
	m.none(t, 200*time.Millisecond)
	ctx := testContext(t)
	admin := c.(oms.TopicAdmin)
	if err := admin.CreateTopic(ctx, oms.TopicSpec{Name: "later", Partitions: 2}); err != nil {
		t.Fatal(err)
	}
	sendAll(t, c, numbered("later", 0, 1))
	m.get(t, 1)
	// Deleted and made again under it, it goes on.
	if err := admin.DeleteTopic(ctx, "later"); err != nil {
		t.Fatal(err)
	}
	if err := admin.CreateTopic(ctx, oms.TopicSpec{Name: "later"}); err != nil {
		t.Fatal(err)
	}
	sendAll(t, c, numbered("later", 7, 1))
	if got := bodies(m.get(t, 1)); got[0] != "7" {
		t.Errorf("got %v from the new topic", got)
	}
}

func TestTheBrokerIsKnownByItsFolder(t *testing.T) {
	dir := t.TempDir()
	identity := func() string {
		c, err := oms.Open(testContext(t), pointOf(dir))
		if err != nil {
			t.Fatal(err)
		}
		defer closeClient(t, c)
		id, err := c.Identity(testContext(t))
		if err != nil || id == "" {
			t.Fatalf("identity %q, %v", id, err)
		}
		if err := c.Check(testContext(t)); err != nil {
			t.Errorf("Check: %v", err)
		}
		return id
	}
	first := identity()
	if again := identity(); again != first {
		t.Errorf("identity %s, then %s", first, again)
	}
	if info, err := os.Stat(dir + "/store"); err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Errorf("the store can be read by others: %v, %v", info, err)
	}
	closed, err := oms.Open(testContext(t), pointOf(dir))
	if err != nil {
		t.Fatal(err)
	}
	closeClient(t, closed)
	closeClient(t, closed)
	if err := closed.Check(context.Background()); !errors.Is(err, oms.ErrClosed) {
		t.Errorf("Check after Close: %v, want ErrClosed", err)
	}
}
