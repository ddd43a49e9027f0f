package omstest

import (
	"slices"

	"github.com/omconnect/omconnect/oms"
)

func checkGroups(b *bench) {
	topic, group := b.topic(1), b.name("group")
	topics := []string{topic}
	admin, err := b.open().Groups()
	b.ok("find groups", err)
	latest := oms.Start{From: oms.StartLatest}
	b.ok("make a group", admin.EnsureGroup(b.ctx, group, topics, latest))
	p := b.producer()
	b.send(p, numbered(topic, 0, 3)...)
	b.ok("make it again", admin.EnsureGroup(b.ctx, group, topics, latest))
	m := b.member(group, topic)
	b.same("what was sent since the group was made", bodies(m.take(3)), numbers(0, 3))
	b.hasMembers(admin, group, topic, 1)
	other := b.member(group, topic)
	b.hasMembers(admin, group, topic, 2)
	other.leave()
	b.hasMembers(admin, group, topic, 1)
	b.ok("flush", m.Flush(b.ctx))
	m.leave()
	b.hasMembers(admin, group, topic, 0)

	b.send(p, numbered(topic, 3, 5)...)
	b.deleteGroup(admin, group, topic)
	b.ok("make the group anew, from what comes", admin.EnsureGroup(b.ctx, group, topics, latest))
	b.send(p, numbered(topic, 5, 6)...)
	m = b.member(group, topic)
	b.same("what was sent since the group was made anew", bodies(m.take(1)), numbers(5, 6))
	m.none("though the group had got all")
	m.leave()
	if b.caps.Has(oms.Backlog) {
		b.deleteGroup(admin, group, topic)
		b.ok("make the group anew, from the first message", admin.EnsureGroup(b.ctx, group, topics, oms.Start{}))
		m = b.member(group, topic)
		b.same("what there is since the first message", bodies(m.take(6)), numbers(0, 6))
		m.leave()
	}
	b.deleteGroup(admin, group, topic)
}

// deleteGroup deletes a group that everybody has left, which the broker may
// need a moment to notice.
func (b *bench) deleteGroup(admin oms.GroupAdmin, group, topic string) {
	b.until("deleting a group without members", func() (bool, error) {
		err := admin.DeleteGroup(b.ctx, group, []string{topic})
		return err == nil, err
	})
}

// hasMembers fails unless the group comes to have n members with names of
// their own.
func (b *bench) hasMembers(admin oms.GroupAdmin, group, topic string, n int) {
	var names []string
	b.until("listing the members of a group", func() (bool, error) {
		var err error
		names, err = admin.Members(b.ctx, group, []string{topic})
		if n == 0 && oms.CodeOf(err) == oms.ErrNotFound {
			return true, nil
		}
		return len(names) == n, err
	})
	slices.Sort(names)
	if distinct := slices.Compact(slices.Clone(names)); len(distinct) != len(names) || slices.Contains(names, "") {
		b.fail("members have no names of their own: %q", names)
	}
}
