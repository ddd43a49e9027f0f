package connect

import (
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
	t.rt.statuses.publish(st)
}
