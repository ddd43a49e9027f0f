package connect

import (
	"fmt"
	"time"

	"github.com/omconnect/omconnect/offsets"
)

// enter shows a new state.
func (t *task) enter(s State, by string, cause error) {
	if by == "" {
		by = t.view.Load().By
	}
	t.show(t.status(s, by, cause))
}

func (t *task) status(s State, by string, cause error) offsets.Status {
	st := offsets.Status{
		Connector: t.owner.Connector, Task: t.owner.Task, Worker: t.rt.opts.Worker, State: string(s), Since: time.Now(), By: by,
		Attempts: t.failures.all, Restarts: t.restarts, Revision: t.revision,
	}
	if cause != nil {
		st.Cause, st.Trace = t.hide(cause.Error()), t.hide(trace(cause))
	}
	return st
}

func (t *task) show(st offsets.Status) {
	t.view.Store(&st)
	t.logger.Debug("task state", "state", st.State, "by", st.By)
	t.publish(st)
}

func (t *task) publish(st offsets.Status) {
	if t.held {
		return
	}
	st.Records = t.records.Load()
	if trouble, ok := t.job.trouble(); ok && st.State == string(Running) {
		// It runs, and goes on by itself: what holds it up is its cause for as
		// long as that lasts.
		err := fmt.Errorf("nothing new is sent since %s, because what failed then is still being tried again: %w", trouble.Since.UTC().Format(time.RFC3339), trouble.Cause)
		st.Cause, st.Trace = t.hide(err.Error()), t.hide(trace(err))
	}
	t.rt.statuses.publish(st)
}
