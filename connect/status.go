package connect

import (
	"context"
	"slices"
	"time"

	"github.com/omconnect/omconnect/offsets"
)

// A State is what a connector or a task is doing.
type State string

// The states. Kafka Connect has those of the first group; the others are ours.
const (
	Unassigned State = "UNASSIGNED" // about to start, or no gateway runs it
	Running    State = "RUNNING"
	Paused     State = "PAUSED"
	Stopped    State = "STOPPED"
	Failed     State = "FAILED" // waits for a restart or a change

	Retrying State = "RETRYING" // failed, and will be started again by itself
	Finished State = "FINISHED" // the source has come to its end
	Degraded State = "DEGRADED" // runs, and some tasks have failed
)

// A Status is what a connector and its tasks are doing.
type Status struct {
	Name   string
	Kind   Kind
	Target offsets.Target
	Origin string
	State  State
	Worker string // the gateway that says so; "" when none does
	Since  time.Time
	By     string // what caused the state
	Cause  string // of a failure, or of what holds up a connector that runs, in one line
	Trace  string // the same in full
	Tasks  []TaskStatus

	// Of a connector whose work cannot be divided into tasks, as with a
	// TaskStatus.
	Attempts  int
	NextRetry time.Time
}

// A TaskStatus is what one task is doing.
type TaskStatus struct {
	Task      int
	State     State
	Worker    string
	Since     time.Time
	By        string
	Cause     string // of a failure; of a task that runs, of what holds it up
	Trace     string
	Attempts  int       // failures in a row
	NextRetry time.Time // of a RETRYING task
	Records   int64     // moved since the gateway started
}

// Status returns what a connector is doing, or ErrNotFound.
func (c *Catalog) Status(ctx context.Context, name string) (Status, error) {
	all, err := c.Statuses(ctx)
	if err != nil {
		return Status{}, err
	}
	i := slices.IndexFunc(all, func(s Status) bool { return s.Name == name })
	if i < 0 {
		return Status{}, notFound(name)
	}
	return all[i], nil
}

// Statuses returns what all connectors are doing, sorted by name.
func (c *Catalog) Statuses(ctx context.Context) ([]Status, error) {
	defs, err := c.store.List(ctx)
	if err != nil {
		return nil, err
	}
	published, err := c.store.Statuses(ctx)
	if err != nil {
		return nil, err
	}
	byName := make(map[string][]offsets.Status)
	for _, p := range published {
		byName[p.Connector] = append(byName[p.Connector], p)
	}
	all := []Status{}
	for _, d := range defs {
		if d.Deleted {
			continue
		}
		all = append(all, gather(c.info(d, nil), byName[d.Name]))
	}
	return all, nil
}

// gather makes one status of what the runtime said of a connector and its
// tasks.
func gather(in Info, published []offsets.Status) Status {
	s := Status{Name: in.Name, Kind: in.Kind, Target: in.Target, Origin: in.Origin, State: Unassigned, Tasks: []TaskStatus{}}
	for _, p := range published {
		if p.Task == offsets.ConnectorTask {
			s.State, s.Worker, s.Since, s.By, s.Cause, s.Trace = State(p.State), p.Worker, p.Since, p.By, p.Cause, p.Trace
			s.Attempts, s.NextRetry = p.Attempts, p.NextRetry
			continue
		}
		s.Tasks = append(s.Tasks, TaskStatus{
			Task: p.Task, State: State(p.State), Worker: p.Worker, Since: p.Since, By: p.By, Cause: p.Cause,
			Trace: p.Trace, Attempts: p.Attempts, NextRetry: p.NextRetry, Records: p.Records,
		})
	}
	if s.State == Running {
		s.State, s.Cause, s.Trace = overall(s.Tasks)
	}
	return s
}

// overall derives the state of a connector that is told to run from those of
// its tasks, and the first failure among them; of one that runs, what holds up
// the first task that is held up.
func overall(tasks []TaskStatus) (state State, cause, trace string) {
	count := make(map[State]int)
	var held, heldTrace string
	for _, t := range tasks {
		count[t.State]++
		switch {
		case t.State == Running && held == "":
			held, heldTrace = t.Cause, t.Trace
		case (t.State == Failed || t.State == Retrying) && cause == "":
			cause, trace = t.Cause, t.Trace
		}
	}
	switch n := len(tasks); {
	case n == 0:
		return Running, "", ""
	case count[Finished] == n:
		return Finished, "", ""
	case count[Failed] == n:
		return Failed, cause, trace
	case count[Failed] > 0:
		return Degraded, cause, trace
	case count[Retrying] == n:
		return Retrying, cause, trace
	case count[Unassigned] == n:
		return Unassigned, "", ""
	default:
		return Running, held, heldTrace
	}
}
