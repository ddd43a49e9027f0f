package rocketmq

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/omconnect/omconnect/oms"
)

// say is a local, or a check, that always says the same.
func say(v oms.Verdict) func(context.Context) oms.Verdict {
	return func(context.Context) oms.Verdict { return v }
}

func answer(v oms.Verdict) func(context.Context, *oms.Message) oms.Verdict {
	return func(context.Context, *oms.Message) oms.Verdict { return v }
}

func half(body string) *oms.Message {
	return &oms.Message{Topic: "t", ID: "id-" + body, Key: []byte("k"), Body: []byte(body), Headers: oms.Headers{{Name: "h", Value: []byte("v")}}}
}

// openHalf opens a sender of a group that no other test has: its client is
// kept.
func openHalf(t *testing.T, c *conn, check func(context.Context, *oms.Message) oms.Verdict) *halfSender {
	t.Helper()
	s, err := c.OpenHalf(t.Context(), "half", check)
	return open(t, s, err).(*halfSender)
}

// stored returns the bodies in the only queue of the topic t.
func (f *fake) stored() (bodies []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, m := range f.topics["t"].queues[0] {
		bodies = append(bodies, string(m.body))
	}
	return bodies
}

// undecided returns how many half messages have no verdict.
func (f *fake) undecided() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.halves)
}

func TestAHalfMessageIsWhatItsVerdictSays(t *testing.T) {
	t.Parallel()
	f := startFake(t)
	f.checkAfter = time.Hour
	s := openHalf(t, connTo(t, f), answer(oms.Undecided))
	for _, v := range []oms.Verdict{oms.Rollback, oms.Commit} {
		called := 0
		err := s.Send(t.Context(), half(v.String()), func(context.Context) oms.Verdict {
			called++
			if got := f.stored(); len(got) > 0 || f.undecided() == 0 {
				t.Errorf("while local runs %q are stored, and %d are held", got, f.undecided())
			}
			return v
		})
		if err != nil || called != 1 {
			t.Errorf("%v: %v, and local is called %d times", v, err, called)
		}
		until(t, "a verdict at the broker", func() bool { return f.undecided() == 0 })
	}
	if diff := cmp.Diff([]string{"commit"}, f.stored()); diff != "" {
		t.Errorf("stored (-want +got):\n%s", diff)
	}
}

func TestAHalfMessageThatIsNotStoredHasNoLocal(t *testing.T) {
	t.Parallel()
	f := startFake(t)
	c := connTo(t, f)
	s := openHalf(t, c, answer(oms.Rollback))
	local := func(context.Context) oms.Verdict {
		t.Error("local is called")
		return oms.Commit
	}
	number := 7
	for name, test := range map[string]struct {
		msg    *oms.Message
		refuse *command
		want   oms.Code
	}{
		"refused":            {half("x"), refusal(resNoPermission, "no"), oms.ErrDenied},
		"too large there":    {half("x"), refusal(resIllegalMessage, "the message body size over max value"), oms.ErrTooLarge},
		"stored too slowly":  {half("x"), refusal(10, "flush disk timeout"), oms.ErrUnknown},
		"not replicated":     {half("x"), refusal(12, "no slave"), oms.ErrUnknown},
		"a missing topic":    {&oms.Message{Topic: "missing"}, nil, oms.ErrNotFound},
		"a reserved topic":   {&oms.Message{Topic: "TBW102"}, nil, oms.ErrInvalid},
		"a missing queue":    {&oms.Message{Topic: "t", ToPartition: &number}, nil, oms.ErrInvalid},
		"a delay":            {&oms.Message{Topic: "t", Delay: time.Second}, nil, oms.ErrInvalid},
		"a body too large":   {&oms.Message{Topic: "t", Body: make([]byte, defaultMaxMessage+1)}, nil, oms.ErrTooLarge},
		"headers too large":  {&oms.Message{Topic: "t", Headers: oms.Headers{{Name: "h", Value: make([]byte, 32<<10)}}}, nil, oms.ErrTooLarge},
		"an answer of chaff": {half("x"), ok(map[string]string{"msgId": "0"}), ""},
	} {
		f.refuseWith(func(cmd *command) *command {
			if cmd.Code == libSend && test.refuse != nil {
				a := *test.refuse // answers are written to
				return &a
			}
			return nil
		})
		l := local
		if test.want == "" { // it is stored, so local was called
			l = say(oms.Commit)
		}
		if err := s.Send(t.Context(), test.msg, l); oms.CodeOf(err) != test.want {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
}

func TestSendersOfAGroupShareAClient(t *testing.T) {
	t.Parallel()
	f := startFake(t)
	a, b := openHalf(t, connTo(t, f), answer(oms.Commit)), openHalf(t, connTo(t, f), answer(oms.Commit))
	if a.client != b.client {
		t.Error("two senders of a group have a client each, and clients are kept for good")
	}
	other, err := a.conn.OpenHalf(t.Context(), "another", answer(oms.Commit))
	if other := open(t, other, err).(*halfSender); other.client == a.client {
		t.Error("two groups share a client")
	}
}

func TestHalfMessagesNeedAClusterAndAGroup(t *testing.T) {
	t.Parallel()
	f := startFake(t)
	c := connTo(t, f)
	for _, group := range []string{"", "TOOLS_CONSUMER", strings.Repeat("g", 121)} {
		if _, err := c.OpenHalf(t.Context(), group, answer(oms.Commit)); oms.CodeOf(err) != oms.ErrInvalid {
			t.Errorf("group %q: %v, want ErrInvalid", group, err)
		}
	}
	f.mu.Lock()
	f.away = true
	f.mu.Unlock()
	if _, err := c.OpenHalf(t.Context(), "half", answer(oms.Commit)); oms.CodeOf(err) != oms.ErrUnavailable {
		t.Errorf("with the broker away: %v, want ErrUnavailable", err)
	}
	f.mu.Lock()
	f.away = false
	f.mu.Unlock()
	closed := connTo(t, f)
	if err := closed.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := closed.OpenHalf(t.Context(), "half", answer(oms.Commit)); err == nil {
		t.Error("a closed connection opens a sender")
	}
}

func TestHalfMessagesHaveNamespaces(t *testing.T) {
	t.Parallel()
	f := startFake(t)
	c := at(t, "oms:rocketmq://"+f.addr()+"/space?topic.partitions=1")
	if err := c.CreateTopic(t.Context(), oms.TopicSpec{Name: "t.u"}); err != nil {
		t.Fatal(err)
	}
	asked := make(chan *oms.Message, 1)
	s, err := c.OpenHalf(t.Context(), "half.of", func(_ context.Context, m *oms.Message) oms.Verdict {
		select {
		case asked <- m:
		default: // one is enough
		}
		return oms.Rollback
	})
	s = open(t, s, err)
	if err := s.Send(t.Context(), &oms.Message{Topic: "t.u", Body: []byte("x")}, say(oms.Undecided)); err != nil {
		t.Fatal(err)
	}
	f.mu.Lock()
	for _, h := range f.halves {
		if h.topic != "space%t|2Eu" || h.group != "space%half|2Eof" {
			t.Errorf("the broker has topic %s and group %s", h.topic, h.group)
		}
	}
	f.mu.Unlock()
	select {
	case m := <-asked:
		if m.Topic != "t.u" {
			t.Errorf("check is asked about topic %s", m.Topic)
		}
	case <-time.After(patience):
		t.Fatal("check is not asked")
	}
	until(t, "the end of it", func() bool { return f.undecided() == 0 })
}
