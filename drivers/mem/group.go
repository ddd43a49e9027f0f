package mem

import (
	"cmp"
	"slices"

	"github.com/omconnect/omconnect/oms"
)

// A group is a set of positions, and the members that share the partitions.
// The broker's mutex guards it.
type group struct {
	topics  map[string]bool // what it reads, whether it exists or not
	cursors map[oms.Partition]*cursor
	members []*receiver // in the order they joined
}

func (g *group) addCursors(topic string, logs []*partition, start oms.Start) {
	for n, p := range logs {
		id := oms.Partition{Topic: topic, Number: n}
		at := p.offsetOf(start)
		g.cursors[id] = &cursor{
			id: id, log: p, pos: at, next: at,
			held: make(map[int64]delivery), deliveries: make(map[int64]int),
		}
	}
}

// sorted returns the cursors in one and the same order every time.
func (g *group) sorted() []*cursor {
	cs := make([]*cursor, 0, len(g.cursors))
	for _, c := range g.cursors {
		cs = append(cs, c)
	}
	slices.SortFunc(cs, func(a, b *cursor) int {
		return cmp.Or(cmp.Compare(a.id.Topic, b.id.Topic), cmp.Compare(a.id.Number, b.id.Number))
	})
	return cs
}

// rebalance says anew who is to read what, and leaves it to the members to
// bring that about. A partition stays where it is unless its reader is gone,
// or has at least two more than another who could take it.
func (g *group) rebalance() {
	cs := g.sorted()
	load := make(map[*receiver]int, len(g.members))
	for _, c := range cs {
		if c.target != nil && !slices.Contains(g.members, c.target) {
			c.target = nil
		}
		load[c.target]++
	}
	for _, c := range cs {
		if c.target == nil {
			c.target = g.idlest(c, load)
			load[c.target]++
		}
	}
	for moved := true; moved; {
		moved = false
		for _, c := range slices.Backward(cs) {
			if to := g.idlest(c, load); to != nil && load[c.target] >= load[to]+2 {
				load[c.target]--
				load[to]++
				c.target, moved = to, true
			}
		}
	}
	for _, r := range g.members {
		signal(r.work)
		signal(r.data)
	}
}

// idlest returns the member with the fewest partitions of those that may read
// c, or nil when there is none.
func (g *group) idlest(c *cursor, load map[*receiver]int) *receiver {
	var best *receiver
	for _, r := range g.members {
		if slices.Contains(r.topics, c.id.Topic) && (best == nil || load[r] < load[best]) {
			best = r
		}
	}
	return best
}

// readers returns the members that read one of the topics.
func (g *group) readers(topics []string) []oms.Member {
	members := make([]oms.Member, 0, len(g.members))
	for _, r := range g.members {
		if slices.ContainsFunc(r.topics, func(t string) bool { return slices.Contains(topics, t) }) {
			members = append(members, oms.Member{Name: r.name, Foreign: r.foreign})
		}
	}
	return members
}
