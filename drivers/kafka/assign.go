package kafka

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/IBM/sarama"

	"github.com/omconnect/omconnect/oms"
)

// assignComing takes what the group gives to the receiver and it does not have
// yet.
func (m *membership) assignComing(ctx context.Context) {
	m.mu.Lock()
	var coming []oms.Partition
	for p := range m.target {
		if m.claims[p] == nil {
			coming = append(coming, p)
		}
	}
	m.mu.Unlock()
	if len(coming) == 0 || time.Now().Before(m.again) || ctx.Err() != nil {
		return
	}
	slices.SortFunc(coming, comparePartitions)
	ctx, cancel := context.WithTimeout(ctx, m.conn.options.rebalance)
	defer cancel()
	err := m.assign(ctx, coming)
	if err == nil {
		m.again, m.backoff = time.Time{}, 0
		return
	}
	m.backoff = min(max(2*m.backoff, joinFirst), joinMost)
	m.again = time.Now().Add(m.backoff)
}

// assign finds where to begin, and lets messages flow.
func (m *membership) assign(ctx context.Context, ps []oms.Partition) error {
	stored, begin, err := m.begin(ctx, ps)
	if err != nil {
		m.complain(classify("find the positions of", m.cfg.Group, err))
		return err
	}
	m.mu.Lock()
	claims := make([]*claim, 0, len(ps))
	for _, p := range ps {
		c := &claim{id: p, receiver: m.receiver, live: true, generation: m.newGeneration(), next: begin[p], committed: -1}
		if at, ok := stored[p]; ok {
			c.committed = at
		}
		m.claims[p] = c
		claims = append(claims, c)
	}
	m.reorder()
	m.mu.Unlock()
	var from map[oms.Partition]int64
	if m.cfg.OnAssigned != nil {
		from, err = m.cfg.OnAssigned(ctx, ps)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range claims {
		switch {
		case !c.live: // it was lost meanwhile
		case err != nil:
			c.committed = c.position() // nothing was acknowledged
			c.release()
		default:
			if at, ok := from[c.id]; ok {
				c.moveTo(max(at, 0))
			}
			m.begun[c.id] = true
			c.active = true
			c.start() //nolint:contextcheck // what flows outlives the assignment
		}
	}
	if err != nil {
		m.failure = err
		signal(m.data)
	}
	return err
}

// begin returns where the group stands in partitions, and where it begins in
// those where it has no position: at its start, or at the first message of a
// partition or topic that is younger than the group.
func (m *membership) begin(ctx context.Context, ps []oms.Partition) (stored, begin map[oms.Partition]int64, err error) {
	all, err := m.conn.positions(ctx, m.cfg.Group, nil)
	if err != nil {
		return nil, nil, err
	}
	stored, begin = make(map[oms.Partition]int64), make(map[oms.Partition]int64)
	m.mu.Lock()
	for _, t := range m.renewed {
		m.reborn[t] = true
		maps.DeleteFunc(m.begun, func(p oms.Partition, _ bool) bool { return p.Topic == t })
	}
	m.renewed = nil
	m.mu.Unlock()
	older := make(map[string]bool)
	for p := range all {
		older[p.Topic] = true
	}
	var atStart, atFirst []oms.Partition
	for _, p := range ps {
		at, ok := all[p]
		anew := m.reborn[p.Topic] && !m.begun[p]
		switch {
		case ok && !anew:
			stored[p], begin[p] = at, at
		case !older[p.Topic] && m.settled[p.Topic] && !anew:
			atStart = append(atStart, p)
		default:
			atFirst = append(atFirst, p)
		}
	}
	for _, some := range []struct {
		ps []oms.Partition
		at int64
	}{{atStart, timestamp(m.cfg.Start)}, {atFirst, sarama.OffsetOldest}} {
		if len(some.ps) == 0 {
			continue
		}
		offsets, err := m.conn.offsetsOf(ctx, some.ps, some.at)
		if err != nil {
			return nil, nil, err
		}
		maps.Copy(begin, offsets)
	}
	return stored, begin, nil
}

func partitionsOf(claims []*claim) []oms.Partition {
	ps := make([]oms.Partition, len(claims))
	for i, c := range claims {
		ps[i] = c.id
	}
	return ps
}
