package rocketmq

import (
	"context"
	"maps"
	"slices"

	"github.com/omconnect/omconnect/oms"
)

// claim takes the partitions that are wanted and not held. It reports whether
// all are held now.
func (r *receiver) claim(ctx context.Context, routes []*route, wanted map[oms.Partition]queue) (all bool, err error) {
	missing, err := r.missing(ctx, routes, wanted)
	if err != nil || len(missing) == 0 {
		return err == nil, err
	}
	var got []*part
	for session, some := range bySession(missing) {
		locked, err := r.lock(ctx, session, some)
		if err != nil {
			r.unlock(ctx, got)
			return false, err
		}
		got = append(got, locked...)
	}
	if len(got) == 0 {
		return false, nil
	}
	slices.SortFunc(got, func(a, b *part) int { return a.id.Number - b.id.Number })
	if err := r.assign(ctx, got); err != nil {
		r.mu.Lock()
		for _, p := range got {
			if p.told {
				r.lost = append(r.lost, p.id)
			}
		}
		r.mu.Unlock()
		r.remove(got)
		r.unlock(context.WithoutCancel(ctx), got)
		return false, err
	}
	return len(got) == len(missing), nil
}

// missing makes parts for what is wanted and not held.
func (r *receiver) missing(ctx context.Context, routes []*route, wanted map[oms.Partition]queue) ([]*part, error) {
	byTopic := make(map[string]*route)
	for _, found := range routes {
		byTopic[found.topic] = found
	}
	var all []*part
	for id, q := range wanted {
		r.mu.Lock()
		_, held := r.parts[id]
		r.mu.Unlock()
		if held {
			continue
		}
		address, err := byTopic[id.Topic].address(q)
		if err != nil {
			continue // its broker is away; the others go on
		}
		session, err := r.peers.to(ctx, address)
		if err != nil {
			return nil, advertised(address, err)
		}
		if r.greeted[address] != session {
			signal(r.work) // the connection was lost meanwhile: join again first
			continue
		}
		all = append(all, &part{
			id: id, native: byTopic[id.Topic].native, queue: q, peer: session, kick: make(chan struct{}, 1), over: make(chan struct{}), committed: -1,
		})
	}
	return all, nil
}

// assign asks where to start and lets messages flow. Until it has returned,
// keep renews the locks.
func (r *receiver) assign(ctx context.Context, ps []*part) error {
	r.mu.Lock()
	for _, p := range ps {
		r.parts[p.id] = p
	}
	r.mu.Unlock()
	var from map[oms.Partition]int64
	var err error
	if r.cfg.OnAssigned != nil {
		r.call(ctx, func(ctx context.Context) { from, err = r.cfg.OnAssigned(ctx, ids(ps)) })
	}
	if err != nil {
		return err
	}
	r.mu.Lock()
	for _, p := range ps {
		p.told = true // and OnRevoked is, should they be lost now
	}
	r.mu.Unlock()
	starts := maps.Clone(from)
	if starts == nil {
		starts = make(map[oms.Partition]int64)
	}
	for _, p := range ps {
		if starts[p.id], err = r.begin(ctx, p, from); err != nil {
			return err
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range ps {
		if r.parts[p.id] != p || !p.peer.alive() {
			continue // lost meanwhile, and dropLost sees to it
		}
		p.next, p.begun, p.active = starts[p.id], true, true
		r.tasks.Go(func() { r.pull(ctx, p) })
	}
	return nil
}

// begin is the offset at which a partition is read: the one that OnAssigned
// names, the group's position, or where a new group begins, which is made its
// position at once: the first member may end before it has acknowledged
// anything.
func (r *receiver) begin(ctx context.Context, p *part, from map[oms.Partition]int64) (int64, error) {
	c := r.conn
	found, err := c.routes.of(ctx, p.id.Topic)
	if err != nil {
		return 0, err
	}
	if offset, ok := from[p.id]; ok {
		if offset < 0 {
			offset, _, err = c.bounds(ctx, found, p.queue)
		}
		return offset, err
	}
	offset, ok, err := c.position(ctx, r.cfg.Group, found, p.queue)
	if ok || err != nil {
		p.committed = offset
		return offset, err
	}
	start := r.cfg.Start
	r.mu.Lock()
	late := r.late[p.id.Topic]
	r.mu.Unlock()
	if late { // everything in it came after the group did
		start = oms.Start{From: oms.StartEarliest}
	}
	if offset, err = c.startOffset(ctx, found, p.queue, start); err != nil {
		return 0, err
	}
	p.committed = offset
	return offset, c.setPosition(ctx, r.cfg.Group, found, p.queue, offset)
}
