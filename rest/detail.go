package rest

import (
	"time"

	"github.com/omconnect/omconnect/connect"
)

// ConnectorDetail is all that is known of what a connector is doing.
type ConnectorDetail struct {
	Name     string       `json:"name"`
	Type     string       `json:"type" enum:"source,sink,unknown"`
	State    string       `json:"state" enum:"UNASSIGNED,RUNNING,PAUSED,STOPPED,FAILED,RETRYING,FINISHED,DEGRADED"`
	Target   string       `json:"target" enum:"RUNNING,PAUSED,STOPPED" doc:"What it is told to do."`
	Origin   string       `json:"origin" doc:"Where it is defined: api, or file:line."`
	WorkerID string       `json:"worker_id,omitempty" doc:"The gateway that says so; left out when none does."`
	Since    time.Time    `json:"since,omitzero"`
	By       string       `json:"by,omitempty" doc:"What caused the state."`
	Cause    string       `json:"cause,omitempty" doc:"Of a failure, in one line; of one that is RUNNING, what holds it up for now."`
	Trace    string       `json:"trace,omitempty" doc:"The cause in full."`
	Tasks    []TaskDetail `json:"tasks" nullable:"false"`
}

// TaskDetail is all that is known of what a task is doing.
type TaskDetail struct {
	ID        int       `json:"id"`
	State     string    `json:"state" enum:"UNASSIGNED,RUNNING,PAUSED,STOPPED,FAILED,RETRYING,FINISHED"`
	WorkerID  string    `json:"worker_id,omitempty" doc:"The gateway that says so; left out when none does."`
	Since     time.Time `json:"since,omitzero"`
	By        string    `json:"by,omitempty" doc:"What caused the state."`
	Attempts  int       `json:"attempts" doc:"Failures in a row."`
	NextRetry time.Time `json:"next_retry,omitzero" doc:"When a task that is RETRYING starts again."`
	Cause     string    `json:"cause,omitempty" doc:"Of the failure, in one line; of one that is RUNNING, what holds it up for now."`
	Trace     string    `json:"trace,omitempty" doc:"The cause in full."`
	Records   int64     `json:"records" doc:"Records moved since the gateway started."`
}

type detailAnswer struct{ Body ConnectorDetail }

func newDetail(s connect.Status) ConnectorDetail {
	told := ConnectorDetail{
		Name: s.Name, Type: kindName(s.Kind), State: string(s.State), Target: string(s.Target), Origin: s.Origin,
		WorkerID: s.Worker, Since: s.Since.UTC(), By: s.By, Cause: s.Cause, Trace: s.Trace,
		Tasks: make([]TaskDetail, 0, len(s.Tasks)),
	}
	for _, t := range s.Tasks {
		told.Tasks = append(told.Tasks, TaskDetail{
			ID: t.Task, State: string(t.State), WorkerID: t.Worker, Since: t.Since.UTC(), By: t.By,
			Attempts: t.Attempts, NextRetry: t.NextRetry.UTC(), Cause: t.Cause, Trace: t.Trace, Records: t.Records,
		})
	}
	return told
}
