package mem_test

import (
	"slices"
	"testing"
	"time"

	"github.com/omconnect/omconnect/drivers/mem"
	"github.com/omconnect/omconnect/oms"
)

func TestTopicsAreMadeListedAndDeleted(t *testing.T) {
	bubble(t, mem.Options{Partitions: 2}, func(b *bench) {
		b.topic("b", 3)
		b.topic("a", 0)
		b.wantError(b.admin().CreateTopic(b.Context(), oms.TopicSpec{Name: "b", Partitions: 9}), oms.ErrExists)
		b.wantError(b.admin().CreateTopic(b.Context(), oms.TopicSpec{Name: "c", Partitions: -1}), oms.ErrInvalid)
		topics, err := b.admin().Topics(b.Context())
		b.noError(err)
		if want := []oms.TopicInfo{{Name: "a", Partitions: 2}, {Name: "b", Partitions: 3}}; !slices.Equal(topics, want) {
			b.Errorf("topics are %v, want %v", topics, want)
		}
		b.noError(b.admin().DeleteTopic(b.Context(), "a"))
		b.wantError(b.admin().DeleteTopic(b.Context(), "a"), oms.ErrNotFound)
		b.wantError(b.admin().DeleteTopic(b.Context(), ""), oms.ErrInvalid)
	})
}

func TestATopicDeletedUnderAReceiverComesBackWhenItIsMadeAgain(t *testing.T) {
	bubble(t, mem.Options{}, func(b *bench) {
		b.topic("t", 1)
		b.send(numbered("t", 2)...)
		m := b.join("g", "t")
		old := b.receive(m)
		b.noError(b.admin().DeleteTopic(b.Context(), "t"))
		b.wantEvents(m, "+[t/0]", "-[t/0]")
		b.wantError(m.Ack(b.Context(), old), oms.ErrStaleDelivery)
		lag, err := b.conn.(oms.LagReporter).Lag(b.Context(), "g", []string{"t"})
		b.noError(err)
		if len(lag) != 0 {
			b.Errorf("lag of a topic that is not there is %v, want none", lag)
		}
		b.topic("t", 2)
		b.wantEvents(m, "+[t/0 t/1]")
		b.send(text("t", "new"))
		b.wantBodies(b.receive(m), "new")
	})
}

func TestEnsureGroupMakesMissingTopics(t *testing.T) {
	bubble(t, mem.Options{Partitions: 3}, func(b *bench) {
		for range 2 {
			b.noError(b.groups().EnsureGroup(b.Context(), "g", []string{"t", "u"}, oms.Start{}))
		}
		topics, err := b.admin().Topics(b.Context())
		b.noError(err)
		if want := []oms.TopicInfo{{Name: "t", Partitions: 3}, {Name: "u", Partitions: 3}}; !slices.Equal(topics, want) {
			b.Errorf("topics are %v, want %v", topics, want)
		}
	})
}

func TestADeletedGroupBeginsAnew(t *testing.T) {
	bubble(t, mem.Options{}, func(b *bench) {
		b.topic("t", 1)
		b.send(text("t", "x"))
		r := b.reader("t", "g")
		b.noError(r.Ack(b.Context(), b.receive(r)))
		b.wantError(b.groups().DeleteGroup(b.Context(), "g", []string{"t"}), oms.ErrBusy)
		b.noError(r.Close(b.Context()))
		b.wantLag("g", "t", 0)
		b.noError(b.groups().DeleteGroup(b.Context(), "g", []string{"t"}))
		b.wantError(b.groups().DeleteGroup(b.Context(), "g", []string{"t"}), oms.ErrNotFound)
		b.wantLag("g", "t", 1)
		b.wantBodies(b.receive(b.reader("t", "g")), "x")
	})
}

func TestMembersAreThoseThatLive(t *testing.T) {
	bubble(t, mem.Options{}, func(b *bench) {
		b.topic("t", 1)
		b.topic("u", 1)
		members := func(topic string) int {
			members, err := b.groups().Members(b.Context(), "g", []string{topic})
			b.noError(err)
			names := make(map[string]bool)
			for _, m := range members {
				names[m.Name] = true
				if m.Foreign {
					b.Errorf("the member %s is foreign", m.Name)
				}
			}
			return len(names)
		}
		_, err := b.groups().Members(b.Context(), "g", []string{"t"})
		b.wantError(err, oms.ErrNotFound)
		one := b.reader("t", "g")
		b.reader("t", "g")
		b.reader("u", "g")
		if members("t") != 2 || members("u") != 1 {
			b.Errorf("%d members read t and %d u, want 2 and 1", members("t"), members("u"))
		}
		b.noError(one.Close(b.Context()))
		if members("t") != 1 {
			b.Errorf("%d members read t after one has left, want 1", members("t"))
		}
	})
}

func TestLagCountsWhatIsOut(t *testing.T) {
	bubble(t, mem.Options{}, func(b *bench) {
		b.topic("t", 2)
		b.send(numbered("t", 6)...)
		b.wantLag("nobody", "t", 6)
		r := b.reader("t", "g")
		b.wantLag("g", "t", 6)
		msgs := b.receive(r)
		b.wantLag("g", "t", 6)
		b.noError(r.Ack(b.Context(), msgs[1:3]))
		b.wantLag("g", "t", 4)
		b.noError(r.(oms.Nacker).Nack(b.Context(), msgs[3:4]))
		b.wantLag("g", "t", 4)
		delayed := text("t", "later")
		delayed.Delay = time.Hour
		b.send(delayed)
		b.wantLag("g", "t", 5)
		b.wantLag("nobody", "t", 7)
	})
}

func TestWhatMakesNoSenseIsInvalid(t *testing.T) {
	bubble(t, mem.Options{}, func(b *bench) {
		b.topic("t", 1)
		receive := func(cfg oms.ReceiverConfig) error {
			_, err := b.conn.OpenReceiver(b.Context(), cfg)
			return err
		}
		ctx, some := b.Context(), []string{"t"}
		lag := func(group string, topics []string) error {
			_, err := b.conn.(oms.LagReporter).Lag(ctx, group, topics)
			return err
		}
		for name, err := range map[string]error{
			"receive from no topic":       receive(oms.ReceiverConfig{Group: "g"}),
			"receive from a reserved":     receive(oms.ReceiverConfig{Group: "g", Topics: []string{"t", "$x"}}),
			"receive as nobody":           receive(oms.ReceiverConfig{Topics: some}),
			"start at no time":            receive(oms.ReceiverConfig{Group: "g", Topics: some, Start: oms.Start{From: oms.StartAtTime}}),
			"start nowhere":               receive(oms.ReceiverConfig{Group: "g", Topics: some, Start: oms.Start{From: 9}}),
			"ensure without topics":       b.groups().EnsureGroup(ctx, "g", nil, oms.Start{}),
			"ensure with a strange start": b.groups().EnsureGroup(ctx, "g", some, oms.Start{From: -1}),
			"delete without topics":       b.groups().DeleteGroup(ctx, "g", nil),
			"delete nobody":               b.groups().DeleteGroup(ctx, "", some),
			"lag without topics":          lag("g", nil),
			"lag of nobody":               lag("", some),
		} {
			if oms.CodeOf(err) != oms.ErrInvalid {
				b.Errorf("%s: error is %v, want %v", name, err, oms.ErrInvalid)
			}
		}
	})
}
