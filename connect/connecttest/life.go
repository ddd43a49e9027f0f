package connecttest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/oms"
)

// A life is that of one instance.
type life struct {
	*bench
	conn    connect.Connector
	config  oms.KeyValue
	running bool // OnStart was called, and OnStop was not
	stuck   bool

	mu       sync.Mutex
	reported error    // by Env.Fail
	over     bool     // OnStop has returned
	late     []string // what was done with the Env after that
}

// create makes an instance.
func (b *bench) create(ctx context.Context) *life {
	return b.createTask(ctx, b.complete(), 0, 1)
}

func (b *bench) createTask(ctx context.Context, config oms.KeyValue, task, tasks int) *life {
	l := &life{bench: b, config: config}
	l.must(ctx, "New", func(context.Context) (err error) {
		l.conn, err = b.plugin.New(l.env(b, config, task, tasks))
		return err
	})
	if !b.isKind(l.conn) {
		fail("New returns a %T, which is not a %s", l.conn, b.kind)
	}
	b.lives = append(b.lives, l)
	return l
}

// isKind reports whether the connector is what its plugin says.
func (b *bench) isKind(c connect.Connector) (is bool) {
	switch b.kind {
	case connect.KindSource:
		_, is = c.(connect.Source)
	case connect.KindSink:
		_, is = c.(connect.Sink)
	}
	return is
}

// errNoBroker is what a connector gets that asks for a client.
var errNoBroker = errors.New("the kit has no broker; wrap New of the harness's plugin to give the connector one")

// env is what the connector gets. What it does with it after OnStop is noted.
func (l *life) env(b *bench, config oms.KeyValue, task, tasks int) connect.Env {
	return connect.Env{
		Connector: "kit", Task: task, Tasks: tasks, Config: config.Clone(),
		Logger: slog.New(slog.NewTextHandler(logWriter{l, &b.said}, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Broker: func(context.Context, string) (*oms.Client, error) {
			l.used("Env.Broker was called")
			return nil, errNoBroker
		},
		Fail: func(err error) {
			l.used("Env.Fail was called")
			b.said.note("Env.Fail", fmt.Sprint(err))
			l.mu.Lock()
			defer l.mu.Unlock()
			if l.reported == nil {
				l.reported = err
			}
		},
		Reconfigure: func() { l.used("Env.Reconfigure was called") },
	}
}

func (l *life) used(how string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over {
		l.late = append(l.late, how)
	}
}

// A logWriter gets what a connector logs.
type logWriter struct {
	*life
	said *transcript
}

func (w logWriter) Write(p []byte) (int, error) {
	w.used("it was logged: " + string(p))
	w.said.note("log", string(p))
	return len(p), nil
}

// call calls a hook. One that does not return ends the check.
func (l *life) call(ctx context.Context, hook string, f func(context.Context) error) error {
	err := l.bounded(ctx, hook, hookBound, f)
	if errors.Is(err, errStuck) {
		l.stuck = true
		fail("%w", err)
	}
	if p, ok := errors.AsType[*panicked](err); ok {
		fail("%s: %w", hook, p)
	}
	return err
}

// must calls a hook that may not fail.
func (l *life) must(ctx context.Context, hook string, f func(context.Context) error) {
	ok(hook, l.call(ctx, hook, f))
}

// healthy fails when the connector has reported a failure.
func (l *life) healthy() {
	l.mu.Lock()
	defer l.mu.Unlock()
	ok("the connector called Env.Fail", l.reported)
}

// tryStart calls OnStart, and Seek of a source that has it.
func (l *life) tryStart(ctx context.Context, positions []oms.Origin) error {
	l.running = true
	err := l.call(ctx, "OnStart", func(ctx context.Context) error { return l.conn.OnStart(ctx, l.config.Clone()) })
	if err != nil {
		return fmt.Errorf("OnStart: %w", err)
	}
	return l.seek(ctx, positions)
}

func (l *life) seek(ctx context.Context, positions []oms.Origin) error {
	p, is := l.conn.(connect.Positioned)
	if !is {
		return nil
	}
	if err := l.call(ctx, "Seek", func(ctx context.Context) error { return p.Seek(ctx, positions) }); err != nil {
		return fmt.Errorf("seek: %w", err)
	}
	return nil
}

func (l *life) start(ctx context.Context, positions ...oms.Origin) {
	if err := l.tryStart(ctx, positions); err != nil {
		fail("%w", err)
	}
}

func (l *life) pause(ctx context.Context) { l.must(ctx, "OnPause", l.conn.OnPause) }

func (l *life) fail(ctx context.Context) {
	l.must(ctx, "OnFailed", func(ctx context.Context) error {
		l.conn.OnFailed(ctx, errors.New("a failure that the kit made up"))
		return nil
	})
}

func (l *life) stop(ctx context.Context) {
	l.running = false // whatever comes of it
	l.must(ctx, "OnStop", l.conn.OnStop)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.over = true
}

func (l *life) destroy(ctx context.Context) { l.must(ctx, "OnDestroyed", l.conn.OnDestroyed) }
