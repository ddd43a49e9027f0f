package omstest

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/omconnect/omconnect/oms"
)

// An attempt is a batch that was given to a sender or a producer, and what
// became of it. Bodies tell its messages apart.
type attempt struct {
	msgs    []*oms.Message
	texts   []string     // their bodies, before anybody could change them
	calls   atomic.Int32 // of done
	settled chan struct{}
	err     error // what the first done was given; to be read once settled

	// hold keeps done from returning until it is closed, unless SendAsync has
	// not returned yet: done may be on its goroutine then.
	hold    chan struct{}
	sending atomic.Bool
	held    bool
}

func newAttempt(msgs []*oms.Message) *attempt {
	return &attempt{msgs: msgs, texts: bodies(msgs), settled: make(chan struct{})}
}

// by gives the batch to SendAsync of a sender or a producer.
func (a *attempt) by(ctx context.Context, send oms.SendFunc) *attempt {
	a.sending.Store(true)
	send(ctx, a.msgs, a.done)
	a.sending.Store(false)
	return a
}

func (a *attempt) done(err error) {
	if a.calls.Add(1) > 1 {
		return
	}
	a.err = err
	a.held = a.hold != nil && !a.sending.Load()
	close(a.settled)
	if a.held {
		<-a.hold
	}
}

// start gives messages to SendAsync of a sender or a producer, which is to
// return: the broker is there.
func (b *bench) start(send oms.SendFunc, msgs ...*oms.Message) *attempt {
	a := newAttempt(msgs)
	b.ok("SendAsync", b.returns("SendAsync", func() error {
		a.by(b.ctx, send)
		return nil
	}))
	return a
}

// outcome waits for done and returns what it was given.
func (b *bench) outcome(a *attempt) error { return b.outcomeWithin(a, b.h.patience()) }

func (b *bench) outcomeWithin(a *attempt, patience time.Duration) error {
	bound := time.NewTimer(patience)
	defer bound.Stop()
	select {
	case <-a.settled:
	case <-bound.C:
		b.fail("done of a batch of %d messages is not called", len(a.msgs))
	}
	b.once(a)
	return a.err
}

// once fails if done was called more than once.
func (b *bench) once(attempts ...*attempt) {
	for _, a := range attempts {
		if n := a.calls.Load(); n > 1 {
			b.fail("done of a batch of %d messages was called %d times", len(a.msgs), n)
		}
	}
}

// closed fails unless every done has been called once already.
func (b *bench) closed(attempts ...*attempt) {
	for i, a := range attempts {
		if a.calls.Load() == 0 {
			b.fail("Close has returned, and done of batch %d was not called", i)
		}
	}
	b.once(attempts...)
}

// outcomes waits for all, and returns the bodies of the messages that were
// confirmed and of those that were certainly not stored, in order.
func (b *bench) outcomes(attempts ...*attempt) (confirmed, refused []string) {
	for _, a := range attempts {
		err := b.outcome(a)
		for i, text := range a.texts {
			switch failure := oms.FailureOf(err, i); {
			case failure == nil:
				confirmed = append(confirmed, text)
			case !errors.Is(failure, oms.ErrUnknown):
				refused = append(refused, text)
			}
		}
	}
	return confirmed, refused
}

// judge fails unless everything confirmed is among what was stored, and
// nothing of what was refused.
func (b *bench) judge(stored, confirmed, refused []string) {
	there := make(map[string]bool, len(stored))
	for _, body := range stored {
		there[body] = true
	}
	for _, body := range confirmed {
		if !there[body] {
			b.fail("message %q was confirmed, and is not stored; %d of %d are", short(body), len(stored), len(confirmed))
		}
	}
	for _, body := range refused {
		if there[body] {
			b.fail("message %q failed untried, and is stored all the same", short(body))
		}
	}
}

// short returns the beginning of a text for an error.
func short(text string) string {
	const most = 40
	if len(text) <= most {
		return text
	}
	return text[:most] + "…"
}

// follow sends a message that may stand behind one that failed, and whose done
// may not have returned yet.
func (b *bench) follow(send oms.SendFunc, msg *oms.Message) {
	b.resend("sending after a failure", func() error {
		err := b.outcome(b.start(send, msg))
		if err != nil && !errors.Is(err, oms.ErrAborted) {
			b.fail("send after a failure: %w", err)
		}
		return err
	})
}

// resend calls send until it returns nil. Where done was called and has not
// returned, or the driver has yet to note that, sending fails. Such a failure
// is one that the next attempt stands behind: the pauses grow, so that a driver
// that is slow to note is not kept from it for ever.
func (b *bench) resend(what string, send func() error) {
	ctx, cancel := context.WithTimeout(b.ctx, b.h.patience())
	defer cancel()
	for pause := 10 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		err := send()
		if err == nil {
			return
		}
		again := time.NewTimer(pause)
		select {
		case <-again.C:
		case <-ctx.Done():
			again.Stop()
			b.fail("%s does not happen: %w", what, err)
		}
	}
}

// reader returns a member of a new group that gets what is sent to the topics
// from now on.
func (b *bench) reader(topics ...string) *member { return b.member(b.group(topics...), topics...) }

// theEnd is the body of a message behind all others.
const theEnd = "the end"

// rest sends one more message to each of the topics, of one partition each,
// and returns the bodies of all that comes before these and shortly after,
// each at its first delivery.
func (m *member) rest(send oms.SendFunc, topics ...string) []string {
	for _, topic := range topics {
		m.b.follow(send, &oms.Message{Topic: topic, Body: []byte(theEnd)})
	}
	deadline := time.Now().Add(m.b.h.patience())
	seen := make(map[string]bool)
	var got []string
	ends := make(map[string]bool)
	for {
		wait := time.Until(deadline)
		if len(ends) == len(topics) {
			wait = m.b.h.quiet()
		}
		msgs, err := m.Receive(m.b.ctx, 500, wait)
		m.b.ok("receive", err)
		if len(msgs) == 0 && len(ends) == len(topics) {
			return got
		}
		if len(msgs) == 0 {
			m.b.fail("of %d topics the last messages of %d came", len(topics), len(ends))
		}
		if err := m.Ack(m.b.ctx, msgs...); err != nil && !errors.Is(err, oms.ErrStaleDelivery) {
			m.b.fail("acknowledge: %w", err)
		}
		for _, msg := range msgs {
			text := string(msg.Body)
			switch {
			case text == theEnd:
				ends[msg.Topic] = true
			case !seen[text]:
				seen[text] = true
				got = append(got, text)
			}
		}
	}
}
