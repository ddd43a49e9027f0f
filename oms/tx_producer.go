package oms

import (
	"context"
	"errors"
	"maps"
)

// A TxProducer sends messages in transactions: those of one call are stored
// all or none. It is safe for concurrent use; its transactions are one after
// the other.
//
// A transaction that stored nothing and failed for a while (the broker is
// away, or full) is tried again as long as the context of its call allows.
// ErrFenced says that somebody else has opened the id since; the producer is
// to be closed then.
type TxProducer struct {
	client *Client
	id     string
	screen screen
	send   SendFunc
	sender TxSender
	calls  *calls
	turn   chan struct{} // held by the call that uses sender
}

// NewTxProducer returns a producer of transactions and makes its caller the
// owner of id, which is to be the same each time the program is started and
// another one for each producer that runs at the same time: an earlier owner is
// ErrFenced from now on, and nothing that it had not finished is stored. The
// caller closes the producer.
//
// It asks the broker, and fails where that is away. Without the Transactions
// capability it is ErrUnsupported.
func (c *Client) NewTxProducer(ctx context.Context, id string) (*TxProducer, error) {
	opener, err := optional[TxOpener](c, c.conn, Transactions)
	if err != nil {
		return nil, err
	}
	if id == "" {
		return nil, c.fail("open transactions", id, ErrInvalid, errors.New("they need an id, the same after each start"))
	}
	sender, err := opener.OpenTx(ctx, id)
	if err != nil {
		return nil, err
	}
	p := &TxProducer{client: c, id: id, screen: newScreen(c), sender: sender, calls: newCalls(), turn: make(chan struct{}, 1)}
	p.send = c.intercepted(func(ctx context.Context, msgs []*Message, done func(error)) { done(p.sendAll(ctx, msgs)) })
	return p, nil
}

// Send sends messages in one transaction and returns when their outcome is
// certain. With nil all are stored; no receiver gets one unless all are.
// ErrUnknown says that all are stored or none, and that nobody can tell which:
// it is for the program to find out, or to send them again and perhaps have
// them twice. With every other error none is stored; a *BatchError tells the
// causes, and has ErrAborted for the messages that are none.
//
// When a message cannot be sent at all (no broker takes it, or it needs a
// capability that the driver does not claim) nothing is begun.
func (p *TxProducer) Send(ctx context.Context, msgs ...*Message) error {
	if len(msgs) == 0 {
		return nil
	}
	if err := p.screen.pass(msgs); err != nil {
		return err
	}
	return p.send.wait(ctx, msgs)
}

// sendAll makes a transaction of messages when it is its turn.
func (p *TxProducer) sendAll(ctx context.Context, msgs []*Message) error {
	ctx, end, ok := p.calls.begin(ctx)
	if !ok {
		return p.client.fail("send", p.id, ErrClosed, nil)
	}
	defer end()
	select {
	case p.turn <- struct{}{}:
		defer func() { <-p.turn }()
	case <-ctx.Done(): // and persist says so
	}
	return complete(p.calls.persist(ctx, func() error { return p.sender.SendAll(ctx, msgs) }), len(msgs))
}

// complete has a *BatchError name all of n messages: none of them is stored.
func complete(err error, n int) error {
	be, ok := errors.AsType[*BatchError](err)
	if !ok {
		return err
	}
	all := NewBatchError(n, &Error{Op: "send", Code: ErrAborted, Err: errors.New("another message of its transaction has failed")})
	maps.Copy(all.Failed, be.Failed)
	return all
}

// Close waits for the transaction that is under way as long as ctx allows, and
// then gives it up. When it returns, every Send has its outcome. A second Close
// does nothing.
func (p *TxProducer) Close(ctx context.Context) error { return p.calls.close(ctx, p.sender.Close) }
