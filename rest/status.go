package rest

import (
	"cmp"

	"github.com/omconnect/omconnect/connect"
)

// ConnectorStatus is what a connector is doing, in Kafka Connect's form. Some
// clients drop everything when they meet a word or a type they do not know, so
// it has nothing else.
type ConnectorStatus struct {
	Name      string         `json:"name"`
	Connector WorkState      `json:"connector"`
	Tasks     []TaskProgress `json:"tasks" nullable:"false"`
	Type      string         `json:"type" enum:"source,sink,unknown"`
}

// WorkState is what a connector as a whole is doing, and where.
type WorkState struct {
	State    string `json:"state" enum:"RUNNING,PAUSED,STOPPED,FAILED,UNASSIGNED,RESTARTING"`
	WorkerID string `json:"worker_id"`
	Trace    string `json:"trace,omitempty"`
}

// TaskProgress is what a task is doing, and where.
type TaskProgress struct {
	ID       int    `json:"id"`
	State    string `json:"state" enum:"RUNNING,PAUSED,FAILED,UNASSIGNED,RESTARTING"`
	WorkerID string `json:"worker_id"`
	Trace    string `json:"trace,omitempty"`
}

type statusAnswer struct{ Body ConnectorStatus }

// stateRestarting is Kafka Connect's word for what is between two runs.
const stateRestarting connect.State = "RESTARTING"

// word is Kafka Connect's word for a state. What retries by itself is not
// FAILED, or programs that restart what has failed would fight the restart
// policy; what has finished is not STOPPED, or others would start it again.
func word(s connect.State) connect.State {
	switch s {
	case connect.Running, connect.Paused, connect.Stopped, connect.Failed, stateRestarting:
		return s
	case connect.Finished, connect.Degraded:
		return connect.Running
	case connect.Retrying:
		return stateRestarting
	default: // also what a newer gateway may say
		return connect.Unassigned
	}
}

// newStatus puts a status into Kafka Connect's form.
func (a *api) newStatus(s connect.Status) ConnectorStatus {
	state := word(s.State)
	told := ConnectorStatus{
		Name:      s.Name,
		Connector: WorkState{State: string(state), WorkerID: cmp.Or(s.Worker, a.worker), Trace: trace(state, s.Trace, s.Cause)},
		Tasks:     []TaskProgress{},
		Type:      kindName(s.Kind),
	}
	if state == connect.Stopped { // its tasks are gone
		return told
	}
	for _, t := range s.Tasks {
		ts := word(t.State)
		switch {
		case state == connect.Paused: // clients tell from the tasks that it is paused
			ts = connect.Paused
		case ts == connect.Stopped: // no word for a task
			ts = connect.Unassigned
		}
		told.Tasks = append(told.Tasks, TaskProgress{
			ID: t.Task, State: string(ts), WorkerID: cmp.Or(t.Worker, s.Worker, a.worker), Trace: trace(ts, t.Trace, t.Cause),
		})
	}
	return told
}

// trace returns what is told of a failure, in the states that come of one.
func trace(state connect.State, trace, cause string) string {
	if state != connect.Failed && state != stateRestarting {
		return ""
	}
	return cmp.Or(trace, cause)
}
