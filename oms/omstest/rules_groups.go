package omstest

import (
	"context"
	"fmt"
	"slices"
	"strings"

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
	var own, foreign []string
	b.until("listing the members of a group", func() (bool, error) {
		var err error
		own, foreign, err = b.listMembers(admin, group, topic)
		return len(own)+len(foreign) == n, err
	})
	if len(foreign) > 0 {
		b.fail("the driver's own members %q are foreign to it", foreign)
	}
	distinct(b, own)
}

// distinct fails unless members have names of their own.
func distinct(b *bench, names []string) {
	sorted := slices.Sorted(slices.Values(names))
	if len(slices.Compact(slices.Clone(sorted))) != len(names) || slices.Contains(names, "") {
		b.fail("members have no names of their own: %q", sorted)
	}
}

// listMembers returns the names of a group's members. A group that is not
// there has none.
func (b *bench) listMembers(admin oms.GroupAdmin, group, topic string) (own, foreign []string, err error) {
	members, err := admin.Members(b.ctx, group, []string{topic})
	if oms.CodeOf(err) == oms.ErrNotFound {
		return nil, nil, nil
	}
	for _, m := range members {
		if m.Foreign {
			foreign = append(foreign, m.Name)
		} else {
			own = append(own, m.Name)
		}
	}
	return own, foreign, err
}

func needsStranger(h *Harness) string {
	if h.Stranger == nil {
		return "the harness has no way to have another program in a group"
	}
	return ""
}

// checkForeignMembers has another program in a group, and when it has left
// members of the driver that have other connections than whoever asks. Both
// together are not asked for: a broker that only counts consumers cannot tell.
func checkForeignMembers(b *bench) {
	topic := b.topic(2)
	group := b.group(topic)
	admin, err := b.open().Groups()
	b.ok("find groups", err)
	var own, foreign []string
	has := func(what string, owned, strange int) {
		b.until(what, func() (bool, error) {
			var err error
			own, foreign, err = b.listMembers(admin, group, topic)
			if owned > 0 && len(foreign) > 0 {
				b.fail("the driver's own member %q is foreign to it when it comes", foreign)
			}
			if err == nil && (len(own) != owned || len(foreign) != strange) {
				err = fmt.Errorf("its members are %q, foreign ones %q", own, foreign)
			}
			return err == nil, err
		})
		distinct(b, slices.Concat(own, foreign))
	}
	has("a group without members", 0, 0)
	hint, leave, err := b.h.Stranger(b.ctx, group, topic)
	b.ok("have another program join", err)
	gone := false
	b.onClose(func(ctx context.Context) error {
		if gone {
			return nil
		}
		return leave(ctx)
	})
	has("a member that is another program's", 0, 1)
	if !strings.Contains(foreign[0], hint) {
		b.fail("the foreign member %q has nothing of %q in its name, by which its user would find it", foreign[0], hint)
	}
	names, err := b.open().ForeignMembers(b.ctx, group, []string{topic})
	b.ok("list foreign members", err)
	b.same("the foreign members", names, foreign)
	b.ok("have it leave", leave(b.ctx))
	gone = true
	has("a group that the other program has left", 0, 0)

	for n := range 3 {
		b.memberOf(b.another(), oms.ReceiverConfig{Group: group, Topics: []string{topic}})
		has("members of the driver's own", n+1, 0)
	}
}
