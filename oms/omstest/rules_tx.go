package omstest

import (
	"context"
	"errors"

	"github.com/omconnect/omconnect/oms"
)

// transacting returns a producer of transactions.
func (b *bench) transacting(c *oms.Client, id string) *oms.TxProducer {
	p, err := c.NewTxProducer(b.ctx, id)
	b.ok("open transactions", err)
	b.onClose(p.Close)
	return p
}

// rawTx is transacting without the front.
func (b *bench) rawTx(id string) oms.TxSender {
	opener, ok := b.raw().(oms.TxOpener)
	if !ok {
		b.fail("%s is claimed, and the connection has no TxOpener", oms.Transactions)
	}
	s, err := opener.OpenTx(b.ctx, id)
	b.ok("open transactions", err)
	b.onClose(s.Close)
	return s
}

// A pair is two topics that are sent to in one transaction.
type pair struct {
	wide, narrow string // of several partitions, and of one
}

func (b *bench) pair() pair { return pair{b.topic(b.partitions(3)), b.topic(1)} }

// narrowFrom is where the numbers in the narrow topic begin.
const narrowFrom = 100_000

// messages returns as many messages for each of the topics, with the numbers
// from on.
func (p pair) messages(b *bench, from, to int) []*oms.Message {
	var msgs []*oms.Message
	narrow := numbered(p.narrow, narrowFrom+from, narrowFrom+to)
	for i, m := range b.spread(p.wide, from, to) {
		msgs = append(msgs, m, narrow[i])
	}
	return msgs
}

func checkTransactions(b *bench) {
	topics, id := b.pair(), b.name("id")
	m := b.reader(topics.wide, topics.narrow)
	p := b.transacting(b.open(), id)
	var want, unwanted []string
	n := 0
	send := func(p *oms.TxProducer, size int) {
		msgs := topics.messages(b, n, n+size)
		n += size
		want = append(want, bodies(msgs)...)
		ctx, cancel := context.WithTimeout(b.ctx, b.h.patience())
		defer cancel()
		b.ok("send a transaction", p.Send(ctx, msgs...))
	}
	fail := func(what string, code oms.Code, send func(...*oms.Message) error, bad ...*oms.Message) {
		msgs := topics.messages(b, n, n+20)
		n += 20
		unwanted = append(unwanted, bodies(msgs)...)
		err := send(append(msgs, bad...)...)
		b.refused(what, err, code)
		if errors.Is(err, oms.ErrUnknown) {
			b.fail("%s: nothing is stored, and it is told as unknown: %w", what, err)
		}
	}
	for _, size := range []int{1, 20, 50, b.h.count(200, 5_000)} {
		send(p, size)
	}
	b.failing(fail)
	send(p, 10)

	other := b.companion()
	if other == nil {
		other = b.open()
	}
	later := b.transacting(other, id)
	for range 2 {
		fail("send as an earlier owner", oms.ErrFenced, func(msgs ...*oms.Message) error { return p.Send(b.ctx, msgs...) })
	}
	b.ok("close an earlier owner", p.Close(b.ctx))
	send(later, 10)
	b.ok("close the later owner", later.Close(b.ctx))
	send(b.transacting(b.open(), id), 10)

	got := b.reap(reaping{members: []*member{m}, want: want, linger: b.h.quiet(), patience: b.long()})
	b.excludes("of transactions that failed", caught(got), unwanted)
	b.transactionsInOrder(topics, got)
}

// failing makes transactions that fail because of their last message, or of
// their context.
func (b *bench) failing(fail func(what string, code oms.Code, send func(...*oms.Message) error, bad ...*oms.Message)) {
	s := b.rawTx(b.name("id"))
	send := func(msgs ...*oms.Message) error { return s.SendAll(b.ctx, msgs) }
	if b.caps.Has(oms.CreateTopic) {
		fail("send a transaction, with a message to a missing topic", oms.ErrNotFound, send, numbered(b.name("missing"), 0, 1)...)
	}
	if b.caps.MaxBody > 0 {
		fail("send a transaction, with a message that is too large", oms.ErrTooLarge, send, b.tooLarge(b.topic(1)))
	}
	over, cancel := context.WithCancel(b.ctx)
	cancel()
	fail("send a transaction, with a context that is over", oms.ErrAborted, func(msgs ...*oms.Message) error { return s.SendAll(over, msgs) })
}

// transactionsInOrder fails unless the first deliveries are in the order in
// which they were sent, of each key and of the topic with one partition.
func (b *bench) transactionsInOrder(topics pair, got []catch) {
	var narrow []catch
	var keyed []catch
	for _, c := range got {
		switch {
		case c.msg.Topic == topics.narrow:
			narrow = append(narrow, c)
		case b.caps.Has(oms.MessageKey):
			keyed = append(keyed, c)
		}
	}
	b.keysInOrder(narrow)
	b.keysInOrder(keyed)
}

func checkTransactionsRestart(b *bench) {
	const size, before, after = 5, 3, 5
	topics, id := b.pair(), b.name("id")
	m := b.reader(topics.wide, topics.narrow)
	p := b.transacting(b.open(), id)
	restarted := make(chan error, 1)
	restart := func() { restarted <- b.h.Broker.Restart(b.ctx) }
	var confirmed, refused []string
	var unknown [][]string
	for n, calm, there := 0, 0, false; calm < after; n++ {
		if n == before {
			go restart()
		}
		msgs := topics.messages(b, n*size, (n+1)*size)
		ctx, cancel := context.WithTimeout(b.ctx, b.h.patience())
		err := p.Send(ctx, msgs...)
		cancel()
		switch {
		case err == nil:
			confirmed = append(confirmed, bodies(msgs)...)
			if there {
				calm++
			}
		case errors.Is(err, oms.ErrUnknown):
			unknown = append(unknown, bodies(msgs))
		case oms.IsTemporary(err):
			refused = append(refused, bodies(msgs)...)
		default:
			b.fail("send a transaction while the broker restarts: %w", err)
		}
		select {
		case err := <-restarted:
			b.ok("restart the broker", err)
			there = true
		default:
		}
		b.pass(loadEvery)
	}
	b.ok("close a producer", p.Close(b.ctx))
	last := topics.messages(b, narrowFrom/2, narrowFrom/2+size)
	b.ok("send a transaction as a new owner", b.transacting(b.open(), id).Send(b.ctx, last...))

	got := b.reap(reaping{members: []*member{m}, want: append(confirmed, bodies(last)...), linger: b.h.quiet(), patience: b.long()})
	b.excludes("of transactions that failed", caught(got), refused)
	for _, texts := range unknown {
		b.whole(caught(got), texts)
	}
	b.transactionsInOrder(topics, got)
}

// whole fails unless all of the texts came, or none.
func (b *bench) whole(got, texts []string) {
	came := make(map[string]bool, len(got))
	for _, text := range got {
		came[text] = true
	}
	n := 0
	for _, text := range texts {
		if came[text] {
			n++
		}
	}
	if n > 0 && n < len(texts) {
		b.fail("of a transaction of %d messages %d came", len(texts), n)
	}
}
