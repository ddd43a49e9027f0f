package mem

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/omconnect/omconnect/oms"
)

var errNotAssigned = errors.New("the partition is not assigned to this receiver")

// Back-off of OnAssigned.
const (
	assignFirst = 100 * time.Millisecond
	assignMost  = 5 * time.Second
)

// run brings what the receiver owns to what the group wants it to read, and
// makes every callback, one at a time.
func (r *receiver) run(ctx context.Context) {
	defer close(r.finished)
	for ctx.Err() == nil {
		task, again := r.nextTask()
		if task != nil {
			task(ctx)
			continue
		}
		var retry <-chan time.Time
		if again > 0 {
			retry = time.After(again)
		}
		select {
		case <-r.work:
		case <-retry:
		case <-ctx.Done():
		}
	}
}

// nextTask returns what is to be done next, or after which time to ask again.
// What is going away comes before what is coming.
func (r *receiver) nextTask() (task func(context.Context), again time.Duration) {
	r.broker.mu.Lock()
	defer r.broker.mu.Unlock()
	if r.closed {
		return nil, 0
	}
	if lost := r.lost; len(lost) > 0 {
		r.lost = nil
		return func(ctx context.Context) { r.tellRevoked(ctx, lost) }, 0
	}
	var going []*cursor
	for _, c := range r.owned {
		if c.target != r {
			c.active = false
			going = append(going, c)
		}
	}
	if len(going) > 0 {
		return r.revoke(going), 0
	}
	for _, c := range r.owned {
		if c.gap != nil {
			return r.tellGap(c, *c.gap), 0
		}
	}
	return r.claim()
}

// revoke lets the owner settle what it holds, and then releases it: when
// OnRevoked returns, or when the broker waits no longer.
func (r *receiver) revoke(cs []*cursor) func(context.Context) {
	generations := make([]int64, len(cs))
	for i, c := range cs {
		generations[i] = c.generation
	}
	release := func() {
		r.broker.mu.Lock()
		defer r.broker.mu.Unlock()
		for i, c := range cs {
			if c.owner == r && c.generation == generations[i] {
				c.release()
			}
		}
	}
	return func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, r.broker.opts.RevokeTimeout)
		defer cancel()
		stop := context.AfterFunc(ctx, release)
		r.tellRevoked(ctx, partitions(cs))
		stop()
		release()
	}
}

func (r *receiver) tellRevoked(ctx context.Context, ps []oms.Partition) {
	if r.cfg.OnRevoked != nil {
		r.cfg.OnRevoked(ctx, ps)
	}
}

func (r *receiver) tellGap(c *cursor, gap oms.Gap) func(context.Context) {
	return func(context.Context) {
		if r.cfg.OnGap != nil {
			r.cfg.OnGap(gap)
		}
		r.broker.mu.Lock()
		defer r.broker.mu.Unlock()
		if c.owner == r && c.gap != nil && *c.gap == gap {
			c.gap = nil
			signal(r.data)
		}
	}
}

// claim takes what the receiver is to read and nobody owns.
func (r *receiver) claim() (task func(context.Context), again time.Duration) {
	if r.broker.down != nil {
		return nil, 0
	}
	var coming []*cursor
	for _, c := range r.group.sorted() {
		if c.target == r && c.owner == nil {
			coming = append(coming, c)
		}
	}
	if len(coming) == 0 {
		return nil, 0
	}
	if wait := time.Until(r.assignAt); wait > 0 {
		return nil, wait
	}
	for _, c := range coming {
		c.owner, c.generation = r, r.broker.nextGeneration()
		r.owned = append(r.owned, c)
	}
	return func(ctx context.Context) { r.assign(ctx, coming) }, 0
}

// assign asks where to start and lets messages flow. Partitions that were lost
// meanwhile stay so.
func (r *receiver) assign(ctx context.Context, cs []*cursor) {
	ctx, cancel := context.WithTimeout(ctx, r.broker.opts.RevokeTimeout)
	defer cancel()
	var from map[oms.Partition]int64
	var err error
	if r.cfg.OnAssigned != nil {
		from, err = r.cfg.OnAssigned(ctx, partitions(cs))
	}
	r.broker.mu.Lock()
	defer r.broker.mu.Unlock()
	for _, c := range cs {
		if c.owner != r {
			continue
		}
		if err != nil {
			c.release()
			continue
		}
		if offset, ok := from[c.id]; ok {
			c.moveTo(max(offset, 0))
		}
		c.active = true
	}
	if err != nil {
		r.backoff = min(max(2*r.backoff, assignFirst), assignMost)
		r.assignAt = time.Now().Add(r.backoff)
		r.assignErr = err
	} else {
		r.backoff = 0
	}
	signal(r.data)
}

// leave ends the membership. What is not acknowledged goes to the others.
func (r *receiver) leave() {
	r.broker.mu.Lock()
	defer r.broker.mu.Unlock()
	if r.closed {
		return
	}
	r.closed = true
	close(r.closing)
	g := r.group
	g.members = slices.DeleteFunc(g.members, func(m *receiver) bool { return m == r })
	g.rebalance()
	for _, c := range slices.Clone(r.owned) {
		c.release()
	}
}

func partitions(cs []*cursor) []oms.Partition {
	ps := make([]oms.Partition, len(cs))
	for i, c := range cs {
		ps[i] = c.id
	}
	return ps
}
