package rabbitmq_test

import (
	"errors"
	"testing"

	"github.com/omconnect/omconnect/oms"
)

// remake makes a topic of a name that was deleted just now. The broker may be
// at that still, and end the connection over a stream of the same name; what is
// missing of the topic then, whoever uses it makes.
func remake(t *testing.T, c oms.Conn, name string, partitions int) {
	t.Helper()
	until(t, "making "+name+" anew", func() bool {
		err := c.(oms.TopicAdmin).CreateTopic(within(t), oms.TopicSpec{Name: name, Partitions: partitions})
		if err == nil || errors.Is(err, oms.ErrExists) {
			_, err = c.(oms.OffsetFinder).Offsets(within(t), []string{name}, oms.Start{})
		}
		if oms.CodeOf(err).Temporary() {
			return false
		}
		must(t, err)
		return true
	})
}

// A topic that is deleted under its reader goes, and comes back as another one,
// with other partitions, when it is made anew.
func TestATopicOfStreamsIsMadeAnewUnderItsReader(t *testing.T) {
	t.Parallel()
	b := realBroker(t)
	c, other := b.open(t, asStream), b.open(t, asStream)
	const topic, group, n = "streams.remade", "of-remade-streams", 12
	at := of10(t, c, topic, group)
	w := &told{}
	r := receiver(t, c, w.config(group, topic))
	held := receive(t, r, 10)
	must(t, r.Ack(within(t), held[:5]))
	must(t, other.(oms.TopicAdmin).DeleteTopic(within(t), topic))
	until(t, "that the topic goes", func() bool { _, _, revoked := w.all(); return len(revoked) == 1 })
	want(t, "acknowledge what went with it", r.Ack(within(t), held[5:]), oms.ErrStaleDelivery)
	remake(t, other, topic, 3)
	until(t, "that it comes back", func() bool { _, assigned, revoked := w.all(); return len(assigned)-len(revoked) == 3 })
	s := sender(t, other)
	for i := range n { // one call each: to one partition after the other
		must(t, outcome(t, start(t, s, numbered(topic, 100+i, 101+i)...)))
	}
	counts := make(map[oms.Partition]int)
	got := receive(t, r, n)
	for _, m := range got {
		counts[m.At()]++
	}
	equal(t, "what comes of each partition", counts, map[oms.Partition]int{at: 4, {Topic: topic, Number: 1}: 4, {Topic: topic, Number: 2}: 4})
	must(t, r.Ack(within(t), got))
	must(t, r.Close(within(t)))
	equal(t, "positions", positionsOf(t, other, group, topic), map[oms.Partition]int64{at: 4, {Topic: topic, Number: 1}: 4, {Topic: topic, Number: 2}: 4})
	gaps, _, _ := w.all()
	equal(t, "the gaps", gaps, []oms.Gap(nil))
}

// Partitions are sought at once, or not at all.
func TestASeekMovesAllPartitionsOrNone(t *testing.T) {
	t.Parallel()
	c := realBroker(t).open(t, asStream)
	const topic, group = "streams.sought.together", "of-streams-sought-together"
	makeTopic(t, c, topic, 2)
	begin(t, c, group, topic)
	s := sender(t, c)
	for i := range 2 {
		must(t, outcome(t, start(t, s, numbered(topic, 10*i, 10*i+10)...)))
	}
	w := &told{}
	r := receiver(t, c, w.config(group, topic))
	until(t, "having both partitions", func() bool { _, assigned, _ := w.all(); return len(assigned) == 2 })
	zero, one := oms.Partition{Topic: topic}, oms.Partition{Topic: topic, Number: 1}
	held := receive(t, r, 20)
	seeker := r.(oms.Seeker)
	want(t, "seek with one place that is not there", seeker.Seek(within(t), map[oms.Partition]int64{zero: 3, one: 11}), oms.ErrInvalid)
	want(t, "seek with a partition that is not there", seeker.Seek(within(t), map[oms.Partition]int64{zero: 3, {Topic: topic, Number: 2}: 0}), oms.ErrNotFound)
	must(t, r.(oms.Pauser).Pause(within(t), []oms.Partition{one}))
	must(t, r.Ack(within(t), held)) // nothing has moved
	must(t, seeker.Seek(within(t), map[oms.Partition]int64{zero: 8, one: 7}))
	first := receive(t, r, 2)
	equal(t, "what comes of the partition that is not paused", bodies(first), []string{"8", "9"})
	must(t, r.(oms.Pauser).Resume(within(t), []oms.Partition{one}))
	second := receive(t, r, 3)
	equal(t, "what comes of the other", bodies(second), []string{"17", "18", "19"})
	must(t, r.Ack(within(t), append(first, second[:1]...)))
	must(t, r.Flush(within(t)))
	equal(t, "positions", positionsOf(t, c, group, topic), map[oms.Partition]int64{zero: 10, one: 8})
}
