package omstest

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/omconnect/omconnect/oms"
)

// always answers every check alike.
func always(v oms.Verdict) func(context.Context, *oms.Message) oms.Verdict {
	return func(context.Context, *oms.Message) oms.Verdict { return v }
}

// decided is a local that has decided already.
func decided(v oms.Verdict) func(context.Context) oms.Verdict {
	return func(context.Context) oms.Verdict { return v }
}

// A judge answers the checks of a producer of half messages, and remembers
// them.
type judge struct {
	mu       sync.Mutex
	verdicts map[string][]oms.Verdict // by body: what is said one time after the other; the last stays
	asked    map[string][]*oms.Message
}

func newJudge(verdicts map[string][]oms.Verdict) *judge {
	return &judge{verdicts: verdicts, asked: make(map[string][]*oms.Message)}
}

func (j *judge) check(_ context.Context, m *oms.Message) oms.Verdict {
	j.mu.Lock()
	defer j.mu.Unlock()
	body := string(m.Body)
	said := j.verdicts[body]
	n := len(j.asked[body])
	j.asked[body] = append(j.asked[body], m)
	if len(said) == 0 {
		return oms.Undecided
	}
	return said[min(n, len(said)-1)]
}

// about returns the messages with the body that the judge was asked about.
func (j *judge) about(body string) []*oms.Message {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.asked[body]
}

func (b *bench) halving(c *oms.Client, group string, j *judge) *oms.HalfProducer {
	p, err := c.NewHalfProducer(b.ctx, group, j.check)
	b.ok("open half messages", err)
	b.onClose(p.Close)
	return p
}

func checkHalfMessages(b *bench) {
	topic, group := b.topic(1), b.name("half")
	m := b.reader(topic)
	undecided := newJudge(map[string][]oms.Verdict{
		"asked once": {oms.Commit}, "asked twice": {oms.Undecided, oms.Commit}, "asked and dropped": {oms.Rollback},
	})
	stranger := newJudge(nil)
	b.halving(b.open(), b.name("stranger"), stranger)
	p := b.halving(b.open(), group, undecided)

	b.holdsBack(p, m, topic)
	want := []string{"committed"}
	b.ok("send and commit", p.Send(b.ctx, b.rich(topic, want[0]), decided(oms.Commit)))
	b.ok("send and roll back", p.Send(b.ctx, b.rich(topic, "rolled back"), decided(oms.Rollback)))
	if b.caps.Has(oms.CreateTopic) {
		called := false
		err := p.Send(b.ctx, b.rich(b.name("missing"), "missing"), func(context.Context) oms.Verdict {
			called = true
			return oms.Commit
		})
		b.refused("send a half message to a missing topic", err, oms.ErrNotFound)
		if called {
			b.fail("a half message could not be stored, and its local was called")
		}
	}
	sent := make(map[string]*oms.Message)
	for _, body := range []string{"asked once", "asked twice", "asked and dropped"} {
		sent[body] = b.rich(topic, body)
		b.ok("send undecided", p.Send(b.ctx, sent[body], decided(oms.Undecided)))
	}
	want = append(want, "asked once", "asked twice")
	got := b.reap(reaping{members: []*member{m}, want: want, linger: b.h.quiet(), patience: b.long()})
	dropped := []string{"rolled back", "asked and dropped"}
	b.excludes("of half messages that were rolled back", caught(got), dropped)
	for _, c := range got {
		if was := sent[string(c.msg.Body)]; was != nil {
			b.sameMessage(c.msg, was)
		}
	}
	b.eventually("a check about each undecided message", b.long(), func() (bool, error) {
		for body := range sent {
			if len(undecided.about(body)) == 0 {
				return false, fmt.Errorf("nobody is asked about the message %q", body)
			}
		}
		return true, nil
	})
	for body, was := range sent {
		b.sameMessage(undecided.about(body)[0], was)
	}
	b.ok("close", p.Close(b.ctx))
	b.afterItsOwner(m, topic, group)
	m.none("though all that was committed had come")
	for _, body := range slices.Concat(want, dropped, []string{orphaned}) {
		if len(stranger.about(body)) > 0 {
			b.fail("a producer of another group was asked about the message %q", body)
		}
	}
}

// rich returns a message with all that a driver has to keep of it.
func (b *bench) rich(topic, body string) *oms.Message {
	m := &oms.Message{
		ID: b.name("id"), Topic: topic, Body: []byte(body), CorrelationID: "of " + body,
		Headers: oms.Headers{{Name: "body", Value: []byte(body)}},
	}
	if b.caps.Has(oms.MessageKey) {
		m.Key = []byte("key of " + body)
	}
	return m
}

// holdsBack fails if a half message is received before it is committed, or not
// afterwards.
func (b *bench) holdsBack(p *oms.HalfProducer, m *member, topic string) {
	const body = "held back"
	stored, verdict, outcome := make(chan struct{}), make(chan oms.Verdict, 1), make(chan error, 1)
	go func() {
		outcome <- p.Send(b.ctx, b.rich(topic, body), func(ctx context.Context) oms.Verdict {
			close(stored)
			select {
			case v := <-verdict:
				return v
			case <-ctx.Done():
				return oms.Rollback
			}
		})
	}()
	b.ok("call local", b.returns("the local of a half message", func() error {
		select {
		case <-stored:
			return nil
		case err := <-outcome:
			return fmt.Errorf("it is not called, and Send returns %w", err)
		case <-b.ctx.Done():
			return b.ctx.Err()
		}
	}))
	m.none("before its local has decided")
	verdict <- oms.Commit
	b.ok("send a half message", b.returns("Send of a half message", func() error { return <-outcome }))
	b.same("what came once it was committed", bodies(m.take(1)), []string{body})
}

// orphaned is the body of a message whose sender has gone.
const orphaned = "orphaned"

// afterItsOwner fails unless another connection is asked about a message whose
// sender has gone.
func (b *bench) afterItsOwner(m *member, topic, group string) {
	const body = orphaned
	gone := b.companion()
	if gone == nil {
		gone = b.open()
	}
	p := b.halving(gone, group, newJudge(nil))
	b.ok("send undecided", p.Send(b.ctx, b.rich(topic, body), decided(oms.Undecided)))
	b.ok("close", p.Close(b.ctx))
	heir := newJudge(map[string][]oms.Verdict{body: {oms.Commit}})
	b.halving(b.open(), group, heir)
	got := b.reap(reaping{members: []*member{m}, want: []string{body}, patience: b.long()})
	b.same("what came of a sender that has gone", firstsOf(got), []string{body})
	if len(heir.about(body)) == 0 {
		b.fail("the message %q arrives, and nobody was asked about it", body)
	}
}

// firstsOf returns the bodies that were caught, each at its first delivery.
func firstsOf(got []catch) []string {
	msgs := make([]*oms.Message, len(got))
	for i, c := range got {
		msgs[i] = c.msg
	}
	return firsts(msgs)
}
