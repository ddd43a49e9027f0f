package connect

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/omconnect/omconnect/internal/redact"
	"github.com/omconnect/omconnect/offsets"
	"github.com/omconnect/omconnect/oms"
)

// A task runs one share of a connector's work: it starts an instance, starts
// another when that fails, pauses and resumes it. The fields of the last group
// belong to the goroutine of run; others see view, quiet and records.
type task struct {
	rt       *Runtime
	plugin   Plugin
	set      settings
	owner    offsets.Owner
	tasks    int
	config   oms.KeyValue
	revision int64
	restarts int64                    // of the definition when the task was made
	hide     func(text string) string // takes the configuration's secrets out
	logger   *slog.Logger             // of texts that went through hide
	limiter  *limiter                 // the connector's
	claim    *claim                   // the connector's
	watch    *topicWatch              // the connector's; nil for one that does not match topics
	replan   func()

	goals   chan goal // the newest one only
	done    chan struct{}
	view    atomic.Pointer[offsets.Status]
	quiet   atomic.Bool  // of a source: nothing came, and all that came is committed
	records atomic.Int64 // moved

	sess      *session
	job       *job
	retry     <-chan time.Time
	paused    bool // what the task was told
	held      bool // the lease is another gateway's: so are the statuses
	failures  failures
	startedAt time.Time
}

// A goal is what a task is told to do.
type goal struct {
	paused   bool
	restarts int64
	revision int64
	by       string
}

// A session is an instance together with the lease under which it runs. It
// outlives a pause.
type session struct {
	inst  *instance // nil until the plugin has made it
	lease *keeper
	ids   *idMaker        // of a source
	life  context.Context //nolint:containedctx // done when the lease is lost, or with what the connector reported
	fail  context.CancelCauseFunc
}

func newSession(lease *keeper) *session {
	life, fail := context.WithCancelCause(lease.life)
	return &session{lease: lease, life: life, fail: fail}
}

func newTask(rt *Runtime, p Plugin, s settings, owner offsets.Owner, tasks int, config oms.KeyValue, d offsets.Definition, l *limiter) *task {
	t := &task{
		rt: rt, plugin: p, set: s, owner: owner, tasks: tasks, config: config, revision: d.Revision, restarts: d.Restarts,
		hide:    Redactor(rt.opts.Plugins, p, d.Config, config, oms.KeyValue{"broker": s.broker}),
		limiter: l, goals: make(chan goal, 1), done: make(chan struct{}),
		paused: d.Target == offsets.TargetPaused,
	}
	t.logger = redact.Logger(rt.opts.Logger, t.hide).With("connector", owner.Connector, "task", owner.Task)
	t.view.Store(&offsets.Status{State: string(Unassigned)})
	return t
}

// tell replaces what the task is to do. Only the supervisor calls it.
func (t *task) tell(g goal) {
	select {
	case <-t.goals:
	default:
	}
	t.goals <- g
}

// run is the goroutine of the task. It ends, softly, with ctx.
func (t *task) run(ctx context.Context) {
	defer close(t.done)
	if t.paused {
		t.enter(Paused, "definition", nil)
	} else {
		t.start(ctx, "definition")
	}
	publish := time.NewTicker(t.rt.opts.StatusEvery)
	defer publish.Stop()
	for {
		select {
		case g := <-t.goals:
			t.follow(ctx, g)
		case <-t.job.up():
			t.job.seen, t.held = true, false
			t.enter(Running, "", nil)
		case err := <-t.job.exited():
			t.adopt(t.job)
			t.ended(ctx, err)
		case <-t.pausedLost():
			t.lost(ctx)
		case <-t.retry:
			t.start(ctx, "restart policy")
		case <-publish.C:
			t.publish(*t.view.Load())
		case <-ctx.Done():
			t.halt(ctx)
			return
		}
	}
}

// follow does as the task is told.
func (t *task) follow(ctx context.Context, g goal) {
	restart := g.restarts > t.restarts
	t.restarts, t.revision = g.restarts, g.revision
	was := t.paused
	t.paused = g.paused
	state := State(t.view.Load().State)
	switch {
	case restart:
		t.halt(ctx)
		t.failures = failures{}
		if g.paused {
			t.enter(Paused, g.by, nil)
		} else {
			t.start(ctx, g.by)
		}
	case g.paused && !was && state != Finished:
		t.pause(ctx, g.by)
	case !g.paused && was:
		t.failures = failures{}
		t.start(ctx, g.by)
	}
	st := *t.view.Load() // also when there was nothing to do
	st.Revision = t.revision
	t.view.Store(&st)
}

// pause finishes what was read and keeps the instance.
func (t *task) pause(ctx context.Context, by string) {
	t.retry = nil
	err := t.finish()
	switch {
	case errors.Is(err, errInterrupted):
		t.release(ctx)
		err = nil
	case err == nil && t.sess != nil:
		err = t.sess.inst.call(context.WithoutCancel(ctx), "OnPause", hookBound, t.sess.inst.conn.OnPause)
	}
	if err != nil {
		t.failedPaused(ctx, by, err)
		return
	}
	t.enter(Paused, by, nil)
}

// failedPaused deals with the failure of a task that is not to run: there is
// nothing to try again before it is resumed.
func (t *task) failedPaused(ctx context.Context, by string, err error) {
	t.logger.Warn("task failed while it was paused", "error", err)
	t.failed(ctx, err)
	state := Paused
	if judge(err) == giveUp {
		state = Failed
	}
	t.enter(state, by, err)
}

// lost deals with the end of a paused session.
func (t *task) lost(ctx context.Context) {
	cause := context.Cause(t.sess.life) //nolint:contextcheck // the session's life is what has ended
	if t.sess.lease.life.Err() == nil {
		t.failedPaused(ctx, "failure", cause)
		return
	}
	t.logger.Warn("the lease of the paused task was lost; it gets a new one when it is resumed", "error", cause)
	t.release(ctx)
}

// start starts a new instance, or resumes the one that is paused.
func (t *task) start(ctx context.Context, by string) {
	t.retry = nil
	if t.sess != nil {
		if _, ok := t.sess.inst.conn.(Resumer); !ok {
			t.release(ctx)
		}
	}
	t.enter(Unassigned, by, nil)
	t.startedAt = time.Now()
	t.job = t.newJob(ctx, t.sess)
	t.sess = nil // the job's, until it ends
}

// ended deals with a job that came to its end by itself.
func (t *task) ended(ctx context.Context, err error) {
	if err == nil || isEOF(err) {
		t.release(ctx)
		t.enter(Finished, "end of the source", nil)
		return
	}
	if time.Since(t.startedAt) >= t.set.restart.reset {
		t.failures = failures{}
	}
	wait, again := t.failures.next(t.set.restart, err)
	t.held = errors.Is(err, oms.ErrHeld)
	t.failed(ctx, err)
	if !again {
		t.logger.Error("task failed", "error", err, "attempts", t.failures.all)
		t.enter(Failed, "failure", err)
		return
	}
	t.logger.Warn("task failed, it is going to be started again", "error", err, "attempts", t.failures.all, "in", wait)
	t.retry = time.After(wait)
	st := t.status(Retrying, "failure", err)
	st.NextRetry = time.Now().Add(wait)
	t.show(st)
}

// failed tells the instance of its failure and releases it.
func (t *task) failed(ctx context.Context, err error) {
	if t.sess != nil && t.sess.inst != nil {
		t.sess.inst.fail(ctx, err)
	}
	t.release(ctx)
}

// halt ends whatever runs, softly, and releases it.
func (t *task) halt(ctx context.Context) {
	t.retry = nil
	if err := t.finish(); err != nil && !errors.Is(err, errInterrupted) && t.sess != nil {
		t.logger.Warn("task failed while it was being stopped", "error", err)
		t.failed(ctx, err)
	}
	t.release(ctx)
}

// release stops the instance and gives the lease back.
func (t *task) release(ctx context.Context) {
	if t.sess == nil {
		return
	}
	if t.sess.inst != nil {
		t.sess.inst.stop(ctx)
		t.sess.inst.release()
	}
	t.sess.fail(nil)
	if err := t.sess.lease.release(ctx); err != nil {
		t.logger.Warn("lease not given back, it ends by itself", "error", err)
	}
	t.sess = nil
}

// finish ends the job: softly within the grace, then hard. Invariant 5.
func (t *task) finish() error {
	if t.job == nil {
		return nil
	}
	j := t.job
	defer t.adopt(j)
	j.soften()
	select {
	case err := <-j.exit:
		return ignoreEOF(err)
	case <-time.After(t.rt.opts.Grace):
	}
	j.abort(errGrace)
	return ignoreEOF(<-j.exit)
}

// adopt takes over the session of a job that has ended.
func (t *task) adopt(j *job) {
	t.job, t.sess = nil, j.sess
}

// pausedLost is ready when a paused session has come to its end. While a job
// runs, the job sees that itself.
func (t *task) pausedLost() <-chan struct{} {
	if t.job != nil || t.sess == nil {
		return nil
	}
	return t.sess.life.Done()
}
