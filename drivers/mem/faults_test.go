package mem_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/omconnect/omconnect/drivers/mem"
	"github.com/omconnect/omconnect/oms"
)

func TestABrokerThatIsDownSaysSo(t *testing.T) {
	bubble(t, mem.Options{}, func(b *bench) {
		b.topic("t", 1)
		s, r := b.sender(oms.SenderConfig{}), b.reader("t", "g")
		cause := errors.New("unplugged")
		b.driver.SetDown(cause)

		_, topics := b.admin().Topics(b.Context())
		_, lag := b.conn.(oms.LagReporter).Lag(b.Context(), "g", []string{"t"})
		_, identity := b.conn.(oms.Identifier).Identity(b.Context())
		_, offsets := b.offsets(oms.Start{}, "t")
		_, positions := b.conn.(oms.GroupPositioner).Positions(b.Context(), "g", []string{"t"})
		_, members := b.groups().Members(b.Context(), "g", []string{"t"})
		for name, err := range map[string]error{
			"check": b.conn.Check(b.Context()), "send": outcome(s, text("t", "x")),
			"topics": topics, "lag": lag, "identity": identity, "members": members,
			"offsets": offsets, "positions": positions,
			"create": b.admin().CreateTopic(b.Context(), oms.TopicSpec{Name: "u"}),
			"delete": b.admin().DeleteTopic(b.Context(), "t"),
			"ensure": b.groups().EnsureGroup(b.Context(), "h", []string{"t"}, oms.Start{}),
			"forget": b.groups().DeleteGroup(b.Context(), "h", []string{"t"}),
			"flush":  r.Flush(b.Context()),
			"seek":   r.(oms.Seeker).Seek(b.Context(), nil),
		} {
			if !errors.Is(err, cause) || oms.CodeOf(err) != oms.ErrUnavailable {
				b.Errorf("%s: error is %v, want it unavailable because %v", name, err, cause)
			}
		}
		b.told()
		b.driver.SetDown(nil)
		b.noError(b.conn.Check(b.Context()))
		b.noError(outcome(s, text("t", "x")))
		b.wantBodies(b.receive(r), "x")
	})
}

func TestReceiveWaitsThroughAnOutage(t *testing.T) {
	bubble(t, mem.Options{}, func(b *bench) {
		b.topic("t", 1)
		b.send(text("t", "x"))
		b.driver.SetDown(oms.ErrUnavailable)
		m := b.join("g", "t") // opening does not dial
		b.wantBodies(b.receive(m))
		b.wantEvents(m)
		b.driver.SetDown(nil)
		b.wantBodies(b.receive(m), "x")
		b.wantEvents(m, "+[t/0]")
		b.driver.SetDown(oms.ErrUnavailable)
		b.wantEvents(m, "-[t/0]")
		b.driver.SetDown(oms.ErrTimeout) // still the same outage
		b.wantEvents(m)
		b.driver.SetDown(nil)
		b.wantEvents(m, "+[t/0]")
		b.wantBodies(b.receive(m), "x")
	})
}

func TestReceiveReturnsWhatWaitingDoesNotMend(t *testing.T) {
	bubble(t, mem.Options{}, func(b *bench) {
		b.topic("t", 1)
		b.send(text("t", "x"))
		r := b.reader("t", "g")
		b.driver.SetDown(oms.ErrDenied)
		_, err := r.Receive(b.Context(), 1)
		b.wantError(err, oms.ErrDenied)
		b.wantError(b.conn.Check(b.Context()), oms.ErrDenied)
		b.driver.SetDown(nil)
		b.wantBodies(b.receive(r), "x")
	})
}

func TestWhatWasOnItsWayWhenTheBrokerWentDownIsUnknown(t *testing.T) {
	bubble(t, mem.Options{ConfirmAfter: time.Second}, func(b *bench) {
		b.topic("t", 2)
		s := b.sender(oms.SenderConfig{})
		first, told := make(chan error), make(chan struct{})
		s.SendAsync(b.Context(), []*oms.Message{in(0, text("t", "a"))}, func(err error) { first <- err; <-told })
		second := start(s, in(0, text("t", "b")))
		b.driver.SetDown(oms.ErrUnavailable)
		b.driver.SetDown(nil)
		b.wantError(<-first, oms.ErrUnknown)
		behind, other := start(s, in(0, text("t", "c"))), start(s, in(1, text("t", "d"))) // while its done has not returned
		close(told)
		b.wantError(<-second, oms.ErrUnknown)
		b.wantError(<-behind, oms.ErrAborted)
		b.noError(<-other)
		b.wantBodies(b.receive(b.reader("t", "g")), "a", "b", "d") // stored all the same
	})
}

func TestOnSendMayTakeTheBrokerDown(t *testing.T) {
	var b *bench
	o := mem.Options{OnSend: func(m *oms.Message) error {
		if string(m.Body) == "1" {
			b.driver.SetDown(oms.ErrUnavailable)
		}
		return nil
	}}
	bubble(t, o, func(inner *bench) {
		b = inner
		b.topic("t", 3)
		batch, ok := errors.AsType[*oms.BatchError](outcome(b.sender(oms.SenderConfig{}), numbered("t", 3)...))
		if !ok || len(batch.Failed) != 3 {
			b.Fatalf("outcome is %v, want all three failed", batch)
		}
		b.wantError(batch.Failed[0], oms.ErrUnknown)
		b.wantError(batch.Failed[1], oms.ErrUnavailable)
		b.wantError(batch.Failed[2], oms.ErrUnavailable)
	})
}

func TestATopicMayGoWhileAMessageIsOnItsWay(t *testing.T) {
	var b *bench
	o := mem.Options{OnSend: func(*oms.Message) error { return b.admin().DeleteTopic(b.Context(), "t") }}
	bubble(t, o, func(inner *bench) {
		b = inner
		b.topic("t", 1)
		b.wantError(outcome(b.sender(oms.SenderConfig{}), text("t", "x")), oms.ErrNotFound)
	})
}

func TestOnSendMayBlock(t *testing.T) {
	var goOn chan struct{} // of the bubble
	o := mem.Options{OnSend: func(*oms.Message) error {
		<-goOn
		return nil
	}}
	bubble(t, o, func(b *bench) {
		goOn = make(chan struct{})
		b.topic("t", 1)
		s := b.sender(oms.SenderConfig{})
		sent := make(chan error, 2)
		for range 2 {
			go s.SendAsync(b.Context(), numbered("t", 1), func(err error) { sent <- err })
		}
		synctest.Wait()
		if len(sent) != 0 {
			b.Error("a send was done while the broker blocked")
		}
		close(goOn)
		b.noError(<-sent)
		b.noError(<-sent)
	})
}

func TestAPowerCutLosesWhatIsNotYetDurable(t *testing.T) {
	bubble(t, mem.Options{ConfirmAfter: time.Second, DurableAfter: 10 * time.Second}, func(b *bench) {
		b.topic("t", 1)
		b.noError(b.groups().EnsureGroup(b.Context(), "idle", []string{"t"}, oms.Start{}))
		b.send(numbered("t", 2)...)
		time.Sleep(10*time.Second + time.Millisecond)
		r := b.reader("t", "g")
		b.send(text("t", "lost"))
		b.noError(r.Ack(b.Context(), b.receive(r)))
		b.wantLag("g", "t", 0)
		b.driver.PowerCut()
		b.wantLag("g", "t", 0)
		b.wantLag("idle", "t", 2)
		b.send(text("t", "after"))
		b.wantBodies(b.receive(r), "after")
		b.wantBodies(b.receive(b.reader("t", "idle")), "0", "1", "after")
	})
}

func TestAPowerCutSkipsNothingThatIsDurable(t *testing.T) {
	bubble(t, mem.Options{DurableAfter: time.Second}, func(b *bench) {
		b.topic("t", 1)
		early := text("t", "early, due late")
		early.Delay = time.Minute
		b.send(early)
		time.Sleep(time.Minute - 10*time.Millisecond)
		b.send(text("t", "lost"))
		r := b.reader("t", "g")
		b.noError(r.Ack(b.Context(), b.receive(r)))
		time.Sleep(10 * time.Millisecond)
		lost := text("t", "lost before it was due")
		lost.Delay = time.Hour
		b.send(lost)
		b.driver.PowerCut()
		b.wantBodies(b.receive(r), "early, due late")
		b.wantLag("g", "t", 1)
	})
}

func TestTrimmingWhatIsNotThereDoesNothing(t *testing.T) {
	bubble(t, mem.Options{}, func(b *bench) {
		b.topic("t", 1)
		b.send(text("t", "x"))
		b.driver.Trim(oms.Partition{Topic: "u"}, 1)
		b.driver.Trim(oms.Partition{Topic: "t", Number: 1}, 1)
		b.driver.Trim(oms.Partition{Topic: "t"}, 0)
		b.wantBodies(b.receive(b.reader("t", "g")), "x")
		b.driver.Trim(oms.Partition{Topic: "t"}, 99)
		b.send(text("t", "y"))
		m := b.receive(b.reader("t", "h"))
		b.wantBodies(m, "y")
		if m[0].Offset != 1 {
			b.Errorf("offset is %d, want 1: trimming does not begin anew", m[0].Offset)
		}
	})
}
