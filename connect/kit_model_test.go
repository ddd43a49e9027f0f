package connect_test

import (
	"strings"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/offsets"
)

// A model is the state table of one connector with one task, at rest. Each of
// its events returns the hooks that must be called until it is at rest again.
type model struct {
	source  bool
	resumer bool
	ended   bool // the source has nothing more
	there   bool
	target  offsets.Target
	task    rest
}

// A rest is how a task is when nothing happens.
type rest string

const (
	none     rest = "none"     // stopped
	up       rest = "up"       // has an instance that works
	held     rest = "held"     // paused with its instance
	idle     rest = "idle"     // paused without one
	broken   rest = "broken"   // failed for good while paused
	finished rest = "finished" // at the end of its source
	retrying rest = "retrying"
	failed   rest = "failed"
)

// event makes something happen. It reports false for what cannot happen now.
func (m *model) event(name string) (hooks string, can bool) {
	if !m.there {
		if name != "create" {
			return "", false
		}
		m.there, m.target = true, offsets.TargetRunning
		return m.begin(), true
	}
	living := m.task == up || m.task == held
	switch name {
	case "pause":
		hooks = m.pause()
		m.target = offsets.TargetPaused
	case "resume":
		hooks = m.resume()
		m.target = offsets.TargetRunning
	case "stop":
		hooks = m.leave()
		m.task, m.target = none, offsets.TargetStopped
	case "restart", "change", "gateway":
		hooks = m.leave() + " " + m.again()
	case "reconfigure":
		if !living {
			return "", false
		}
		hooks = m.leave() + " " + m.again()
	case "delete":
		hooks = m.leave() + " OnDestroyed"
		m.there = false
	case "error", "passing error":
		if !living {
			return "", false
		}
		hooks = "OnFailed OnStop"
		m.task = map[bool]map[rest]rest{
			true:  {up: failed, held: broken},
			false: {up: retrying, held: idle},
		}[name == "error"][m.task]
	case "end":
		if !m.source || m.ended {
			return "", false
		}
		m.ended = true
		if m.task == up {
			m.task, hooks = finished, "OnStop"
		}
	case "more":
		if !m.ended {
			return "", false
		}
		m.ended = false
	default:
		return "", false
	}
	return strings.Join(strings.Fields(hooks), " "), true
}

// begin starts a new instance.
func (m *model) begin() string {
	m.task = up
	switch {
	case m.source && m.ended:
		m.task = finished
		return "OnStart Seek OnStop"
	case m.source:
		return "OnStart Seek"
	}
	return "OnStart"
}

// leave stops the instance, if there is one.
func (m *model) leave() string {
	if m.task == up || m.task == held {
		return "OnStop"
	}
	return ""
}

// again starts what is to run, anew.
func (m *model) again() string {
	switch m.target {
	case offsets.TargetRunning:
		return m.begin()
	case offsets.TargetPaused:
		m.task = idle
	default: // it stands
	}
	return ""
}

func (m *model) pause() string {
	switch m.task {
	case up:
		m.task = held
		return "OnPause"
	case none, retrying, failed:
		m.task = idle
	default: // it is paused, or has nothing to do
	}
	return ""
}

func (m *model) resume() string {
	switch {
	case m.task == up, m.task == finished && m.target == offsets.TargetRunning:
		return ""
	case m.task != held:
		return m.begin()
	case !m.resumer:
		return "OnStop " + m.begin()
	case m.source && m.ended:
		m.task = finished
		return "OnResume OnStop"
	}
	m.task = up
	return "OnResume"
}

// shown returns the states that everybody must see, of the connector and of
// its task, "" for a task that there is not.
func (m *model) shown() (connector, task connect.State) {
	task = map[rest]connect.State{
		up: connect.Running, held: connect.Paused, idle: connect.Paused, broken: connect.Failed,
		finished: connect.Finished, retrying: connect.Retrying, failed: connect.Failed,
	}[m.task]
	switch m.target {
	case offsets.TargetStopped:
		return connect.Stopped, ""
	case offsets.TargetPaused:
		return connect.Paused, task
	default:
		return task, task
	}
}

// taskEdges are the states that a task may be in after another: everything
// else is no step of the state table. A task is born UNASSIGNED.
var taskEdges = map[connect.State][]connect.State{
	connect.Unassigned: {connect.Unassigned, connect.Running, connect.Paused, connect.Finished, connect.Retrying, connect.Failed},
	connect.Running:    {connect.Unassigned, connect.Paused, connect.Finished, connect.Retrying, connect.Failed},
	connect.Paused:     {connect.Unassigned, connect.Paused, connect.Failed},
	connect.Finished:   {connect.Unassigned, connect.Paused},
	connect.Retrying:   {connect.Unassigned, connect.Paused},
	connect.Failed:     {connect.Unassigned, connect.Paused},
}
