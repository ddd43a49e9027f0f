package connect

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/omconnect/omconnect/offsets"
)

// Options are the parts that a Runtime is made of. Durations that are zero
// have the defaults given.
type Options struct {
	Store   offsets.Store
	Plugins *Plugins
	Brokers *Brokers
	Gateway string // holder of the leases; the same after a restart of the gateway
	Worker  string // host:port that statuses name
	Logger  *slog.Logger
	// Alone reports whether no other gateway was there when the store answered
	// last. Such a gateway goes on while the store is away, until its sources
	// have as much uncommitted as they may; others stop when their leases end.
	// It may be called concurrently. Nil: it is never known.
	Alone func() bool
	// BrokerChange is what becomes of connectors that worked with another
	// broker so far.
	BrokerChange BrokerChange

	Grace       time.Duration // for finishing what was read when stopping; 25 s
	LeaseTTL    time.Duration // 10 s
	StatusEvery time.Duration // between two publications of an unchanged status; 4 s
	StatusTTL   time.Duration // 10 s
}

func (o Options) withDefaults() Options {
	set := func(d *time.Duration, def time.Duration) {
		if *d <= 0 {
			*d = def
		}
	}
	if o.Alone == nil {
		o.Alone = func() bool { return false }
	}
	set(&o.Grace, 25*time.Second)
	set(&o.LeaseTTL, 10*time.Second)
	set(&o.StatusEvery, 4*time.Second)
	set(&o.StatusTTL, 10*time.Second)
	return o
}

// A Runtime makes what runs equal to what is defined in the store.
type Runtime struct {
	opts     Options
	statuses *publisher

	mu          sync.Mutex
	supervisors map[string]*supervisor // written by Run only
}

// NewRuntime returns a runtime that runs nothing yet.
func NewRuntime(opts Options) *Runtime {
	opts = opts.withDefaults()
	return &Runtime{opts: opts, statuses: newPublisher(opts), supervisors: make(map[string]*supervisor)}
}

// Run runs connectors until ctx is done, then stops them softly, and returns
// when the last one has stopped. It is called once.
func (rt *Runtime) Run(ctx context.Context) error {
	changes := make(chan offsets.Definition)
	ended := make(chan *supervisor)
	var publishing, wg sync.WaitGroup
	saying, stopSaying := context.WithCancel(context.WithoutCancel(ctx)) // longer than anything that has a status
	publishing.Go(func() { rt.statuses.run(saying) })
	defer publishing.Wait()
	defer stopSaying()
	watching, stopWatching := context.WithCancel(ctx)
	wg.Go(func() { rt.watch(watching, changes) })
	defer wg.Wait()
	defer stopWatching()
	start := func(d offsets.Definition) {
		s := newSupervisor(rt, d.Name)
		rt.mu.Lock()
		rt.supervisors[d.Name] = s
		rt.mu.Unlock()
		s.tell(d)
		wg.Go(func() {
			s.run(ctx)
			select {
			case ended <- s:
			case <-ctx.Done():
			}
		})
	}
	for {
		select {
		case d := <-changes:
			if s := rt.supervisor(d.Name); s != nil {
				s.tell(d)
			} else if d.Target != offsets.TargetRemoved {
				start(d)
			}
		case s := <-ended:
			rt.mu.Lock()
			delete(rt.supervisors, s.name)
			rt.mu.Unlock()
			if d, again := s.missed(); again && d.Target != offsets.TargetRemoved {
				start(d)
			}
		case <-ctx.Done():
			return nil
		}
	}
}

// watch passes on the changes of definitions.
func (rt *Runtime) watch(ctx context.Context, changes chan<- offsets.Definition) {
	away := false
	for d, err := range rt.opts.Store.Watch(ctx, 0) {
		if err != nil {
			if !away && ctx.Err() == nil {
				rt.opts.Logger.Warn("definitions cannot be read; trying again", "error", err)
			}
			away = true
			continue
		}
		if away {
			rt.opts.Logger.Info("definitions can be read again")
			away = false
		}
		select {
		case changes <- d:
		case <-ctx.Done():
			return
		}
	}
}

func (rt *Runtime) supervisor(name string) *supervisor {
	rt.mu.Lock()
	defer rt.mu.Unlock()
	return rt.supervisors[name]
}
