package omstest

import (
	"slices"
	"strconv"

	"github.com/omconnect/omconnect/oms"
)

var orderRules = []Rule{
	{
		ID: "O01", Sentence: "Messages of one key arrive in the order sent, whichever members receive them.",
		Needs: []oms.Capability{oms.OrderPerKey, oms.MessageKey}, check: checkOrderPerKey,
	},
	{ID: "O02", Sentence: "A single member gets the messages of a partition in the order sent.", check: checkOrderOfPartition},
	{
		ID: "O03", Sentence: "What is given back comes again before later messages of its key that were not handed out.",
		Needs: []oms.Capability{oms.OrderPerKey, oms.MessageKey, oms.Nack}, check: checkOrderOfNacks,
	},
	{
		ID: "O04", Sentence: "Messages of one key are first delivered in the order sent when the broker restarts in between.",
		Needs: []oms.Capability{oms.OrderPerKey, oms.MessageKey}, Faults: []Fault{Restart}, check: checkOrderOverRestart,
	},
	{
		ID: "O05", Sentence: "A message for a partition arrives in that one, whatever its key.",
		Needs: []oms.Capability{oms.ExplicitPartition, oms.Partitioned}, check: checkExplicitPartition,
	},
}

func checkOrderPerKey(b *bench) {
	const partitions, keys = 4, 20
	n := b.h.count(2000, 50_000)
	topic := b.topic(partitions)
	group := b.group(topic)
	p := b.producer()
	var attempts []*attempt
	sendTo := func(from, to int) {
		for ; from < to; from += 10 {
			attempts = append(attempts, b.start(p.SendAsync, keyed(topic, from, from+10, keys)...))
		}
	}
	sendTo(0, n/2)
	seats := []*seat{b.seat(group, topic), b.seat(group, topic), b.seat(group, topic)}
	b.seated(partitions, group, []string{topic}, seats...)
	sendTo(n/2, n)
	for _, a := range attempts {
		b.ok("send", b.outcome(a))
	}
	b.keysInOrder(b.reap(reaping{members: members(seats...), enough: lastOfKeys(n, keys)}))
}

// lastOfKeys is enough when the last of n numbered messages of each key came.
func lastOfKeys(n, keys int) func([]catch) bool {
	missing := make(map[string]bool, keys)
	for _, body := range numbers(n-keys, n) {
		missing[body] = true
	}
	seen := 0
	return func(got []catch) bool {
		for _, c := range got[seen:] {
			delete(missing, string(c.msg.Body))
		}
		seen = len(got)
		return len(missing) == 0
	}
}

// keysInOrder fails unless the numbers of each key ascend, repeats aside.
func (b *bench) keysInOrder(got []catch) {
	last := make(map[string]int)
	seen := make(map[string]bool)
	for _, c := range got {
		key, body := string(c.msg.Key), string(c.msg.Body)
		if seen[body] {
			continue
		}
		seen[body] = true
		n, err := strconv.Atoi(body)
		b.ok("read a body", err)
		if before, ok := last[key]; ok && n < before {
			b.fail("of %q, message %d comes for the first time after %d", key, n, before)
		}
		last[key] = n
	}
}

func checkOrderOfPartition(b *bench) {
	n := b.h.count(2000, 50_000)
	topic := b.topic(1)
	group := b.group(topic)
	p := b.producer()
	var attempts []*attempt
	for i := 0; i < n; i += 10 {
		attempts = append(attempts, b.start(p.SendAsync, numbered(topic, i, i+10)...))
	}
	for _, a := range attempts {
		b.ok("send", b.outcome(a))
	}
	got := b.reap(reaping{members: []*member{b.member(group, topic)}, want: numbers(n-1, n)})
	b.keysInOrder(got)
}

func checkOrderOfNacks(b *bench) {
	const n, keys = 40, 2
	topic := b.topic(1)
	group := b.group(topic)
	b.send(b.producer(), keyed(topic, 0, n, keys)...)
	m := b.member(group, topic)
	nacked := make(map[string]int) // by body, how often
	waiting := make(map[string]string)
	var done []string
	for len(done) < n {
		msg := m.get(1)[0]
		key, body := string(msg.Key), string(msg.Body)
		if before, ok := waiting[key]; ok && before != body && !slices.Contains(done, body) {
			b.fail("of %q, message %s comes before %s, which was given back", key, body, before)
		}
		if i, err := strconv.Atoi(body); err == nil && i%5 == 0 && nacked[body] < 2 {
			nacked[body]++
			waiting[key] = body
			b.ok("give back", m.Nack(b.ctx, msg))
			continue
		}
		delete(waiting, key)
		m.ack(msg)
		done = append(done, body)
	}
}

func checkOrderOverRestart(b *bench) {
	const keys = 20
	topic := b.topic(4)
	m := b.reader(topic)
	l := b.load(func(from, to int) []*oms.Message { return keyed(topic, from, to, keys) })
	got := b.endure(l, m, 2, b.h.Broker.Restart, func() func([]catch) bool { return lastOfKeys(l.sent(), keys) })
	b.keysInOrder(got)
}

func checkExplicitPartition(b *bench) {
	const partitions, each = 4, 10
	topic := b.topic(partitions)
	group := b.group(topic)
	want := make(map[string]int)
	var msgs []*oms.Message
	for p := range partitions {
		for _, m := range into(oms.Partition{Topic: topic, Number: p}, p*each, (p+1)*each) {
			if b.caps.Has(oms.MessageKey) {
				m.Key = []byte(strconv.Itoa(len(msgs) % 7))
			}
			want[string(m.Body)] = p
			msgs = append(msgs, m)
		}
	}
	b.send(b.producer(), msgs...)
	for _, msg := range b.member(group, topic).take(len(msgs)) {
		if p := want[string(msg.Body)]; msg.Partition != p {
			b.fail("a message for partition %d arrived in %d", p, msg.Partition)
		}
	}
}
