package oms

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
)

// A HalfProducer sends half messages: no receiver gets one until something
// else, such as a transaction of a database, has been done and the message is
// committed. It is safe for concurrent use.
type HalfProducer struct {
	client *Client
	screen screen
	send   SendFunc
	sender HalfSender
	calls  *calls
}

// NewHalfProducer returns a producer of half messages. Producers of one group,
// in whatever process, answer for each other: the broker asks check of any of
// them about messages whose verdict it has not got, as after a crash. check
// says Commit or Rollback of what was decided, Undecided of what is not yet,
// and Rollback of a message that it knows nothing of and that no Send of the
// group can still be at work with. It is called on goroutines of its own,
// several at once, and about one message more than once. Its context ends when
// the producer is closed. The caller closes the producer.
//
// Without the HalfMessages capability it is ErrUnsupported.
func (c *Client) NewHalfProducer(ctx context.Context, group string, check func(context.Context, *Message) Verdict) (*HalfProducer, error) {
	opener, err := optional[HalfOpener](c, c.conn, HalfMessages)
	if err != nil {
		return nil, err
	}
	if group == "" || check == nil {
		return nil, c.fail("open half messages", group, ErrInvalid, errors.New("they need a group, and a check that answers for it"))
	}
	sender, err := opener.OpenHalf(ctx, group, check)
	if err != nil {
		return nil, err
	}
	p := &HalfProducer{client: c, screen: newScreen(c), sender: sender, calls: newCalls()}
	p.send = c.intercepted(func(ctx context.Context, msgs []*Message, done func(error)) { done(p.sendHalf(ctx, msgs)) })
	return p, nil
}

// A half is what Send hands on to sendHalf, through interceptors.
type half struct {
	local func(context.Context) Verdict
	ran   atomic.Bool
}

type halfKey struct{}

// Send stores msg where no receiver gets it, calls local once, and does what
// that says: Commit delivers the message, Rollback drops it, Undecided leaves
// it to check. A verdict that is lost on its way leaves it to check as well.
//
// With nil the message is stored, and local was called. With an error local was
// not called: the message is not stored, or with ErrUnknown it may be, and
// check will be asked about it. What fails for a while is tried again as long
// as ctx allows. local gets a context that ends with ctx and with Close, and
// has to return then; a message with a Delay is ErrInvalid.
func (p *HalfProducer) Send(ctx context.Context, msg *Message, local func(context.Context) Verdict) error {
	switch {
	case local == nil:
		return p.screen.fail(msg, ErrInvalid, errors.New("a half message needs a function that decides what becomes of it"))
	case msg.Delay > 0:
		return p.screen.fail(msg, ErrInvalid, errors.New("a half message waits for its verdict and has no delay besides"))
	}
	if err := p.screen.pass([]*Message{msg}); err != nil {
		return FailureOf(err, 0)
	}
	h := &half{local: local}
	err := p.send.wait(context.WithValue(ctx, halfKey{}, h), []*Message{msg})
	if err == nil && !h.ran.Load() {
		err = p.screen.fail(msg, ErrAborted, errors.New("an interceptor has left the message out"))
	}
	return FailureOf(err, 0)
}

func (p *HalfProducer) sendHalf(ctx context.Context, msgs []*Message) error {
	h, ok := ctx.Value(halfKey{}).(*half)
	if !ok || len(msgs) != 1 || h.ran.Load() {
		return &Error{Op: "send", Code: ErrInvalid, Err: fmt.Errorf("an interceptor has made %d messages of a half message, or changed its context", len(msgs))}
	}
	ctx, end, ok := p.calls.begin(ctx)
	if !ok {
		return p.screen.fail(msgs[0], ErrClosed, nil)
	}
	defer end()
	return p.calls.persist(ctx, func() error {
		err := p.sender.Send(ctx, msgs[0], func(ctx context.Context) Verdict {
			h.ran.Store(true)
			return h.local(ctx)
		})
		if h.ran.Load() {
			return nil // whatever became of the verdict: local is not called twice
		}
		return err
	})
}

// Close waits for every Send as long as ctx allows, and then ends their
// contexts. When it returns, every Send has its outcome and no check is called
// any more. A second Close does nothing.
func (p *HalfProducer) Close(ctx context.Context) error { return p.calls.close(ctx, p.sender.Close) }
