package omstest

import (
	"context"
	"fmt"
	"slices"

	"github.com/omconnect/omconnect/oms"
)

var adminRules = []Rule{
	{ID: "U01", Sentence: "An operation that is not claimed returns ErrUnsupported, also where the driver has it; what is claimed is there.", check: checkOperations},
	{ID: "U02", Sentence: "A message that needs what is not claimed is ErrUnsupported, and nothing of its batch is sent.", check: checkFeatures},
	{
		ID: "X01", Sentence: "Topics are made once and as asked for, listed, and deleted with what they hold.",
		Needs: []oms.Capability{oms.CreateTopic}, check: checkTopics,
	},
	{
		ID: "X02", Sentence: "A transaction is stored as a whole and in order or not at all, and a later owner of its id fences the earlier.",
		Needs: []oms.Capability{oms.Transactions}, check: checkTransactions,
	},
	{
		ID: "X05", Sentence: "Groups are made once, their members are listed while they live, and a group that was deleted begins anew.",
		Needs: []oms.Capability{oms.ManageGroups}, check: checkGroups,
	},
	{
		ID: "X06", Sentence: "A half message arrives once it is committed and never when it is rolled back; check is asked about one without a verdict, also after its sender has gone.",
		Needs: []oms.Capability{oms.HalfMessages}, check: checkHalfMessages,
	},
	{
		ID: "X07", Sentence: "Transactions go on after a restart of the broker, and each of those before is there as a whole or not at all.",
		Needs: []oms.Capability{oms.Transactions}, Faults: []Fault{Restart}, check: checkTransactionsRestart,
	},
	{
		ID: "X08", Sentence: "A member that is another program's is told apart, by a name that leads to it, as long as it is there; the driver's own members are not.",
		Needs: []oms.Capability{oms.ManageGroups, oms.ForeignMembers}, needs: needsStranger, check: checkForeignMembers,
	},
}

// checkTopics is for brokers, too, whose list of topics lags behind.
func checkTopics(b *bench) {
	admin, ok := b.raw().(oms.TopicAdmin)
	if !ok {
		b.fail("%s is claimed, and the connection has no TopicAdmin", oms.CreateTopic)
	}
	name, other := b.name("topic"), b.name("Topic.with_all-kinds")
	spec := oms.TopicSpec{Name: name, Partitions: b.partitions(3)}
	b.unlisted(name)
	b.ok("create a topic", admin.CreateTopic(b.ctx, spec))
	b.cleanTopic(b.open(), name)
	b.ok("create another", admin.CreateTopic(b.ctx, oms.TopicSpec{Name: other}))
	b.cleanTopic(b.open(), other)
	b.listed(spec)
	b.refused("create a topic that is there", admin.CreateTopic(b.ctx, spec), oms.ErrExists)
	wider := oms.TopicSpec{Name: name, Partitions: b.partitions(5)}
	b.refused("create it with more partitions", admin.CreateTopic(b.ctx, wider), oms.ErrExists)
	b.ok("ensure it with more partitions", b.open().EnsureTopic(b.ctx, wider))
	b.listed(spec)
	b.listed(oms.TopicSpec{Name: other, Partitions: -1})
	for _, bad := range []string{"", ".", "..", "two words", "line\nbreak", string(pattern(250)[33:])} {
		b.refused(fmt.Sprintf("ensure a topic named %q", bad), b.open().EnsureTopic(b.ctx, oms.TopicSpec{Name: bad}), oms.ErrInvalid)
	}
	if b.caps.Has(oms.DeleteTopic) {
		b.deletes(admin, spec)
	}
}

// deletes checks that deleting a topic takes what it holds along.
func (b *bench) deletes(admin oms.TopicAdmin, spec oms.TopicSpec) {
	p := b.producer()
	if !b.caps.Has(oms.Backlog) { // then a message needs a group to be held for
		b.group(spec.Name)
	}
	b.send(p, numbered(spec.Name, 0, 5)...)
	b.ok("delete a topic", admin.DeleteTopic(b.ctx, spec.Name))
	b.unlisted(spec.Name)
	b.refused("delete a topic that is not there", admin.DeleteTopic(b.ctx, spec.Name), oms.ErrNotFound)
	b.until("a missing topic to be noticed by a producer that knew it", func() (bool, error) {
		err := b.outcome(b.start(p.SendAsync, numbered(spec.Name, 5, 6)...))
		if oms.CodeOf(err) == oms.ErrNotFound {
			return true, nil
		}
		return false, err
	})
	b.until("making the topic anew", func() (bool, error) {
		err := admin.CreateTopic(b.ctx, oms.TopicSpec{Name: spec.Name, Partitions: 1})
		return err == nil, err
	})
	m := b.reader(spec.Name)
	b.until("sending to the new topic", func() (bool, error) {
		err := b.outcome(b.start(p.SendAsync, numbered(spec.Name, 6, 7)...))
		return err == nil, err
	})
	b.same("what the new topic holds", m.rest(p.SendAsync, spec.Name), numbers(6, 7))
}

// listed fails unless the topic is listed, with its partitions where they are
// not negative.
func (b *bench) listed(spec oms.TopicSpec) {
	b.until("listing a topic that is there", func() (bool, error) {
		info, ok, err := b.find(spec.Name)
		if ok && spec.Partitions >= 0 && b.caps.Has(oms.Partitioned) && info.Partitions != spec.Partitions {
			b.fail("the topic has %d partitions, it was made with %d", info.Partitions, spec.Partitions)
		}
		return ok, err
	})
}

func (b *bench) unlisted(name string) {
	b.until("leaving a topic that is not there out of the list", func() (bool, error) {
		_, ok, err := b.find(name)
		return !ok, err
	})
}

func (b *bench) find(name string) (info oms.TopicInfo, ok bool, err error) {
	infos, err := b.open().Topics(b.ctx)
	i := slices.IndexFunc(infos, func(i oms.TopicInfo) bool { return i.Name == name })
	if i < 0 {
		return info, false, err
	}
	return infos[i], true, err
}

// given is a driver whose connection is there already.
type given struct {
	oms.Driver
	conn oms.Conn
}

// Open implements oms.Driver.
func (g given) Open(context.Context, oms.AccessPoint) (oms.Conn, error) { return g.conn, nil }
