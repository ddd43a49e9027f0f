package connect_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/oms"
)

var scriptDef = connect.ConfigDef{Keys: []connect.Key{
	{Name: "last", Type: connect.Int, Default: "1000000", Doc: "Last number of a source."},
	{Name: "batch", Type: connect.Int, Default: "1", Min: 1, Max: 1e6, Doc: "Numbers in one poll."},
	{Name: "every.ms", Type: connect.Millis, Default: "1000", Doc: "Time between polls."},
	{Name: "secret", Secret: true, Doc: "Never shown."},
}}

// A scripted is what the test connectors of a world do, and a record of what
// was done to them. The fields of the first group are set before they run.
type scripted struct {
	// onCall is called in every hook; arg is the first number of a Poll, the
	// first body of a Put.
	onCall  func(ctx context.Context, env connect.Env, hook, arg string) error
	flush   bool // the sink has Flush
	resume  bool // has OnResume
	graves  bool // the sink takes tombstones
	plain   bool // the source has neither Seek nor Committed
	split   int  // the source divides its work into that many tasks
	onPut   func(l *lifeline, msgs []*oms.Message)
	message func(m *oms.Message, n int) // changes what a source returns

	mu        sync.Mutex
	instances []*lifeline
	calls     []string
	put       []string
	committed []int
	polled    int // the highest number
	polls     []poll
	wrong     []string
}

// An onCall is what happens in hooks.
type onCall func(ctx context.Context, env connect.Env, hook, arg string) error

// on returns an onCall that does something in one hook only.
func on(hook string, do func() error) onCall {
	return func(_ context.Context, _ connect.Env, h, arg string) error {
		if h == hook || h+" "+arg == hook {
			return do()
		}
		return nil
	}
}

// A poll is one call of Poll.
type poll struct {
	by *lifeline
	at time.Time
}

// A lifeline is the life of one instance, as the runtime may lead it.
type lifeline struct {
	env       connect.Env
	last      string // hook that was called
	failed    bool   // it returned an error
	busy      string // hook that is running
	abandoned bool   // it did not return in time
}

// follows says which hooks may be called after which. Poll, Put and what
// belongs to them count as Work.
var follows = map[string][]string{
	"New":         {"OnStart", "Split", "OnDestroyed"},
	"OnStart":     {"Seek", "Work", "OnPause", "OnFailed", "OnStop"},
	"Seek":        {"Work", "OnPause", "OnFailed", "OnStop"},
	"Work":        {"Work", "OnPause", "OnFailed", "OnStop"},
	"OnPause":     {"OnResume", "OnFailed", "OnStop"},
	"OnResume":    {"Work", "OnPause", "OnFailed", "OnStop"},
	"OnFailed":    {"OnStop"},
	"Split":       {},
	"OnStop":      {},
	"OnDestroyed": {},
}

func isWork(hook string) bool {
	return slices.Contains([]string{"Poll", "Committed", "Put", "Flush"}, hook)
}

// call notes a hook, checks that it is legal, and does what is scripted.
func (s *scripted) call(ctx context.Context, l *lifeline, hook string, arg ...string) (err error) {
	text := strings.Join(append([]string{hook}, arg...), " ")
	kind := hook
	if isWork(hook) {
		kind = "Work"
	}
	s.mu.Lock()
	s.calls = append(s.calls, text)
	who := fmt.Sprintf("%s/%d", l.env.Connector, l.env.Task)
	switch {
	case l.busy != "":
		s.wrong = append(s.wrong, fmt.Sprintf("%s: %s while %s runs", who, hook, l.busy))
	case l.abandoned:
		s.wrong = append(s.wrong, fmt.Sprintf("%s: %s on an instance that was abandoned in %s", who, hook, l.last))
	case !slices.Contains(follows[l.last], kind), l.failed && slices.Contains([]string{"OnStart", "Seek", "OnResume", "OnPause"}, l.last) && kind != "OnFailed" && kind != "OnStop":
		s.wrong = append(s.wrong, fmt.Sprintf("%s: %s after %s (failed: %v)", who, hook, l.last, l.failed))
	}
	l.last, l.busy, l.failed = kind, hook, true
	if hook == "Poll" {
		s.polls = append(s.polls, poll{l, time.Now()})
	}
	s.mu.Unlock()
	var ended time.Time // when the time for the hook was over
	var clock sync.Mutex
	stop := context.AfterFunc(ctx, func() {
		clock.Lock()
		defer clock.Unlock()
		ended = time.Now()
	})
	returned := false
	defer func() {
		stop()
		clock.Lock()
		defer clock.Unlock()
		s.mu.Lock()
		defer s.mu.Unlock()
		l.busy, l.failed = "", !returned || err != nil
		l.abandoned = !ended.IsZero() && time.Since(ended) > 5*time.Second
	}()
	if s.onCall != nil {
		err = s.onCall(ctx, l.env, hook, strings.Join(arg, " "))
	}
	returned = true
	return err
}

// birth notes a new instance.
func (s *scripted) birth(env connect.Env) (*lifeline, error) {
	l := &lifeline{env: env, last: "New"}
	s.mu.Lock()
	s.instances = append(s.instances, l)
	s.mu.Unlock()
	if s.onCall != nil {
		return l, s.onCall(context.Background(), env, "New", "")
	}
	return l, nil
}

// check returns what was illegal, and which instances were not stopped.
func (s *scripted) check() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	wrong := slices.Clone(s.wrong)
	for _, l := range s.instances {
		if !l.abandoned && !slices.Contains([]string{"New", "Split", "OnStop", "OnDestroyed"}, l.last) {
			wrong = append(wrong, fmt.Sprintf("%s/%d ends after %s", l.env.Connector, l.env.Task, l.last))
		}
	}
	return wrong
}

// env returns what the newest instance of a task got.
func (s *scripted) env(task int) connect.Env {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range slices.Backward(s.instances) {
		if l.env.Task == task && l.last != "Split" {
			return l.env
		}
	}
	return connect.Env{}
}

// hooks returns the hooks called so far, without Poll, Put and their like.
func (s *scripted) hooks() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var hooks []string
	for _, c := range s.calls {
		if name, _, _ := strings.Cut(c, " "); !isWork(name) {
			hooks = append(hooks, name)
		}
	}
	return strings.Join(hooks, " ")
}

// forget empties the record of calls.
func (s *scripted) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = nil
}

func (s *scripted) count(hook string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, c := range s.calls {
		if name, _, _ := strings.Cut(c, " "); name == hook {
			n++
		}
	}
	return n
}

// bodies returns what the sink has made safe, in order.
func (s *scripted) bodies() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.put)
}

// pollers returns who polled, in order, each as often as it took over.
func (s *scripted) pollers() []poll {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.CompactFunc(slices.Clone(s.polls), func(a, b poll) bool { return a.by == b.by })
}

// highest returns the highest number that was polled.
func (s *scripted) highest() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.polled
}

// lastPoll returns when Poll was called last.
func (s *scripted) lastPoll() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.polls[len(s.polls)-1].at
}

// told returns the highest position that the source was told is durable.
func (s *scripted) told() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.committed) == 0 {
		return 0
	}
	return slices.Max(s.committed)
}
