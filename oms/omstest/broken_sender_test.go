package omstest_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/omconnect/omconnect/oms"
)

// doneTwice tells twice what came too late. Of other outcomes the front could
// not stand it.
func doneTwice(d *broken) {
	d.onSender = func(s *brokenSender) {
		send := s.sendAsync
		s.sendAsync = func(ctx context.Context, msgs []*oms.Message, done func(error)) {
			send(ctx, msgs, func(err error) {
				done(err)
				if oms.CodeOf(err) == oms.ErrClosed {
					done(err)
				}
			})
		}
	}
}

// confirmEarly confirms what is stored a moment later, if it is.
func confirmEarly(d *broken) {
	d.onSender = func(s *brokenSender) {
		send, closing := s.sendAsync, s.close
		var sending sync.WaitGroup
		turn := make(chan struct{}, 1) // a mutex would stop the bubble's clock
		s.sendAsync = func(ctx context.Context, msgs []*oms.Message, done func(error)) {
			if ctx.Err() != nil || len(msgs) == 0 {
				send(ctx, msgs, done)
				return
			}
			sending.Add(1)
			turn <- struct{}{}
			go func() {
				defer func() { <-turn }()
				defer sending.Done()
				d.wait(10 * time.Millisecond)
				send(context.WithoutCancel(ctx), msgs, func(error) {})
			}()
			done(nil)
		}
		s.close = func(ctx context.Context) error {
			sending.Wait()
			return closing(ctx)
		}
	}
}

// loseTheTail sends each batch a moment later. What it has then when it is
// closed it confirms and forgets.
func loseTheTail(d *broken) {
	d.onSender = func(s *brokenSender) {
		send, closing := s.sendAsync, s.close
		closed := make(chan struct{})
		closeOnce := sync.OnceFunc(func() { close(closed) })
		turn := make(chan struct{}, 1)
		var calls sync.WaitGroup // SendAsync is not called behind Close where that matters
		s.sendAsync = func(ctx context.Context, msgs []*oms.Message, done func(error)) {
			if ctx.Err() != nil || len(msgs) == 0 {
				send(ctx, msgs, done)
				return
			}
			select {
			case <-closed:
				done(&oms.Error{Op: "send", Driver: "broken", Code: oms.ErrClosed})
				return
			default:
			}
			calls.Add(1)
			select {
			case turn <- struct{}{}:
			case <-ctx.Done():
				done(ctx.Err())
				calls.Done()
				return
			case <-closed:
				done(&oms.Error{Op: "send", Driver: "broken", Code: oms.ErrClosed})
				calls.Done()
				return
			}
			go func() {
				defer calls.Done()
				defer func() { <-turn }()
				select {
				case <-time.After(10 * time.Microsecond):
					send(context.WithoutCancel(ctx), msgs, done)
				case <-closed:
					done(nil)
				}
			}()
		}
		s.close = func(ctx context.Context) error {
			closeOnce()
			calls.Wait()
			return closing(ctx)
		}
	}
}

// doNotAbort sends every message by itself, so that one that fails holds
// nothing up.
func doNotAbort(d *broken) {
	d.onSender = func(s *brokenSender) {
		send, closing := s.sendAsync, s.close
		var closed atomic.Bool
		s.sendAsync = func(ctx context.Context, msgs []*oms.Message, done func(error)) {
			if len(msgs) == 0 || ctx.Err() != nil || closed.Load() {
				send(ctx, msgs, done)
				return
			}
			failed := make(map[int]error)
			for i, m := range msgs {
				if err := sendAlone(ctx, s.conn.memConn, m); err != nil {
					failed[i] = err
				}
			}
			// A batch of none goes the usual way, so that done comes as usual.
			send(context.WithoutCancel(ctx), nil, func(err error) {
				if err == nil && len(failed) > 0 {
					err = &oms.BatchError{Failed: failed}
				}
				done(err)
			})
		}
		s.close = func(ctx context.Context) error {
			closed.Store(true)
			return closing(ctx)
		}
	}
}

func sendAlone(ctx context.Context, c oms.Conn, m *oms.Message) error {
	ctx = context.WithoutCancel(ctx)
	s, err := c.OpenSender(ctx, oms.SenderConfig{})
	if err != nil {
		return err
	}
	outcome := make(chan error, 1)
	s.SendAsync(ctx, []*oms.Message{m}, func(err error) { outcome <- err })
	err = oms.FailureOf(<-outcome, 0)
	return errors.Join(err, s.Close(ctx))
}

// changeBodies changes large bodies of its caller's once they are sent.
func changeBodies(d *broken) {
	d.onSender = func(s *brokenSender) {
		send := s.sendAsync
		s.sendAsync = func(ctx context.Context, msgs []*oms.Message, done func(error)) {
			send(ctx, msgs, func(err error) {
				for _, m := range msgs {
					if len(m.Body) > 100 && err == nil {
						m.Body[0] ^= 1
					}
				}
				done(err)
			})
		}
	}
}

// ignoreSendContext lets in what is too late.
func ignoreSendContext(d *broken) {
	d.onSender = func(s *brokenSender) {
		send := s.sendAsync
		s.sendAsync = func(ctx context.Context, msgs []*oms.Message, done func(error)) {
			failed := ctx.Err()
			send(context.WithoutCancel(ctx), msgs, func(err error) { done(errors.Join(failed, err)) })
		}
	}
}

// endWithTheSession never recovers a sender whose session has ended.
func endWithTheSession(d *broken) {
	d.onSender = func(s *brokenSender) {
		send, session := s.sendAsync, d.sessions.Load()
		s.sendAsync = func(ctx context.Context, msgs []*oms.Message, done func(error)) {
			if d.sessions.Load() != session && len(msgs) > 0 {
				done(&oms.Error{Op: "send", Driver: "broken", Code: oms.ErrUnavailable})
				return
			}
			send(ctx, msgs, done)
		}
	}
}

// keepQuiet tells nobody who waits that the sender was closed.
func keepQuiet(d *broken) {
	d.onSender = func(s *brokenSender) {
		send := s.sendAsync
		s.sendAsync = func(ctx context.Context, msgs []*oms.Message, done func(error)) {
			send(ctx, msgs, func(err error) {
				if oms.CodeOf(err) != oms.ErrClosed {
					done(err)
				}
			})
		}
	}
}

// failFor gives a failure another code.
func failFor(was, is oms.Code) func(*broken) {
	return func(d *broken) {
		d.onSender = func(s *brokenSender) {
			send := s.sendAsync
			s.sendAsync = func(ctx context.Context, msgs []*oms.Message, done func(error)) {
				send(ctx, msgs, func(err error) {
					if oms.CodeOf(err) == was {
						err = &oms.Error{Op: "send", Driver: "broken", Code: is}
					}
					done(err)
				})
			}
		}
	}
}
