package connect

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/omconnect/omconnect/offsets"
)

// A publisher shows statuses to everybody, through the store. Supervisors and
// tasks hand them over and go on: a store that hangs holds nobody up. Of each
// status only the newest waits.
type publisher struct {
	store  offsets.Statuses
	ttl    time.Duration
	logger *slog.Logger
	kick   chan struct{}

	mu      sync.Mutex
	waiting map[string]*news // by connector
}

// news is what is to be said of one connector: first the withdrawal, then the
// statuses.
type news struct {
	withdraw bool
	from     int
	statuses map[int]offsets.Status
}

const publishPatience = 2 * time.Second // for one call of the store

func newPublisher(o Options) *publisher {
	return &publisher{store: o.Store, ttl: o.StatusTTL, logger: o.Logger, kick: make(chan struct{}, 1), waiting: make(map[string]*news)}
}

// publish shows a status. One that the store does not take is shown by the next
// publication.
func (p *publisher) publish(s offsets.Status) {
	p.change(s.Connector, func(n *news) { n.statuses[s.Task] = s })
}

// withdraw takes back the statuses of a connector's tasks numbered from the
// given one.
func (p *publisher) withdraw(connector string, from int) {
	p.change(connector, func(n *news) {
		if !n.withdraw || from < n.from {
			n.withdraw, n.from = true, from
		}
		for task := range n.statuses {
			if task >= from {
				delete(n.statuses, task)
			}
		}
	})
}

func (p *publisher) change(connector string, f func(*news)) {
	p.mu.Lock()
	n := p.waiting[connector]
	if n == nil {
		n = &news{statuses: make(map[int]offsets.Status)}
		p.waiting[connector] = n
	}
	f(n)
	p.mu.Unlock()
	select {
	case p.kick <- struct{}{}:
	default:
	}
}

// run passes on what there is, until ctx is done and then once more.
func (p *publisher) run(ctx context.Context) {
	for {
		select {
		case <-p.kick:
			p.flush(context.WithoutCancel(ctx))
		case <-ctx.Done():
			p.flush(context.WithoutCancel(ctx))
			return
		}
	}
}

// flush gives up at the first call that the store does not answer: the others
// would wait as long, and everything is said again soon.
func (p *publisher) flush(ctx context.Context) {
	p.mu.Lock()
	waiting := p.waiting
	p.waiting = make(map[string]*news)
	p.mu.Unlock()
	for connector, n := range waiting {
		if err := p.say(ctx, connector, n); err != nil {
			p.logger.Debug("statuses not published, they are said again", "connector", connector, "error", err)
			return
		}
	}
}

func (p *publisher) say(ctx context.Context, connector string, n *news) error {
	ctx, cancel := context.WithTimeout(ctx, publishPatience)
	defer cancel()
	if n.withdraw {
		if err := p.store.Withdraw(ctx, connector, n.from); err != nil {
			return err
		}
	}
	for _, s := range n.statuses {
		if err := p.store.Publish(ctx, s, p.ttl); err != nil {
			return err
		}
	}
	return nil
}
