package connect

import (
	"context"
	"log/slog"
	"maps"
	"sync/atomic"
	"time"

	"github.com/omconnect/omconnect/internal/redact"
	"github.com/omconnect/omconnect/offsets"
)

// A supervisor makes one connector do what its definition says: it plans the
// tasks, tells them what to do, and ends them. The fields of the last group
// belong to the goroutine of run.
type supervisor struct {
	rt      *Runtime
	name    string
	hide    func(text string) string // takes the configuration's secrets out
	logger  *slog.Logger             // of texts that went through hide
	defs    chan offsets.Definition  // the newest one only
	replans chan struct{}
	rest    <-chan time.Time // after a division that a connector asked for; nil when it may ask again
	shown   atomic.Pointer[shown]
	watch   atomic.Pointer[topicWatch] // nil for a connector that matches no topics; run's goroutine writes it

	def      offsets.Definition
	running  []*runningTask
	retry    <-chan time.Time
	retryAt  time.Time
	failures failures // to plan
	status   offsets.Status
}

// shown is what others see of a supervisor.
type shown struct {
	kind     Kind
	settings settings
	revision int64
	state    State
	tasks    []*task
}

// A runningTask is a task with what ends its goroutine.
type runningTask struct {
	*task
	end context.CancelFunc
}

func newSupervisor(rt *Runtime, name string) *supervisor {
	s := &supervisor{
		rt: rt, name: name, hide: redact.Text, logger: rt.opts.Logger.With("connector", name),
		defs: make(chan offsets.Definition, 1), replans: make(chan struct{}, 1),
	}
	s.shown.Store(&shown{state: Unassigned})
	return s
}

// tell replaces the definition. Only the runtime calls it.
func (s *supervisor) tell(d offsets.Definition) {
	select {
	case <-s.defs:
	default:
	}
	s.defs <- d
}

// missed returns a definition that came when run had ended already.
func (s *supervisor) missed() (offsets.Definition, bool) {
	select {
	case d := <-s.defs:
		return d, true
	default:
		return offsets.Definition{}, false
	}
}

// run is the goroutine of the supervisor. It ends with ctx, or when the
// connector is gone.
func (s *supervisor) run(ctx context.Context) {
	publish := time.NewTicker(s.rt.opts.StatusEvery)
	defer publish.Stop()
	defer s.unwatch()
	for {
		select {
		case d := <-s.defs:
			if s.follow(ctx, d) {
				s.withdraw(offsets.ConnectorTask)
				return
			}
		case <-s.rest:
			s.rest = nil
		case <-s.asked():
			s.rest = time.After(replanEvery)
			if len(s.running) > 0 {
				s.logger.Info("the connector asked for its tasks to be divided anew")
				s.endTasks()
				s.plan(ctx)
			}
		case <-s.retry:
			if !s.def.Deleted {
				s.plan(ctx)
			} else if s.remove(ctx) {
				return
			}
		case <-publish.C:
			s.rt.statuses.publish(s.status)
		case <-ctx.Done():
			s.endTasks()
			s.withdraw(offsets.ConnectorTask)
			return
		}
	}
}

// replanEvery is how often a connector may have its work divided anew.
const replanEvery = time.Second

// asked is ready when a connector has asked for its work to be divided anew,
// and may: one that asks in OnStart would do so for ever without a pause.
func (s *supervisor) asked() <-chan struct{} {
	if s.rest != nil {
		return nil
	}
	return s.replans
}

// follow makes a definition true. It reports whether the connector is gone.
func (s *supervisor) follow(ctx context.Context, d offsets.Definition) (gone bool) {
	before := s.def
	s.def = d
	p, _ := s.rt.opts.Plugins.Lookup(d.Config["connector.class"]) // of an unknown one nothing is known to be secret
	s.hide = Redactor(s.rt.opts.Plugins, p, d.Config)
	s.logger = redact.Logger(s.rt.opts.Logger, s.hide).With("connector", s.name)
	same := maps.Equal(before.Config, d.Config)
	if !same || d.Deleted || d.Target == offsets.TargetRemoved {
		s.rewatch(ctx)
	}
	switch {
	case d.Target == offsets.TargetRemoved:
		s.endTasks()
		return true
	case d.Deleted:
		s.endTasks()
		return s.destroy(ctx)
	case d.Target == offsets.TargetStopped:
		s.endTasks()
		s.enter(Stopped, "definition", nil)
	case len(s.running) == 0 || !same:
		s.failures = failures{}
		s.endTasks()
		s.plan(ctx)
	default:
		s.tellTasks()
	}
	return false
}

// rewatch ends the watch of a connector's topics, and starts that of the new
// definition if it needs one.
func (s *supervisor) rewatch(ctx context.Context) {
	s.unwatch()
	if s.def.Deleted || s.def.Target == offsets.TargetRemoved {
		return
	}
	if _, set, err := s.settings(); err == nil && set.pattern != nil {
		s.watch.Store(s.watchTopics(ctx, set))
	}
}

// lookForTopics has the watch look soon, if there is one. Anybody may call it.
func (s *supervisor) lookForTopics() {
	if w := s.watch.Load(); w != nil {
		w.lookSoon()
	}
}

func (s *supervisor) unwatch() {
	if w := s.watch.Swap(nil); w != nil {
		w.end()
	}
}

// tellTasks passes target and restarts on.
func (s *supervisor) tellTasks() {
	g := goal{paused: s.def.Target == offsets.TargetPaused, restarts: s.def.Restarts, revision: s.def.Revision, by: "definition"}
	for _, t := range s.running {
		t.tell(g)
	}
	s.enter(s.targetState(), "definition", nil)
}

func (s *supervisor) targetState() State {
	if s.def.Target == offsets.TargetPaused {
		return Paused
	}
	return Running
}

// endTasks ends all tasks, side by side, and waits for them.
func (s *supervisor) endTasks() {
	s.retry = nil
	for _, t := range s.running {
		t.end()
	}
	for _, t := range s.running {
		<-t.done
	}
	s.running = nil
	s.withdraw(0)
}

// destroy calls OnDestroyed and forgets the connector. A failure of the hook
// is logged: it does not keep a connector from being deleted. A process that
// dies in between does it again.
func (s *supervisor) destroy(ctx context.Context) bool {
	ctx = context.WithoutCancel(ctx)
	if p, set, err := s.settings(); err == nil {
		if in, err := newInstance(ctx, p, s.env(set)); err != nil {
			s.logger.Error("no instance could be made for OnDestroyed", "error", err)
		} else {
			if err := in.call(ctx, "OnDestroyed", hookBound, in.conn.OnDestroyed); err != nil {
				s.logger.Error("OnDestroyed failed", "error", err)
			}
			in.release()
		}
	}
	return s.remove(ctx)
}

// remove takes the definition out of the store. It reports whether that is
// done; if not it is tried again.
func (s *supervisor) remove(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), hookBound)
	defer cancel()
	if err := s.rt.opts.Store.Remove(ctx, s.name, s.def.Revision, true); err != nil {
		s.failures.all++
		s.retry = time.After(restartPolicy{first: time.Second, most: time.Minute}.wait(s.failures.all))
		s.logger.Error("the deleted connector could not be removed from the store; trying again", "error", err)
		return false
	}
	s.logger.Info("connector deleted")
	return true
}

func (s *supervisor) settings() (Plugin, settings, error) {
	p, err := s.rt.opts.Plugins.Lookup(s.def.Config["connector.class"])
	if err != nil {
		return p, settings{}, err
	}
	set, err := readSettings(s.name, p, s.def.Config)
	return p, set, err
}

// enter shows the state of the connector as a whole.
func (s *supervisor) enter(state State, by string, cause error) {
	s.status = offsets.Status{
		Connector: s.name, Task: offsets.ConnectorTask, Worker: s.rt.opts.Worker, State: string(state), Since: time.Now(), By: by,
		Attempts: s.failures.all, Restarts: s.def.Restarts, Revision: s.def.Revision,
	}
	if state == Retrying {
		s.status.NextRetry = s.retryAt
	}
	if cause != nil {
		s.status.Cause, s.status.Trace = s.hide(cause.Error()), s.hide(trace(cause))
	}
	now := *s.shown.Load()
	now.revision, now.state = s.def.Revision, state
	if state == Stopped || len(s.running) == 0 {
		now.tasks = nil
	}
	s.shown.Store(&now)
	s.rt.statuses.publish(s.status)
}

// show tells others about the tasks.
func (s *supervisor) show(kind Kind, set settings) {
	now := shown{kind: kind, settings: set, state: Unassigned}
	for _, t := range s.running {
		now.tasks = append(now.tasks, t.task)
	}
	s.shown.Store(&now)
}

// withdraw takes back the statuses of the tasks numbered from the given one.
func (s *supervisor) withdraw(from int) { s.rt.statuses.withdraw(s.name, from) }
