package omstest

import (
	"sync"
	"time"

	"github.com/omconnect/omconnect/oms"
)

func checkManyNacks(b *bench) {
	n := b.h.count(1000, 10_000)
	topic := b.topic(4)
	group := b.group(topic)
	ms := []*member{b.member(group, topic), b.member(group, topic), b.member(group, topic)}
	p := b.producer()
	for from := 0; from < n; from += 500 {
		b.send(p, b.spread(topic, from, from+500)...)
	}
	var mu sync.Mutex
	nacked, acked := make(map[string]bool), make(map[string]bool)
	b.reap(reaping{
		members: ms,
		handle: func(i int, msgs []*oms.Message) error {
			var back, done []*oms.Message
			mu.Lock()
			for _, m := range msgs {
				body := string(m.Body)
				if body[len(body)-1] == '3' && !nacked[body] {
					nacked[body] = true
					back = append(back, m)
					continue
				}
				done = append(done, m)
			}
			mu.Unlock()
			if err := unlessStale(ms[i].Nack(b.ctx, back...)); err != nil {
				return err
			}
			if err := ms[i].Ack(b.ctx, done...); err != nil {
				return unlessStale(err) // it comes again
			}
			mu.Lock()
			defer mu.Unlock()
			for _, m := range done {
				acked[string(m.Body)] = true
			}
			return nil
		},
		enough: func([]catch) bool {
			mu.Lock()
			defer mu.Unlock()
			return len(acked) == n
		},
	})
	for _, m := range ms {
		m.leave()
	}
	b.send(p, &oms.Message{Topic: topic, Body: []byte(theEnd)})
	b.exactly("what comes after all is acknowledged", b.left(group, topic, []string{theEnd}), []string{theEnd})
}

func checkNackedAndKilled(b *bench) {
	topic := b.topic(1)
	group := b.group(topic)
	p, m := b.producer(), b.member(group, topic)
	b.send(p, numbered(topic, 0, 20)...)
	msgs := m.get(20)
	m.ack(msgs[:5]...)
	b.ok("give back", m.Nack(b.ctx, msgs[5:15]...))
	b.ok("kill the connections", b.h.Broker.KillConnections(b.ctx))
	late := newAttempt(numbered(topic, 20, 21))
	go late.by(b.ctx, p.SendAsync)
	b.settle(late)
	b.reap(reaping{members: []*member{m}, want: append(numbers(5, 15), numbers(20, 21)...), patience: b.long()})
	b.composed(m)
}

func checkHeldBack(b *bench) {
	const hold = 2 * time.Second
	topic := b.topic(1)
	group := b.group(topic)
	p, m := b.producer(), b.member(group, topic)
	b.send(p, numbered(topic, 0, 2)...)
	held := m.get(2)
	m.ack(held[0])
	for i := range 4 { // what comes meanwhile is not held up
		b.send(p, numbered(topic, 2+i, 3+i)...)
		b.same("what comes beside a message that is held back", bodies(m.take(1)), numbers(2+i, 3+i))
		b.pass(hold / 4)
	}
	m.none("that is held back")
	b.ok("give back", m.Nack(b.ctx, held[1]))
	b.same("what was given back", bodies(m.take(1)), numbers(1, 2))
	m.none("after all is acknowledged")
}

func checkCrash(b *bench) {
	topic := b.topic(1)
	group := b.group(topic)
	b.send(b.producer(), numbered(topic, 0, 30)...)
	for range 3 {
		v := b.victim(oms.ReceiverConfig{Group: group, Topics: []string{topic}})
		b.reap(reaping{
			members: members(v.seat), want: numbers(0, 30), patience: b.long(),
			handle: func(int, []*oms.Message) error { return nil },
		})
		v.die()
	}
	b.left(group, topic, numbers(0, 30))
}

func checkFlushed(b *bench) {
	topic := b.topic(1)
	group := b.group(topic)
	p := b.producer()
	b.send(p, numbered(topic, 0, 20)...)
	v := b.victim(oms.ReceiverConfig{Group: group, Topics: []string{topic}})
	v.take(10)
	b.ok("flush", v.Flush(b.ctx))
	v.die()
	b.excludes("what was acknowledged before a crash", b.left(group, topic, numbers(10, 20)), numbers(0, 10))
	if b.h.Child == nil {
		return
	}
	b.send(p, numbered(topic, 20, 40)...)
	acked := b.murder(topic, group, 10)
	b.excludes("what was acknowledged by a process that was killed", b.left(group, topic, without(numbers(20, 40), acked)), acked)
}
