package mem_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/omconnect/omconnect/drivers/mem"
	"github.com/omconnect/omconnect/oms"
)

// failing returns a hook that fails the named bodies, each once.
func failing(err error, bodies ...string) func(*oms.Message) error {
	left := make(map[string]bool)
	for _, body := range bodies {
		left[body] = true
	}
	return func(m *oms.Message) error {
		if left[string(m.Body)] {
			delete(left, string(m.Body))
			return err
		}
		return nil
	}
}

func TestBehindAFailureThePartitionIsAbortedUntilItIsKnown(t *testing.T) {
	bubble(t, mem.Options{ConfirmAfter: time.Second, OnSend: failing(oms.ErrBusy, "b")}, func(b *bench) {
		b.topic("t", 2)
		s := b.sender(oms.SenderConfig{})
		sent := make(map[string]<-chan error)
		for _, body := range []string{"a", "b", "c", "d"} {
			sent[body] = start(s, in(0, text("t", body)))
		}
		sent["other"] = start(s, in(1, text("t", "other")))
		b.noError(<-sent["a"])
		b.wantError(<-sent["b"], oms.ErrBusy)
		b.wantError(<-sent["c"], oms.ErrAborted)
		b.wantError(<-sent["d"], oms.ErrAborted)
		b.noError(<-sent["other"])
		b.told()
		for _, body := range []string{"b", "c", "d"} {
			b.noError(outcome(s, in(0, text("t", body))))
		}
		r := b.reader("t", "g")
		b.wantBodies(b.receive(r), "a", "b", "c", "d", "other")
	})
}

func TestAPartitionIsAbortedUntilDoneHasReturned(t *testing.T) {
	bubble(t, mem.Options{OnSend: failing(oms.ErrBusy, "b")}, func(b *bench) {
		b.topic("t", 1)
		s := b.sender(oms.SenderConfig{})
		called, goOn := make(chan struct{}), make(chan struct{})
		s.SendAsync(b.Context(), []*oms.Message{text("t", "b")}, func(error) {
			close(called)
			<-goOn
		})
		<-called
		behind := start(s, text("t", "c")) // its sender cannot know yet
		close(goOn)
		b.wantError(<-behind, oms.ErrAborted)
		b.told()
		b.noError(outcome(s, text("t", "b")))
	})
}

func TestAfterAMissingTopicTheWholeTopicIsAborted(t *testing.T) {
	bubble(t, mem.Options{ConfirmAfter: time.Second}, func(b *bench) {
		b.topic("other", 1)
		s := b.sender(oms.SenderConfig{})
		ahead := start(s, text("other", "x"))
		first := start(s, text("t", "1"))
		b.topic("t", 1)
		second := start(s, text("t", "2"))
		b.noError(<-ahead)
		b.wantError(<-first, oms.ErrNotFound)
		b.wantError(<-second, oms.ErrAborted)
	})
}

func TestAnAbortedMessageIsNotTried(t *testing.T) {
	var tried []string
	o := mem.Options{OnSend: func(m *oms.Message) error {
		tried = append(tried, string(m.Body))
		return oms.ErrBusy
	}}
	bubble(t, o, func(b *bench) {
		b.topic("t", 1)
		s := b.sender(oms.SenderConfig{})
		b.wantError(outcome(s, text("t", "a"), text("t", "b")), oms.ErrBusy)
		if len(tried) != 1 {
			b.Errorf("tried %q, want only the first", tried)
		}
	})
}

func TestAnUnknownOutcomeIsStored(t *testing.T) {
	bubble(t, mem.Options{OnSend: failing(oms.ErrUnknown, "a")}, func(b *bench) {
		b.topic("t", 1)
		s := b.sender(oms.SenderConfig{})
		b.wantError(outcome(s, text("t", "a")), oms.ErrUnknown)
		b.told()
		b.noError(outcome(s, text("t", "a")))
		b.wantBodies(b.receive(b.reader("t", "g")), "a", "a")
	})
}

func TestTheFrontResendsInOrder(t *testing.T) {
	o := mem.Options{ConfirmAfter: time.Second, OnSend: failing(oms.ErrBusy, "2", "5")}
	bubble(t, o, func(b *bench) {
		b.topic("t", 1)
		var registry oms.Registry
		registry.Register("mem", b.driver)
		client, err := registry.Open(b.Context(), "mem")
		b.noError(err)
		p, err := client.NewProducer(b.Context(), oms.SenderConfig{})
		b.noError(err)
		done := make(chan error, 8)
		for _, m := range numbered("t", 8) {
			p.SendAsync(b.Context(), []*oms.Message{m}, func(err error) { done <- err })
		}
		for range 8 {
			b.noError(<-done)
		}
		b.noError(p.Close(b.Context()))
		b.noError(client.Close(b.Context()))
		b.wantBodies(b.receive(b.reader("t", "g")), "0", "1", "2", "3", "4", "5", "6", "7")
	})
}

func TestClosingASenderWaitsForItsConfirmations(t *testing.T) {
	bubble(t, mem.Options{ConfirmAfter: time.Minute}, func(b *bench) {
		b.topic("t", 1)
		s, begun := b.sender(oms.SenderConfig{}), time.Now()
		sent := start(s, text("t", "x"))
		b.noError(s.Close(b.Context()))
		if took := time.Since(begun); took != time.Minute {
			b.Errorf("Close took %v, want a minute", took)
		}
		b.noError(<-sent)
		b.noError(s.Close(b.Context()))
		b.wantError(outcome(s, text("t", "x")), oms.ErrClosed)
	})
}

func TestClosingASenderGivesUpWhenItsContextIsDone(t *testing.T) {
	bubble(t, mem.Options{ConfirmAfter: time.Hour}, func(b *bench) {
		b.topic("t", 1)
		s := b.sender(oms.SenderConfig{})
		sent := start(s, numbered("t", 2)...)
		ctx, cancel := context.WithTimeout(b.Context(), time.Second)
		defer cancel()
		b.wantError(s.Close(ctx), oms.ErrTimeout)
		batch, ok := errors.AsType[*oms.BatchError](<-sent)
		if !ok || len(batch.Failed) != 2 || oms.CodeOf(batch) != oms.ErrUnknown {
			b.Errorf("outcome is %v, want both unknown", batch)
		}
		b.noError(s.Close(b.Context()))
	})
}

func TestASenderClosedWhileFullCallsEveryDoneOnce(t *testing.T) {
	bubble(t, mem.Options{ConfirmAfter: time.Hour}, func(b *bench) {
		b.topic("t", 1)
		s := b.sender(oms.SenderConfig{MaxInFlight: 2})
		outcomes := make(chan error, 100)
		for i := range 10 {
			go s.SendAsync(b.Context(), numbered("t", 1+i%2), func(err error) { outcomes <- err })
		}
		synctest.Wait()
		ctx, cancel := context.WithCancel(b.Context())
		cancel()
		b.wantError(s.Close(ctx), oms.ErrAborted)
		if len(outcomes) != 10 {
			b.Fatalf("%d of 10 dones were called before Close returned", len(outcomes))
		}
		for range 10 {
			if code := oms.CodeOf(<-outcomes); code != oms.ErrUnknown && code != oms.ErrClosed {
				b.Errorf("outcome is %q, want it unknown or closed", code)
			}
		}
	})
}

func TestWhatWasConfirmedBeforeCloseIsReadable(t *testing.T) {
	bubble(t, mem.Options{ConfirmAfter: time.Millisecond}, func(b *bench) {
		b.topic("t", 4)
		s := b.sender(oms.SenderConfig{MaxInFlight: 5})
		confirmed := make(chan string, 100)
		for _, m := range numbered("t", 100) {
			go s.SendAsync(b.Context(), []*oms.Message{m}, func(err error) {
				if err == nil {
					confirmed <- string(m.Body)
				}
			})
		}
		time.Sleep(3 * time.Millisecond)
		b.noError(s.Close(b.Context()))
		close(confirmed)
		stored := make(map[string]bool)
		for _, m := range b.receive(b.reader("t", "g")) {
			stored[string(m.Body)] = true
		}
		for body := range confirmed {
			if !stored[body] {
				b.Errorf("message %s was confirmed and is not there", body)
			}
		}
	})
}
