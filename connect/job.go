package connect

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/omconnect/omconnect/offsets"
	"github.com/omconnect/omconnect/oms"
)

// A job is one run of a task's session, from its start or resumption to its
// end. It runs in a goroutine of its own, to which its session belongs until
// exit is received.
type job struct {
	soften  context.CancelFunc // read nothing new
	abort   context.CancelCauseFunc
	started chan struct{}                // closed when the connector is up
	seen    bool                         // that it is up; the task's
	exit    chan error                   // nil when softened, io.EOF at the end of the source, errInterrupted
	sess    *session                     // nil when the lease was not granted
	sends   atomic.Pointer[oms.Producer] // of a source that is up
}

// errGrace is why a job is aborted that did not end softly.
var errGrace = errors.New("the task did not finish what it had read within the time for stopping")

// errInterrupted is how a job ends that was softened before its connector was
// up: nothing has failed, and there is no session to go on with.
var errInterrupted = errors.New("the task was stopped while it was starting")

// isEOF reports whether err is how a source ends. An error that wraps io.EOF
// is a failure: connections that are lost look like that.
func isEOF(err error) bool { return err == io.EOF } //nolint:errorlint // see above

// errFailNil is the failure of a connector that reports one and does not say
// which.
var errFailNil = errors.New("it called Env.Fail with nil, which takes the error that the task has failed with")

func ignoreEOF(err error) error {
	if isEOF(err) {
		return nil
	}
	return err
}

// newJob starts a job of a paused session, or of a new one if that is nil.
func (t *task) newJob(ctx context.Context, paused *session) *job {
	hard, abort := context.WithCancelCause(context.WithoutCancel(ctx))
	soft, soften := context.WithCancel(hard)
	j := &job{soften: soften, abort: abort, started: make(chan struct{}), exit: make(chan error, 1), sess: paused}
	go func() {
		defer abort(nil)
		err := t.work(soft, hard, j)
		switch cause := context.Cause(hard); {
		case cause != nil && (ignoreEOF(err) != nil || !errors.Is(cause, errGrace)):
			err = cause // what follows from the abortion is not the reason
		case cause == nil && soft.Err() != nil && errors.Is(err, context.Canceled):
			err = errInterrupted
		}
		j.exit <- err
	}()
	return j
}

// up is closed when the connector is up; nil when that is known or nothing
// runs.
func (j *job) up() <-chan struct{} {
	if j == nil || j.seen {
		return nil
	}
	return j.started
}

// trouble returns the trouble that a source has with sending, if it lasts.
func (j *job) trouble() (oms.Trouble, bool) {
	if j == nil || j.sends.Load() == nil {
		return oms.Trouble{}, false
	}
	return j.sends.Load().Trouble()
}

// exited is nil, and so never ready, when nothing runs.
func (j *job) exited() <-chan error {
	if j == nil {
		return nil
	}
	return j.exit
}

// work is the goroutine of a job.
func (t *task) work(soft, hard context.Context, j *job) error {
	client, err := t.rt.opts.Brokers.Client(soft, t.set.broker)
	if err != nil {
		return &Outcome{Stage: StageStart, Err: err}
	}
	begin := t.resume
	if j.sess == nil {
		begin = t.setUp
		if err := t.claim.settle(soft, client); err != nil {
			return &Outcome{Stage: StageStart, Err: err}
		}
		lease, err := keep(soft, t.rt.opts.Store, t.owner, t.rt.opts.Gateway, t.rt.opts.LeaseTTL, t.rt.opts.Alone)
		if err != nil {
			return &Outcome{Stage: StageStart, Err: fmt.Errorf("acquire the lease of task %s: %w", t.owner, err)}
		}
		j.sess = newSession(lease)
	}
	// Invariant 4: without its lease a task does nothing.
	defer context.AfterFunc(j.sess.life, func() { j.abort(context.Cause(j.sess.life)) })() //nolint:contextcheck // the session's life is what is watched
	if t.plugin.Kind == KindSink {
		if err := t.joinable(soft, client); err != nil {
			return &Outcome{Stage: StageStart, Err: err}
		}
	}
	if err := begin(soft, j.sess); err != nil {
		return &Outcome{Stage: StageStart, Err: err}
	}
	if t.plugin.Kind == KindSink {
		return t.runSink(soft, hard, j, client)
	}
	return t.runSource(soft, hard, j, client)
}

// resume goes on with a paused instance.
func (t *task) resume(ctx context.Context, sess *session) error {
	return sess.inst.call(ctx, "OnResume", startBound, sess.inst.conn.(Resumer).OnResume) // the session of one that is none is released before
}

// setUp starts an instance.
func (t *task) setUp(ctx context.Context, sess *session) error {
	env := Env{
		Connector: t.owner.Connector, Task: t.owner.Task, Tasks: t.tasks, Config: t.config.Clone(), Logger: t.logger,
		Broker: func(ctx context.Context, name string) (*oms.Client, error) {
			opts := t.rt.opts
			if name == DefaultBroker {
				return opts.Brokers.Client(ctx, t.set.broker)
			}
			if err := ensureReaders(ctx, opts.Store, opts.Plugins, opts.Brokers, name); err != nil {
				return nil, err
			}
			return opts.Brokers.Client(ctx, name)
		},
		ensureReaders: func(ctx context.Context, broker, topic string) error {
			if broker == DefaultBroker {
				broker = t.set.broker
			}
			return t.rt.ensureTopicReaders(ctx, broker, topic)
		},
		Fail: func(err error) {
			if err == nil {
				err = errFailNil
			}
			sess.fail(fmt.Errorf("the connector reported a failure: %w", err))
		},
		Reconfigure: t.replan,
	}
	in, err := newInstance(ctx, t.plugin, env)
	if err != nil {
		return err
	}
	sess.inst = in
	err = in.call(ctx, "OnStart", startBound, func(ctx context.Context) error { return in.conn.OnStart(ctx, t.config.Clone()) })
	if err != nil || t.plugin.Kind == KindSink {
		return err
	}
	return t.seek(ctx, sess)
}

// seek tells a source where to go on. Invariant 8: that is behind the last
// commit, whatever was read after it. A position that cannot be read fails the
// task: starting over in its place would be silent.
func (t *task) seek(ctx context.Context, sess *session) error {
	var stored map[offsets.Partition]offsets.Position
	err := storeCall(ctx, "load positions", func(ctx context.Context) (err error) {
		stored, err = t.rt.opts.Store.Load(ctx, t.owner.Connector)
		return err
	})
	if err != nil {
		return fmt.Errorf("load positions: %w", err)
	}
	origins := make([]oms.Origin, 0, len(stored))
	for part, pos := range stored {
		if err := errors.Join(part.Valid(), pos.Valid()); err != nil {
			return &oms.Error{Op: "load positions", Target: fmt.Sprintf("connector %s partition %.200s", t.owner.Connector, part), Code: oms.ErrFormat, Err: err}
		}
		origins = append(origins, oms.Origin{Partition: string(part), Position: string(pos)})
	}
	source, ok := sess.inst.conn.(Positioned)
	if !ok {
		sess.ids = newIDMaker(t.owner.Connector, nil)
		return nil
	}
	sess.ids = newIDMaker(t.owner.Connector, origins)
	return sess.inst.call(ctx, "Seek", startBound, func(ctx context.Context) error { return source.Seek(ctx, origins) })
}

// bounded returns a context for finishing work: hard, and at most for d.
func bounded(hard context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(hard, d)
}
