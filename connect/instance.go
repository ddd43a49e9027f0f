package connect

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
)

// Bounds of the hooks. A hook's context ends at its bound; an instance that
// has not returned a while after its context ended is abandoned.
const (
	startBound   = time.Minute
	hookBound    = 30 * time.Second
	pollBound    = time.Minute
	putBound     = 5 * time.Minute
	abandonAfter = 5 * time.Second
)

// errStuck is the cause of a hook that does not return.
var errStuck = errors.New("it did not return in time, and its instance was abandoned")

// errNilPartial stands for a nil *PartialError that was returned as an error:
// such an error is not nil, and nothing can be read from it.
var errNilPartial = errors.New("the connector returned a nil *PartialError as an error; where nothing has failed it must return nil itself")

// errSameConnector is returned for a connector that another instance has.
var errSameConnector = errors.New("the plugin's New returned the same instance for two tasks; it must make another one each time")

// lateReturns counts hooks that returned after their instance was abandoned.
var lateReturns atomic.Int64

// LateReturns returns how many hooks have returned after their instance was
// abandoned; what they returned was dropped.
func LateReturns() int64 { return lateReturns.Load() }

// A PanicError is a panic of a connector.
type PanicError struct {
	Value any
	Stack []byte
}

// Error tells the panic without its stack.
func (e *PanicError) Error() string { return fmt.Sprintf("panic: %v", e.Value) }

// An instance is one Connector with the goroutine that calls it. Its methods
// may be called from any goroutine; the calls are made one after another.
type instance struct {
	conn      Connector
	claimed   Connector // what inUse has of this instance; may be nil
	logger    *slog.Logger
	calls     chan *call
	stopped   chan struct{} // closed by release
	abandoned chan struct{} // closed when a hook is stuck: nothing is called any more
}

// A call is one call of a hook. Whoever settles it first decides what became
// of it: the hook by returning, or its caller by waiting no longer.
type call struct {
	hook    string
	do      func() error
	out     chan error // of one
	settled atomic.Bool
}

// newInstance has the plugin make an instance.
func newInstance(ctx context.Context, p Plugin, env Env) (*instance, error) {
	in := &instance{logger: env.Logger, calls: make(chan *call), stopped: make(chan struct{}), abandoned: make(chan struct{})}
	go in.work()
	var conn Connector // not looked at after an error: New may still be running
	err := in.call(ctx, "New", startBound, func(context.Context) (err error) {
		conn, err = p.New(env)
		return err
	})
	if err == nil {
		_, isSource := conn.(Source)
		_, isSink := conn.(Sink)
		switch {
		case (p.Kind == KindSource && !isSource) || (p.Kind == KindSink && !isSink):
			err = fmt.Errorf("class %s: %w", p.Class, errBadConnector)
		case !in.claim(conn):
			err = fmt.Errorf("class %s: %w", p.Class, errSameConnector)
		}
	}
	if err != nil {
		in.release()
		return nil, err
	}
	in.conn = conn
	return in, nil
}

// work is the goroutine that calls the connector. It ends with release, or
// when a hook returns that nobody waits for any more.
func (in *instance) work() {
	for {
		select {
		case c := <-in.calls:
			err := c.do()
			if !c.settled.CompareAndSwap(false, true) {
				lateReturns.Add(1)
				in.logger.Warn("hook of an abandoned instance returned, what it returned is dropped", "hook", c.hook, "error", err)
				return
			}
			c.out <- err
		case <-in.stopped:
			return
		}
	}
}

// release ends the instance's goroutine.
func (in *instance) release() {
	if in.claimed != nil {
		inUse.Delete(in.claimed)
	}
	close(in.stopped)
}

// inUse has the connectors of all instances that are not released.
var inUse sync.Map

// claim reports whether the connector is not that of another instance already:
// two goroutines would call it. Only pointers tell one from another.
func (in *instance) claim(conn Connector) bool {
	v := reflect.ValueOf(conn)
	if v.Kind() != reflect.Pointer || v.IsNil() || v.Type().Elem().Size() == 0 {
		return true
	}
	if _, taken := inUse.LoadOrStore(conn, true); taken {
		return false
	}
	in.claimed = conn
	return true
}

// call has the goroutine call a hook, and waits for it within its bound.
func (in *instance) call(ctx context.Context, hook string, bound time.Duration, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, bound)
	defer cancel()
	c := &call{hook: hook, do: func() error { return safely(ctx, hook, f) }, out: make(chan error, 1)}
	select {
	case in.calls <- c:
	case <-in.abandoned:
		return fmt.Errorf("%s: %w", hook, errStuck)
	case <-in.stopped:
		return fmt.Errorf("%s: called on an instance that was released", hook)
	}
	select {
	case err := <-c.out:
		return err
	case <-ctx.Done():
	}
	select {
	case err := <-c.out:
		return err
	case <-time.After(abandonAfter):
	}
	if !c.settled.CompareAndSwap(false, true) {
		return <-c.out // at the last moment
	}
	close(in.abandoned)
	in.logger.Error("hook did not return, its instance is abandoned", "hook", hook, "bound", bound)
	return fmt.Errorf("%s: %w", hook, errStuck)
}

// safely turns a panic into an error.
func safely(ctx context.Context, hook string, f func(context.Context) error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("%s: %w", hook, &PanicError{Value: v, Stack: debug.Stack()})
		}
	}()
	err = f(ctx)
	if p, ok := err.(*PartialError); ok && p == nil { //nolint:errorlint // a nil pointer is not wrapped
		return errNilPartial
	}
	if err != nil {
		_ = err.Error() // one that panics does so here, and not where it is logged
	}
	return err
}

// stop calls OnStop and ends the instance. A failure is logged: it must not
// keep a connector from being stopped, restarted or deleted.
func (in *instance) stop(ctx context.Context) {
	if err := in.call(context.WithoutCancel(ctx), "OnStop", hookBound, in.conn.OnStop); err != nil {
		in.logger.Error("OnStop failed", "error", err)
	}
}

// fail calls OnFailed.
func (in *instance) fail(ctx context.Context, cause error) {
	err := in.call(context.WithoutCancel(ctx), "OnFailed", hookBound, func(ctx context.Context) error {
		in.conn.OnFailed(ctx, cause)
		return nil
	})
	if err != nil {
		in.logger.Error("OnFailed failed", "error", err)
	}
}
