package omstest_test

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/omconnect/omconnect/oms"
)

var txKinds = []kind{
	{"a transaction is one message after the other", []string{"X02", "X07"}, onTx(func(s *brokenTx) {
		sendAll := s.sendAll
		s.sendAll = func(ctx context.Context, msgs []*oms.Message) error {
			for _, m := range msgs {
				if err := sendAll(ctx, []*oms.Message{m}); err != nil {
					return err
				}
			}
			return nil
		}
	})},
	{"a transaction is stored in reverse", []string{"X02", "X07"}, onTx(func(s *brokenTx) {
		sendAll := s.sendAll
		s.sendAll = func(ctx context.Context, msgs []*oms.Message) error {
			reversed := slices.Clone(msgs)
			slices.Reverse(reversed)
			return sendAll(ctx, reversed)
		}
	})},
	{"a transaction is confirmed and forgotten", []string{"X02", "X07"}, onTx(func(s *brokenTx) {
		s.sendAll = func(ctx context.Context, _ []*oms.Message) error { return s.conn.check(ctx) }
	})},
	{"the context of a transaction is ignored", []string{"X02"}, onTx(func(s *brokenTx) {
		sendAll := s.sendAll
		s.sendAll = func(ctx context.Context, msgs []*oms.Message) error {
			if err := sendAll(context.WithoutCancel(ctx), msgs); err != nil || ctx.Err() == nil {
				return err
			}
			return &oms.Error{Op: "send", Driver: "broken", Code: oms.ErrAborted, Err: ctx.Err()}
		}
	})},
	{"transactions end with their session", []string{"X07"}, onTx(func(s *brokenTx) {
		sendAll, session := s.sendAll, s.conn.driver.sessions.Load()
		s.sendAll = func(ctx context.Context, msgs []*oms.Message) error {
			if s.conn.driver.sessions.Load() != session {
				return &oms.Error{Op: "send", Driver: "broken", Code: oms.ErrUnavailable}
			}
			return sendAll(ctx, msgs)
		}
	})},
	{"every owner of a transaction's id may go on", []string{"X02"}, onEachConn(func(c *brokenConn) {
		open := c.openTx
		c.openTx = func(ctx context.Context, id string) (oms.TxSender, error) { return open(ctx, id+unique()) }
	})},
}

var halfKinds = []kind{
	{"half messages are received at once", []string{"X06"}, onHalf(func(s *brokenHalf) {
		send := s.send
		s.send = func(ctx context.Context, m *oms.Message, local localFunc) error {
			err := send(ctx, m, func(context.Context) oms.Verdict { return oms.Commit })
			if err == nil {
				local(ctx)
			}
			return err
		}
	})},
	{"half messages are never received", []string{"X06"}, turn(oms.Commit, oms.Rollback)},
	{"what is rolled back is received", []string{"X06"}, turn(oms.Rollback, oms.Commit)},
	{"what is undecided is rolled back", []string{"X06"}, turn(oms.Undecided, oms.Rollback)},
	{"what is undecided is committed", []string{"X06"}, turn(oms.Undecided, oms.Commit)},
	{"local is called though nothing is stored", []string{"X06"}, onHalf(func(s *brokenHalf) {
		send := s.send
		s.send = func(ctx context.Context, m *oms.Message, local localFunc) error {
			v := local(ctx)
			return send(ctx, m, func(context.Context) oms.Verdict { return v })
		}
	})},
	{"nobody is asked about half messages", []string{"X06"}, ask(func(context.Context, *oms.Message) oms.Verdict { return oms.Undecided })},
	{"check is asked once only", []string{"X06"}, askOnce},
	{"check is asked about a message without its key and headers", []string{"X06"}, halfGroup(
		func(group string) string { return group },
		func(check checkFunc) checkFunc {
			return func(ctx context.Context, m *oms.Message) oms.Verdict {
				return check(ctx, &oms.Message{ID: m.ID, Topic: m.Topic, Body: m.Body, BornAt: m.BornAt})
			}
		},
	)},
	{"anybody is asked about half messages", []string{"X06"}, halfGroup(func(string) string { return "everybody" }, nil)},
	{"only who sent a half message is asked", []string{"X06"}, halfGroup(func(group string) string { return group + unique() }, nil)},
}

type (
	checkFunc = func(context.Context, *oms.Message) oms.Verdict
	localFunc = func(context.Context) oms.Verdict
)

var uniques atomic.Int64

func unique() string { return fmt.Sprint(" ", uniques.Add(1)) }

type brokenTx struct {
	conn *brokenConn
	oms.TxSender
	sendAll func(context.Context, []*oms.Message) error
}

func (s *brokenTx) SendAll(ctx context.Context, msgs []*oms.Message) error {
	return s.sendAll(ctx, msgs)
}

type brokenHalf struct {
	oms.HalfSender
	send func(context.Context, *oms.Message, localFunc) error
}

func (s *brokenHalf) Send(ctx context.Context, m *oms.Message, local localFunc) error {
	return s.send(ctx, m, local)
}

// onTx spoils every sender of transactions.
func onTx(spoil func(*brokenTx)) func(*broken) {
	return onEachConn(func(c *brokenConn) {
		open := c.openTx
		c.openTx = func(ctx context.Context, id string) (oms.TxSender, error) {
			s, err := open(ctx, id)
			if err != nil {
				return nil, err
			}
			bs := &brokenTx{conn: c, TxSender: s, sendAll: s.SendAll}
			spoil(bs)
			return bs, nil
		}
	})
}

// onHalf spoils every sender of half messages.
func onHalf(spoil func(*brokenHalf)) func(*broken) {
	return onEachConn(func(c *brokenConn) {
		open := c.openHalf
		c.openHalf = func(ctx context.Context, group string, check checkFunc) (oms.HalfSender, error) {
			s, err := open(ctx, group, check)
			if err != nil {
				return nil, err
			}
			bs := &brokenHalf{HalfSender: s, send: s.Send}
			spoil(bs)
			return bs, nil
		}
	})
}

// turn takes one verdict of local for another.
func turn(was, is oms.Verdict) func(*broken) {
	return onHalf(func(s *brokenHalf) {
		send := s.send
		s.send = func(ctx context.Context, m *oms.Message, local localFunc) error {
			return send(ctx, m, func(ctx context.Context) oms.Verdict {
				if v := local(ctx); v != was {
					return v
				}
				return is
			})
		}
	})
}

// halfGroup has the group and the check of each sender of half messages
// replaced.
func halfGroup(rename func(string) string, replace func(checkFunc) checkFunc) func(*broken) {
	return onEachConn(func(c *brokenConn) {
		open := c.openHalf
		c.openHalf = func(ctx context.Context, group string, check checkFunc) (oms.HalfSender, error) {
			if replace != nil {
				check = replace(check)
			}
			return open(ctx, rename(group), check)
		}
	})
}

// ask has another check asked.
func ask(check checkFunc) func(*broken) {
	return halfGroup(func(group string) string { return group }, func(checkFunc) checkFunc { return check })
}

// askOnce rolls back what is undecided when it is asked about.
func askOnce(d *broken) {
	halfGroup(func(group string) string { return group }, func(check checkFunc) checkFunc {
		return func(ctx context.Context, m *oms.Message) oms.Verdict {
			if v := check(ctx, m); v != oms.Undecided {
				return v
			}
			return oms.Rollback
		}
	})(d)
}

func (c *brokenConn) OpenTx(ctx context.Context, id string) (oms.TxSender, error) {
	return c.openTx(ctx, id)
}

func (c *brokenConn) OpenHalf(ctx context.Context, group string, check checkFunc) (oms.HalfSender, error) {
	return c.openHalf(ctx, group, check)
}
