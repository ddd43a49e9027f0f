package connect

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/omconnect/omconnect/oms"
)

// A topicWatch knows the topics that match the pattern of a sink. Its goroutine
// looks for them again and again, whatever the sink is told to do: also one
// that is paused or stopped gets what is sent to a new topic. Tasks look when
// they begin to receive. The supervisor owns it.
type topicWatch struct {
	pattern *TopicPattern
	find    func(context.Context) ([]string, error)
	ensure  func(ctx context.Context, topics []string, later bool) error // makes the group, before anybody is told
	every   time.Duration
	logger  *slog.Logger
	asked   chan struct{} // of one: somebody knows of a new topic
	turn    chan struct{} // of one: held by whoever looks
	stop    context.CancelFunc
	ended   chan struct{} // closed when the goroutine has ended
	looked  bool          // one look has found what was there; of whoever has the turn

	mu      sync.Mutex
	topics  []string        // found by the last look
	later   map[string]bool // those that any look but the first has found
	err     error           // in place of them: of a look, and not to pass by itself
	changed chan struct{}   // closed when either changes
}

const (
	lookBound = 20 * time.Second // of one look
	lookAgain = 5 * time.Second  // at most, after one that failed
)

// watchTopics starts the watch of a sink's topics.
func (s *supervisor) watchTopics(ctx context.Context, set settings) *topicWatch {
	opts, r := s.rt.opts, set.reading()
	w := &topicWatch{
		pattern: set.pattern,
		find: func(ctx context.Context) ([]string, error) {
			client, err := opts.Brokers.Client(ctx, r.Broker)
			if err != nil {
				return nil, err
			}
			return r.Pattern.Find(ctx, client)
		},
		ensure: func(ctx context.Context, topics []string, later bool) error {
			return ensureReading(ctx, opts.Store, opts.Plugins, opts.Brokers, r.of(topics, later))
		},
		every: set.topicsLook, logger: s.logger, asked: make(chan struct{}, 1),
		turn: make(chan struct{}, 1), ended: make(chan struct{}), later: make(map[string]bool), changed: make(chan struct{}),
	}
	ctx, w.stop = context.WithCancel(ctx)
	go w.run(ctx)
	return w
}

// end ends the goroutine of the watch, and waits for it. What looks may still
// look.
func (w *topicWatch) end() {
	w.stop()
	<-w.ended
}

func (w *topicWatch) run(ctx context.Context) {
	defer close(w.ended)
	failing := false
	for {
		_, _, err := w.look(ctx)
		wait := w.every
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			wait = min(wait, lookAgain)
			if !failing {
				w.logger.Warn("topics cannot be looked for", "regex", w.pattern.String(), "error", err)
			}
			if !oms.IsTemporary(err) {
				w.tell(nil, err)
			}
		case failing:
			w.logger.Info("topics can be looked for again", "regex", w.pattern.String())
		}
		failing = err != nil
		select {
		case <-time.After(wait):
		case <-w.asked:
		case <-ctx.Done():
			return
		}
	}
}

// look returns the topics that match now, sorted, for which the group has been
// made, and a channel that is closed when others do.
func (w *topicWatch) look(ctx context.Context) (topics []string, changed <-chan struct{}, err error) {
	bounded, cancel := context.WithTimeout(ctx, lookBound)
	defer cancel()
	topics, changed, err = w.tryLook(bounded)
	if err != nil && bounded.Err() != nil && ctx.Err() == nil {
		err = &oms.Error{Op: "look for topics", Target: w.pattern.String(), Code: oms.ErrTimeout, Err: err}
	}
	return topics, changed, err
}

func (w *topicWatch) tryLook(ctx context.Context) (topics []string, changed <-chan struct{}, err error) {
	select {
	case w.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, nil, context.Cause(ctx)
	}
	defer func() { <-w.turn }()
	topics, err = w.find(ctx)
	if err != nil {
		return nil, nil, err
	}
	before, changed, failed := w.known()
	fresh := slices.DeleteFunc(slices.Clone(topics), func(t string) bool { return slices.Contains(before, t) })
	if len(fresh) > 0 {
		if w.looked {
			w.came(fresh)
		}
		if err := w.ensure(ctx, fresh, w.looked); err != nil {
			return nil, nil, err
		}
	}
	w.looked = true
	if failed == nil && slices.Equal(topics, before) {
		return topics, changed, nil
	}
	gone := slices.DeleteFunc(slices.Clone(before), func(t string) bool { return slices.Contains(topics, t) })
	w.logger.Info("other topics match", "regex", w.pattern.String(), "topics", len(topics), "new", fresh, "gone", gone)
	return topics, w.tell(topics, nil), nil
}

// lookSoon has the watch look. Anybody may call it.
func (w *topicWatch) lookSoon() {
	select {
	case w.asked <- struct{}{}:
	default: // it is going to
	}
}

// known returns what has been found, or why that does not hold any more, and a
// channel that is closed when that changes.
func (w *topicWatch) known() (topics []string, changed <-chan struct{}, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.topics, w.changed, w.err
}

// tell has all that read know of what was found, and returns the channel that
// is closed at the next change.
func (w *topicWatch) tell(topics []string, err error) <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.topics, w.err = topics, err
	close(w.changed)
	w.changed = make(chan struct{})
	return w.changed
}
