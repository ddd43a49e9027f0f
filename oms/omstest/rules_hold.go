package omstest

import (
	"fmt"

	"github.com/omconnect/omconnect/oms"
)

func checkLateAck(b *bench) {
	const partitions, n = 4, 80
	topic := b.topic(partitions)
	group := b.group(topic)
	b.send(b.producer(), b.spread(topic, 0, n)...)
	first := b.seat(group, topic)
	held := first.get(n)
	second := b.seat(group, topic)
	b.seated(partitions, group, []string{topic}, first, second)
	var late []*oms.Message
	for p := range second.owned() {
		late = append(late, of(held, p)...)
	}
	if len(late) > 0 { // keys may leave a partition empty
		b.refused("acknowledge what has gone to another member", first.Ack(b.ctx, late...), oms.ErrStaleDelivery)
	}
	b.ok("flush", first.Flush(b.ctx))
	second.leave()
	first.leave()
	b.left(group, topic, bodies(late))
}

func checkTakenBounds(b *bench) {
	const most, size = 8, 10 << 10
	const mostBytes = 5*size + size/2
	p := b.producer()
	for _, bound := range []struct {
		what string
		cfg  oms.ReceiverConfig
		most int
	}{
		{"messages", oms.ReceiverConfig{MaxUnacked: most}, most},
		{"bytes", oms.ReceiverConfig{MaxUnackedBytes: mostBytes}, mostBytes / size},
	} {
		topic, cfg := b.topic(1), bound.cfg
		cfg.Topics, cfg.Group = []string{topic}, b.group(topic)
		for _, m := range numbered(topic, 0, 30) {
			m.Body = fmt.Appendf(m.Body, " %*d", size, 0)
			b.send(p, m)
		}
		m := b.memberOf(b.open(), cfg)
		held := m.get(1)
		for {
			msgs, err := m.Receive(b.ctx, 100, b.h.quiet())
			b.ok("receive", err)
			if len(msgs) == 0 {
				break
			}
			held = append(held, msgs...)
		}
		if len(held) > bound.most {
			b.fail("%d messages of %d bytes are out, the bound in %s allows %d", len(held), size, bound.what, bound.most)
		}
		m.leave()
		if b.caps.Has(oms.DeliveryCount) { // what only the client library had was delivered, too
			b.deliveredAtMost(cfg.Group, topic, bound.most)
		}
	}
}

// deliveredAtMost fails if more than so many messages of a group are delivered
// for more than the first time.
func (b *bench) deliveredAtMost(group, topic string, most int) {
	m := b.member(group, topic)
	repeated := 0
	for _, msg := range m.take(30) {
		if msg.Deliveries > 1 {
			repeated++
		}
	}
	if repeated > most {
		b.fail("a member had taken %d messages from the broker, its bound allows %d", repeated, most)
	}
	m.leave()
}

func checkReservedHeaders(b *bench) {
	topic, other := b.topic(1), b.topic(1)
	m, bystander := b.reader(topic), b.reader(other)
	p := b.producer()
	n := 0
	for _, name := range b.h.ReservedHeaders {
		for _, value := range []string{"1", "all", other, "one value"} {
			for range 2 { // a value that comes again may mean that the message is a repeat
				msg := numbered(topic, n, n+1)[0]
				msg.Headers = oms.Headers{{Name: "before", Value: []byte("b")}, {Name: name, Value: []byte(value)}, {Name: "after", Value: []byte("a")}}
				b.send(p, msg)
				n++
			}
		}
	}
	b.send(p, &oms.Message{Topic: other, Body: []byte(theEnd)})
	i := 0
	for _, c := range b.reap(reaping{members: []*member{m}, want: numbers(0, n), linger: b.h.quiet()}) {
		name := b.h.ReservedHeaders[i/8]
		value := []string{"1", "all", other, "one value"}[i%8/2]
		if want := numbers(i, i+1)[0]; string(c.msg.Body) != want {
			b.fail("message %q comes where %s is due", c.msg.Body, want)
		}
		if got := c.msg.Headers.Text(name); got != value {
			b.fail("the header %s has the value %q, want %q; all are %q", name, got, value, c.msg.Headers)
		}
		i++
	}
	b.exactly("what comes of another topic", caught(b.reap(reaping{members: []*member{bystander}, want: []string{theEnd}, linger: b.h.quiet()})), []string{theEnd})
}

func checkReservedTopics(b *bench) {
	topic := b.topic(1)
	m := b.reader(topic)
	p, s := b.producer(), b.sender(b.raw(), oms.SenderConfig{})
	for i, name := range b.h.ReservedTopics {
		b.refused("make the reserved topic "+name, b.open().EnsureTopic(b.ctx, oms.TopicSpec{Name: name}), oms.ErrInvalid)
		bad := &oms.Message{Topic: name, Body: []byte("?")}
		for what, send := range map[string]oms.SendFunc{"producer": p.SendAsync, "sender": s.SendAsync} {
			b.refused("send to the reserved topic "+name+" by the "+what, b.outcome(b.start(send, bad)), oms.ErrInvalid)
		}
		err := b.outcome(b.start(p.SendAsync, numbered(topic, 2*i, 2*i+1)[0], bad))
		b.refused("send to the reserved topic "+name+" among others", oms.FailureOf(err, 1), oms.ErrInvalid)
		b.send(p, numbered(topic, 2*i+1, 2*i+2)...)
	}
	n := len(b.h.ReservedTopics)
	var want []string
	for i := range n {
		want = append(want, numbers(2*i+1, 2*i+2)...)
	}
	b.reap(reaping{members: []*member{m}, want: want})
}

func checkGap(b *bench) {
	topic := b.topic(1)
	group, other := b.group(topic), b.reader(topic)
	p := b.producer()
	b.send(p, numbered(topic, 0, 2)...)
	m := b.member(group, topic)
	read := m.take(2)
	m.leave()
	b.send(p, numbered(topic, 2, 10)...)
	all := other.take(10)
	at := all[0].At()
	b.ok("remove messages", b.h.Trim(b.ctx, at, all[6].Offset))
	s := b.seat(group, topic)
	var told []oms.Gap
	b.reap(reaping{
		members: members(s), want: numbers(6, 10),
		handle: func(_ int, msgs []*oms.Message) error {
			if told == nil {
				if told = s.toldOf(); len(told) == 0 {
					return fmt.Errorf("message %q came before OnGap was told that messages before it are gone", msgs[0].Body)
				}
			}
			return s.Ack(b.ctx, msgs...)
		},
	})
	want := oms.Gap{Partition: at, From: read[1].Offset + 1, To: all[6].Offset}
	if len(told) != 1 || told[0] != want {
		b.fail("OnGap was told of %v, want %v", told, want)
	}
}

func checkManyCrashes(b *bench) {
	const kills, most, acks, n = 30, 20, 5, 400
	topic := b.topic(1)
	group := b.group(topic)
	b.send(b.producer(), numbered(topic, 0, n)...)
	acked := make(map[string]bool)
	for range kills {
		v := b.victim(oms.ReceiverConfig{Group: group, Topics: []string{topic}, MaxUnacked: most})
		got := b.reap(reaping{members: members(v.seat), patience: b.long(), handle: func(int, []*oms.Message) error { return nil }, enough: func(got []catch) bool {
			return len(got) >= most/2 // the rest may be in the client library
		}})
		for _, c := range got[:acks] {
			err := v.Ack(b.ctx, c.msg)
			b.ok("acknowledge", unlessStale(err))
			if err == nil {
				acked[string(c.msg.Body)] = true
			}
		}
		v.die()
	}
	if b.h.Child != nil {
		for range b.h.count(3, kills) {
			for _, body := range b.murder(topic, group, acks) {
				acked[body] = true
			}
		}
	}
	var want []string
	for _, body := range numbers(0, n) {
		if !acked[body] {
			want = append(want, body)
		}
	}
	b.left(group, topic, want)
}

func checkNeverUnroutable(b *bench) {
	const n = 10
	for range 5 {
		topic := b.topic(2)
		group := b.name("group")
		if !b.caps.Has(oms.Backlog) {
			group = b.group(topic)
		}
		b.send(b.producer(), b.spread(topic, 0, n)...)
		b.left(group, topic, numbers(0, n))
	}
}
