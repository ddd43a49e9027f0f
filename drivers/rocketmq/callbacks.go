package rocketmq

import "context"

// call makes a callback, with as much time as one has.
func (r *receiver) call(ctx context.Context, f func(context.Context)) {
	ctx, cancel := context.WithTimeout(ctx, callWait)
	defer cancel()
	f(ctx)
}

// tellLost tells OnRevoked of partitions that were lost without warning.
func (r *receiver) tellLost(ctx context.Context) {
	r.dropLost()
	r.mu.Lock()
	lost := r.lost
	r.lost = nil
	r.mu.Unlock()
	if len(lost) > 0 && r.cfg.OnRevoked != nil {
		r.call(ctx, func(ctx context.Context) { r.cfg.OnRevoked(ctx, lost) })
	}
}

// tellGaps tells of gaps; messages behind them are received only then.
func (r *receiver) tellGaps() {
	r.mu.Lock()
	all := r.sorted()
	r.mu.Unlock()
	for _, p := range all {
		r.mu.Lock()
		gap := p.gap
		r.mu.Unlock()
		if gap == nil {
			continue
		}
		if r.cfg.OnGap != nil {
			r.cfg.OnGap(*gap)
		}
		r.mu.Lock()
		if p.gap == gap {
			p.gap = nil
		}
		r.mu.Unlock()
		signal(p.kick)
	}
}
