package omstest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/omconnect/omconnect/oms"
)

// A seat is a member that remembers what its callbacks were told.
type seat struct {
	*member

	mu       sync.Mutex
	has      map[oms.Partition]bool
	had      map[oms.Partition]bool // at any time
	changes  int                    // calls of OnAssigned and OnRevoked
	gaps     []oms.Gap
	onRevoke func(context.Context, []oms.Partition)
}

// seat joins a group with the rule's client.
func (b *bench) seat(group string, topics ...string) *seat {
	return b.seatOf(b.open(), oms.ReceiverConfig{Group: group, Topics: topics})
}

func (b *bench) seatOf(c *oms.Client, cfg oms.ReceiverConfig) *seat {
	s := new(seat)
	s.member = b.memberOf(c, s.watch(cfg))
	return s
}

// watch returns cfg with callbacks that s remembers.
func (s *seat) watch(cfg oms.ReceiverConfig) oms.ReceiverConfig {
	s.has, s.had = make(map[oms.Partition]bool), make(map[oms.Partition]bool)
	cfg.OnAssigned = func(_ context.Context, ps []oms.Partition) (map[oms.Partition]int64, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.changes++
		for _, p := range ps {
			s.has[p], s.had[p] = true, true
		}
		return nil, nil
	}
	cfg.OnRevoked = func(ctx context.Context, ps []oms.Partition) {
		s.mu.Lock()
		f := s.onRevoke
		s.mu.Unlock()
		if f != nil {
			f(ctx, ps)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.changes++
		for _, p := range ps {
			delete(s.has, p)
		}
	}
	cfg.OnGap = func(g oms.Gap) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.gaps = append(s.gaps, g)
	}
	return cfg
}

// beforeRevoked has f called by OnRevoked.
func (s *seat) beforeRevoked(f func(context.Context, []oms.Partition)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.onRevoke = f
}

// owned returns the partitions that the seat has.
func (s *seat) owned() map[oms.Partition]bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.has)
}

// everOwned reports whether the seat was ever told of the partition.
func (s *seat) everOwned(p oms.Partition) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.had[p]
}

// toldOf returns the gaps that the seat was told of.
func (s *seat) toldOf() []oms.Gap {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.gaps)
}

// awaitPartitions waits until the seat has n partitions.
func (s *seat) awaitPartitions(n int) {
	s.b.until(fmt.Sprintf("a member that has %d partitions", n), func() (bool, error) {
		if has := s.owned(); len(has) != n {
			return false, fmt.Errorf("it has %d", len(has))
		}
		return true, nil
	})
}

// seated waits until the seats share n partitions and each has one at least.
// Where there are no partitions it waits until all are members of the group.
func (b *bench) seated(n int, group string, topics []string, seats ...*seat) {
	b.until("a group that is at rest", func() (bool, error) {
		if !b.caps.Has(oms.Partitioned) {
			return b.joined(len(seats), group, topics)
		}
		owners, sum := make(map[oms.Partition]bool), 0
		for i, s := range seats {
			has := s.owned()
			if len(has) == 0 {
				return false, fmt.Errorf("member %d of %d has no partition", i, len(seats))
			}
			sum += len(has)
			maps.Copy(owners, has)
		}
		if len(owners) != n || sum != n {
			return false, fmt.Errorf("%d members have %d of %d partitions, %d of them more than once", len(seats), len(owners), n, sum-len(owners))
		}
		return true, nil
	})
}

func (b *bench) joined(n int, group string, topics []string) (bool, error) {
	if !b.caps.Has(oms.ManageGroups) {
		return true, nil
	}
	groups, err := b.open().Groups()
	if err != nil {
		return false, err
	}
	names, err := groups.Members(b.ctx, group, topics)
	return len(names) == n, err
}

// changed returns how often any of the seats was told of a change.
func changed(seats []*seat) int {
	n := 0
	for _, s := range seats {
		s.mu.Lock()
		n += s.changes
		s.mu.Unlock()
	}
	return n
}

// members returns what is common to seats and other members.
func members(seats ...*seat) []*member {
	ms := make([]*member, len(seats))
	for i, s := range seats {
		ms[i] = s.member
	}
	return ms
}
