package omstest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/omconnect/omconnect/oms"
)

// A bench is what a rule works on: a client of its own, topics and groups that
// nobody else has, and helpers that end the rule when the contract is broken.
// Those that end it are for the goroutine of the rule only.
type bench struct {
	ctx    context.Context //nolint:containedctx // it is the rule's, for its whole run
	h      *Harness
	rule   Rule
	caps   oms.Capabilities
	client *oms.Client
	own    oms.Conn // the client's

	mu      sync.Mutex
	closers []func(context.Context) error // run in reverse order
}

// A failure ends a rule.
type failure struct{ error }

// run tells topics and groups of one run of the suite from those of others on
// the same broker.
var run = fmt.Sprintf("%x", time.Now().UnixMicro()) //nolint:gochecknoglobals // one for the process

var serial atomic.Int64

func newBench(ctx context.Context, h *Harness, r Rule) *bench {
	return &bench{ctx: ctx, h: h, rule: r, caps: h.Driver.Capabilities(h.AccessPoint)}
}

// close ends what the rule opened, the last first.
func (b *bench) close(ctx context.Context) error {
	b.mu.Lock()
	closers := b.closers
	b.closers = nil
	b.mu.Unlock()
	var errs []error
	for _, closing := range slices.Backward(closers) {
		if err := b.end(ctx, closing); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// end calls what closes something. It is given the time of the bound once more
// to notice that its context is done.
func (b *bench) end(ctx context.Context, closing func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), b.h.patience())
	defer cancel()
	closed := make(chan error, 1)
	go func() { closed <- closing(ctx) }()
	hung := time.NewTimer(2 * b.h.patience())
	defer hung.Stop()
	select {
	case err := <-closed:
		return err
	case <-hung.C:
		return errors.New("a Close does not return, though its context is done")
	}
}

// onClose has f called when the rule ends.
func (b *bench) onClose(f func(context.Context) error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closers = append(b.closers, f)
}

func (b *bench) fail(format string, args ...any) {
	panic(failure{fmt.Errorf(format, args...)})
}

// ok fails unless err is nil.
func (b *bench) ok(what string, err error) {
	if err != nil {
		b.fail("%s: %w", what, err)
	}
}

// refused fails unless err has the code.
func (b *bench) refused(what string, err error, code oms.Code) {
	switch {
	case err == nil:
		b.fail("%s: it is done, want the error %q", what, code)
	case !errors.Is(err, code):
		b.fail("%s: the code of %q is %q, want %q", what, err, oms.CodeOf(err), code)
	}
}

// names fails unless the text of err has all the parts.
func (b *bench) names(err error, parts ...string) {
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			b.fail("the error %q does not name %q", err, part)
		}
	}
}

// open returns the rule's client, opened at its first use.
func (b *bench) open() *oms.Client {
	if b.client == nil {
		b.client, b.own = b.dial(b.h.Driver, b.h.AccessPoint)
	}
	return b.client
}

// raw returns the connection of the rule's client, without the front. Rules
// that need no second connection use none: not every broker has room for two.
func (b *bench) raw() oms.Conn {
	b.open()
	return b.own
}

// another returns one more client with a connection of its own.
func (b *bench) another() *oms.Client { return b.at(b.h.AccessPoint) }

// at returns a client of another access point.
func (b *bench) at(ap oms.AccessPoint) *oms.Client {
	c, _ := b.dial(b.h.Driver, ap)
	return c
}

// dial returns a client of a driver, and its connection.
func (b *bench) dial(d oms.Driver, ap oms.AccessPoint) (*oms.Client, oms.Conn) {
	var r oms.Registry
	opened := &opener{Driver: d}
	r.Register(ap.Driver, opened)
	c, err := r.Open(b.ctx, ap.Reveal())
	b.ok("open", err)
	b.onClose(unlessClosed(c.Close))
	return c, opened.conn
}

// An opener is a driver that remembers the connection that it opened.
type opener struct {
	oms.Driver
	conn oms.Conn
}

// Open implements oms.Driver.
func (o *opener) Open(ctx context.Context, ap oms.AccessPoint) (oms.Conn, error) {
	conn, err := o.Driver.Open(ctx, ap)
	o.conn = conn
	return conn, err
}

// unlessClosed is for what a rule may have closed itself.
func unlessClosed(closing func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		if err := closing(ctx); err != nil && oms.CodeOf(err) != oms.ErrClosed {
			return err
		}
		return nil
	}
}

// gone reports whether err says that something is no longer there to be
// removed.
func gone(err error) bool {
	code := oms.CodeOf(err)
	return code == oms.ErrNotFound || code == oms.ErrClosed
}

// name returns a name that nobody else uses.
func (b *bench) name(what string) string {
	return fmt.Sprintf("%s-%s-%s-%d", strings.ToLower(b.rule.ID), what, run, serial.Add(1))
}

// topic makes a topic with that many partitions.
func (b *bench) topic(partitions int) string {
	name := b.name("topic")
	b.ok("make topic", b.open().EnsureTopic(b.ctx, oms.TopicSpec{Name: name, Partitions: partitions}))
	b.cleanTopic(b.open(), name)
	return name
}

// cleanTopic has the topic deleted when the rule ends, where that is possible.
func (b *bench) cleanTopic(c *oms.Client, name string) {
	if !b.caps.Has(oms.DeleteTopic) {
		return
	}
	b.onClose(func(ctx context.Context) error {
		return clean(ctx, "delete topic", func() error { return c.DeleteTopic(ctx, name) })
	})
}

// clean removes what a rule has made. A rule that cuts the network may leave a
// connection behind that does not answer, so what passes by itself is tried
// again.
func clean(ctx context.Context, what string, remove func() error) error {
	for {
		err := remove()
		switch {
		case err == nil || gone(err):
			return nil
		case !oms.IsTemporary(err) || ctx.Err() != nil:
			return fmt.Errorf("%s: %w", what, err)
		}
		pause(ctx, cleanAgain)
	}
}

const cleanAgain = 200 * time.Millisecond

// group makes a group for the topics, so that it gets what is sent from now
// on.
func (b *bench) group(topics ...string) string {
	name := b.name("group")
	if b.caps.Has(oms.ManageGroups) {
		groups, err := b.open().Groups()
		b.ok("find groups", err)
		b.ok("make group", groups.EnsureGroup(b.ctx, name, topics, oms.Start{}))
		b.onClose(func(ctx context.Context) error {
			return clean(ctx, "delete group", func() error { return groups.DeleteGroup(ctx, name, topics) })
		})
	}
	return name
}

// returns calls f, fails when it does not return, and returns its error.
func (b *bench) returns(what string, f func() error) error {
	returned := make(chan error, 1)
	go func() { returned <- f() }()
	patience := time.NewTimer(b.h.patience())
	defer patience.Stop()
	select {
	case err := <-returned:
		return err
	case <-patience.C:
		b.fail("%s does not return", what)
	case <-b.ctx.Done():
		b.fail("%s does not return: %w", what, b.ctx.Err())
	}
	return nil
}

// pass waits for d, of the bubble's clock where there is one.
func (b *bench) pass(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-b.ctx.Done():
		b.fail("waiting %v: %w", d, b.ctx.Err())
	}
}

// until waits until cond holds.
func (b *bench) until(what string, cond func() (bool, error)) {
	b.eventually(what, b.h.patience(), cond)
}

func (b *bench) eventually(what string, patience time.Duration, cond func() (bool, error)) {
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	var last error
	for {
		done, err := cond()
		if err == nil && done {
			return
		}
		last = err
		select {
		case <-again.C:
		case <-ctx.Done():
			if last != nil {
				b.fail("%s does not happen: %w", what, last)
			}
			b.fail("%s does not happen", what)
		}
	}
}
