package driver_test

import (
	"context"
	dbsql "database/sql"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/omconnect/omconnect/oms"
)

const patience = 30 * time.Second

// topic is the one that every test has, each in a file of its own.
const topic = "orders"

// filled returns a file with n messages that the group has not read, whose
// bodies are their numbers.
func filled(t *testing.T, n int) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "messages.db")
	c := open(t, path)
	groups, err := c.Groups()
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(
		c.EnsureTopic(t.Context(), oms.TopicSpec{Name: topic}),
		groups.EnsureGroup(t.Context(), "g", []string{topic}, oms.Start{}),
	); err != nil {
		t.Fatal(err)
	}
	p, err := c.NewProducer(t.Context(), oms.SenderConfig{})
	if err != nil {
		t.Fatal(err)
	}
	var msgs []*oms.Message
	for i := range n {
		msgs = append(msgs, &oms.Message{Topic: topic, Body: []byte(strconv.Itoa(i))})
	}
	if err := errors.Join(p.Send(t.Context(), msgs...), p.Close(t.Context())); err != nil {
		t.Fatal(err)
	}
	return path
}

// member returns a member of the group with a connection of its own, as
// another process would have.
func member(t *testing.T, path string, onRevoked func()) *oms.PullConsumer {
	t.Helper()
	pc, err := open(t, path).NewPullConsumer(t.Context(), oms.ReceiverConfig{
		Topics: []string{topic}, Group: "g", OnRevoked: func(context.Context, []oms.Partition) { onRevoked() },
	})
	if err != nil {
		t.Fatal(err)
	}
	return pc
}

// receive returns n messages.
func receive(t *testing.T, pc *oms.PullConsumer, n int) (msgs []*oms.Message) {
	t.Helper()
	for begin := time.Now(); len(msgs) < n && time.Since(begin) < patience; {
		got, err := pc.Receive(t.Context(), n-len(msgs), time.Second)
		if err != nil {
			t.Fatal(err)
		}
		msgs = append(msgs, got...)
	}
	if len(msgs) != n {
		t.Fatalf("%d messages came, want %d", len(msgs), n)
	}
	return msgs
}

func bodies(msgs []*oms.Message) (texts []string) {
	for _, m := range msgs {
		texts = append(texts, string(m.Body))
	}
	return texts
}

// sql does something to the file that the driver knows nothing of.
func sql(t *testing.T, path string, statements ...string) {
	t.Helper()
	db, err := dbsql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(10000)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, s := range statements {
		if _, err := db.ExecContext(t.Context(), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

func TestWhatADeadMemberHadComesAgain(t *testing.T) {
	t.Parallel()
	path := filled(t, 5)
	// A process that was killed: its lease has run out.
	sql(
		t, path, "UPDATE waiting SET member = 'ghost', count = 1 WHERE id <= 3",
		"INSERT INTO members VALUES ('ghost', 'g', 'orders', 1)",
	)
	msgs := receive(t, member(t, path, func() {}), 5)
	for _, m := range msgs {
		want := 1
		if slices.Contains([]string{"0", "1", "2"}, string(m.Body)) {
			want = 2
		}
		if m.Deliveries != want {
			t.Errorf("message %s was delivered %d times, want %d", m.Body, m.Deliveries, want)
		}
	}
}

func TestWhatALivingMemberHasIsNotTaken(t *testing.T) {
	t.Parallel()
	path := filled(t, 5)
	first := member(t, path, func() {})
	receive(t, first, 3)
	if got := bodies(receive(t, member(t, path, func() {}), 2)); !slices.Equal(got, []string{"3", "4"}) {
		t.Errorf("the second member got %q", got)
	}
}

func TestAMemberThatLostItsLeaseBeginsAnew(t *testing.T) {
	t.Parallel()
	path := filled(t, 3)
	revoked := make(chan struct{})
	pc := member(t, path, func() { close(revoked) })
	old := receive(t, pc, 3)
	// What another one does to a member that it has not heard of for too long.
	sql(t, path, "UPDATE waiting SET member = NULL", "DELETE FROM members")
	if err := pc.Ack(t.Context(), old[0]); !errors.Is(err, oms.ErrStaleDelivery) {
		t.Errorf("acknowledging without a lease is %v, want ErrStaleDelivery", err)
	}
	select {
	case <-revoked:
	case <-time.After(patience):
		t.Fatal("OnRevoked was not called")
	}
	again := receive(t, pc, 3)
	if err := pc.Ack(t.Context(), old[1]); !errors.Is(err, oms.ErrStaleDelivery) {
		t.Errorf("acknowledging a delivery of the session before is %v, want ErrStaleDelivery", err)
	}
	if err := pc.Ack(t.Context(), again...); err != nil {
		t.Fatal(err)
	}
	lag, err := open(t, path).Lag(t.Context(), "g", []string{topic})
	if err != nil || lag != 0 {
		t.Errorf("the lag is %d, %v, want 0", lag, err)
	}
}

func TestAFileThatIsNoDatabaseIsMalformed(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "messages.db")
	if err := os.WriteFile(path, []byte("this is no database, and long enough for that to be seen\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := open(t, path).Check(t.Context()); !errors.Is(err, oms.ErrFormat) {
		t.Errorf("got %v, want ErrFormat", err)
	}
}

func TestWhatTheDatabaseRefusesIsNotConfirmed(t *testing.T) {
	t.Parallel()
	path := filled(t, 1)
	sql(t, path, "CREATE TRIGGER refuse BEFORE INSERT ON messages BEGIN SELECT RAISE(ABORT, 'no'); END")
	p, err := open(t, path).NewProducer(t.Context(), oms.SenderConfig{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if err := p.Send(ctx, &oms.Message{Topic: topic, Body: []byte("x")}); err == nil {
		t.Error("a message is confirmed that the database has refused")
	}
	_ = p.Close(ctx) // its time is over
}
