package connect

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/omconnect/omconnect/oms"
)

// Progress is how far a connector has come in this gateway.
type Progress struct {
	Name    string
	Kind    Kind
	State   State
	Records int64 // moved since the gateway started
}

// Progress returns how far the connectors have come, sorted by name.
func (rt *Runtime) Progress() []Progress {
	var all []Progress
	for _, s := range rt.all() {
		now := s.shown.Load()
		p := Progress{Name: s.name, Kind: now.kind, State: now.current()}
		for _, t := range now.tasks {
			p.Records += t.records.Load()
		}
		all = append(all, p)
	}
	return all
}

func (rt *Runtime) all() []*supervisor {
	rt.mu.Lock()
	defer rt.mu.Unlock()
	all := make([]*supervisor, 0, len(rt.supervisors))
	for _, name := range slices.Sorted(maps.Keys(rt.supervisors)) {
		all = append(all, rt.supervisors[name])
	}
	return all
}

// current is the state of the connector, derived from its tasks where it runs.
func (s *shown) current() State {
	if s.state != Running {
		return s.state
	}
	tasks := make([]TaskStatus, len(s.tasks))
	for i, t := range s.tasks {
		tasks[i] = TaskStatus{State: State(t.view.Load().State)}
	}
	state, _, _ := overall(tasks)
	return state
}

// WaitIdle waits until everything that is there has been moved: every source
// has come to its end, or its last poll was empty and all before is committed;
// and then every sink has acknowledged all messages of its topics, twice a
// second apart. Connectors that are paused or stopped do not count. It returns
// an error that names the connectors of which tasks stand in FAILED, once all
// others are idle.
func (rt *Runtime) WaitIdle(ctx context.Context) error {
	const (
		look  = 100 * time.Millisecond
		apart = time.Second
	)
	ticker := time.NewTicker(look)
	defer ticker.Stop()
	var since time.Time // when everything was idle first; zero if it is not
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		switch {
		case !rt.idle(ctx):
			since = time.Time{}
		case since.IsZero():
			since = time.Now()
		case time.Since(since) >= apart:
			return rt.failed()
		}
	}
}

// idle reports whether nothing is left to do at this moment.
func (rt *Runtime) idle(ctx context.Context) bool {
	defs, err := definitions(ctx, rt.opts.Store)
	if err != nil {
		return false // the store is away: nobody knows, and it comes back
	}
	for _, d := range defs {
		s := rt.supervisor(d.Name)
		if s == nil || s.shown.Load().revision != d.Revision {
			return false // not taken up yet
		}
	}
	for _, kind := range []Kind{KindSource, KindSink} { // sinks can be idle only after the sources
		for _, s := range rt.all() {
			now := s.shown.Load()
			if now.kind == kind && !rt.connectorIdle(ctx, now) {
				return false
			}
		}
	}
	return true
}

func (rt *Runtime) connectorIdle(ctx context.Context, s *shown) bool {
	switch s.state {
	case Paused, Stopped, Failed:
		return true
	case Running:
	default:
		return false
	}
	alive := false
	for _, t := range s.tasks {
		view := t.view.Load()
		if view.Revision != s.revision {
			return false // it has not done yet what it was told
		}
		switch State(view.State) {
		case Finished, Failed:
		case Running:
			alive = true
			if s.kind == KindSource && !t.quiet.Load() {
				return false
			}
		default:
			return false
		}
	}
	if s.kind == KindSource || !alive {
		return true
	}
	client, err := rt.opts.Brokers.Client(ctx, s.settings.broker)
	if err != nil {
		return false
	}
	watch := s.tasks[0].watch
	if watch == nil {
		return hasNoLag(ctx, client, s.settings.group, s.settings.topics)
	}
	known, _, _ := watch.known()
	if !hasNoLag(ctx, client, s.settings.group, known) {
		return false
	}
	now, err := s.settings.pattern.Find(ctx, client)
	if err == nil && slices.Equal(now, known) {
		return true
	}
	watch.lookSoon()
	return false
}

func hasNoLag(ctx context.Context, client *oms.Client, group string, topics []string) bool {
	if len(topics) == 0 {
		return true
	}
	lag, err := client.Lag(ctx, group, topics)
	return err == nil && lag == 0
}

// failed names the connectors that have failed tasks.
func (rt *Runtime) failed() error {
	var names []string
	for _, s := range rt.all() {
		if state := s.shown.Load().current(); state == Failed || state == Degraded {
			names = append(names, s.name)
		}
	}
	if names == nil {
		return nil
	}
	return fmt.Errorf("failed: %s; see their causes with `omconnect connectors status`", strings.Join(names, ", "))
}
