package rabbitmq_test

import (
	"context"
	"testing"

	"github.com/omconnect/omconnect/oms"
)

func TestAMessageThatNoQueueGetsIsAnError(t *testing.T) {
	t.Parallel()
	f := startFake(t)
	c := open(t, f, "")
	makeTopic(t, c, "t", 1)
	s := sender(t, c)
	err := outcome(t, start(t, s, numbered("t", 0, 3)...))
	want(t, "the first", oms.FailureOf(err, 0), oms.ErrNoSubscription)
	want(t, "what is behind it", oms.FailureOf(err, 2), oms.ErrAborted)
	ensure(t, c, "g", "t")
	until(t, "sending", func() bool { return follow(t, s, numbered("t", 0, 3)...) == nil })
	equal(t, "what the group has", f.bodies("g:"), []string{"0", "1", "2"})
}

func TestWhatIsNotConfirmedWhenTheConnectionEndsIsUnknown(t *testing.T) {
	t.Parallel()
	f := startFake(t)
	c := open(t, f, "")
	ensure(t, c, "g", "t")
	s := sender(t, c)
	must(t, outcome(t, start(t, s, numbered("t", 0, 1)...)))
	f.withhold(true)
	first, second := start(t, s, numbered("t", 1, 3)...), start(t, s, numbered("t", 3, 4)...)
	until(t, "publishing", func() bool { return f.depth("g:t:0") == 4 })
	f.withhold(false)
	f.killConnections()
	want(t, "the first", outcome(t, first), oms.ErrUnknown)
	if err := outcome(t, second); oms.CodeOf(err) != oms.ErrUnknown && oms.CodeOf(err) != oms.ErrAborted {
		t.Errorf("the second: %v", err)
	}
	until(t, "sending again", func() bool { return follow(t, s, numbered("t", 1, 2)...) == nil })
}

func TestWhatIsNotConfirmedInTimeIsUnknown(t *testing.T) {
	t.Parallel()
	f := startFake(t)
	c := open(t, f, "publish.timeout.ms=1000")
	ensure(t, c, "g", "t")
	s := sender(t, c)
	f.withhold(true)
	err := outcome(t, start(t, s, numbered("t", 0, 2)...))
	want(t, "the first", oms.FailureOf(err, 0), oms.ErrUnknown)
	want(t, "what is behind it", oms.FailureOf(err, 1), oms.ErrAborted)
	equal(t, "what the broker got", f.bodies("g:"), []string{"0"})
}

func TestSendersWaitWhileTheBrokerHasNoRoom(t *testing.T) {
	t.Parallel()
	f := startFake(t)
	c := open(t, f, "")
	ensure(t, c, "g", "t")
	s := sender(t, c)
	must(t, outcome(t, start(t, s, numbered("t", 0, 1)...)))
	f.block(true)
	var outs []<-chan error
	for i := 1; i < 50; i++ { // the driver may hear of it a moment later
		outs = append(outs, start(t, s, numbered("t", i, i+1)...))
	}
	f.block(false)
	for _, out := range outs {
		must(t, outcome(t, out))
	}
	if n := f.depth("g:t:0"); n != 50 {
		t.Errorf("the queue has %d messages, want 50", n)
	}
}

func TestATopicThatIsMissingIsNotMadeBySending(t *testing.T) {
	t.Parallel()
	f := startFake(t)
	c := open(t, f, "")
	s := sender(t, c)
	want(t, "send", outcome(t, start(t, s, numbered("t", 0, 1)...)), oms.ErrNotFound)
	for _, name := range []string{"amq.direct", "", "a b"} {
		want(t, "send to "+name, outcome(t, start(t, s, numbered(name, 0, 1)...)), oms.ErrInvalid)
	}
	ensure(t, c, "g", "t")
	must(t, follow(t, s, numbered("t", 0, 1)...))
	must(t, c.(oms.TopicAdmin).DeleteTopic(within(t), "t"))
	until(t, "noticing that it was deleted", func() bool {
		return oms.CodeOf(follow(t, s, numbered("t", 0, 1)...)) == oms.ErrNotFound
	})
}

func TestMessagesWithoutAKeyTakeTurnsByCall(t *testing.T) {
	t.Parallel()
	f := startFake(t)
	c := open(t, f, "")
	makeTopic(t, c, "t", 3)
	makeTopic(t, c, "u", 1)
	ensure(t, c, "g", "t", "u")
	s := sender(t, c)
	for i := range 4 {
		msgs := append(numbered("t", 2*i, 2*i+2), numbered("u", i, i+1)...)
		must(t, outcome(t, start(t, s, msgs...)))
	}
	for queue, bodies := range map[string][]string{
		"g:t:0": {"0", "1", "6", "7"}, "g:t:1": {"2", "3"}, "g:t:2": {"4", "5"}, "g:u:0": {"0", "1", "2", "3"},
	} {
		equal(t, queue, f.bodies(queue), bodies)
	}
}

func TestASenderThatIsClosedInAHurryTellsOfAll(t *testing.T) {
	t.Parallel()
	f := startFake(t)
	c := open(t, f, "")
	ensure(t, c, "g", "t")
	s, err := c.OpenSender(t.Context(), oms.SenderConfig{MaxInFlight: 4})
	must(t, err)
	must(t, outcome(t, start(t, s, numbered("t", 0, 1)...)))
	f.withhold(true)
	first, second := start(t, s, numbered("t", 1, 3)...), start(t, s, numbered("t", 3, 5)...)
	until(t, "publishing", func() bool { return f.depth("g:t:0") == 5 })
	waiting := make(chan error, 1)
	go s.SendAsync(t.Context(), numbered("t", 5, 6), func(err error) { waiting <- err }) // the window is full
	ended, end := context.WithCancel(t.Context())
	end()
	want(t, "close", s.Close(ended), context.Canceled)
	want(t, "the first", outcome(t, first), oms.ErrUnknown)
	want(t, "the second", outcome(t, second), oms.ErrUnknown)
	want(t, "one that waited", outcome(t, waiting), oms.ErrClosed)
	must(t, s.Close(within(t)))
	want(t, "one behind", outcome(t, start(t, s, numbered("t", 6, 7)...)), oms.ErrClosed)
}
