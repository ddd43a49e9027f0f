package rabbitmq_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/omconnect/omconnect/integration/servers"
	"github.com/omconnect/omconnect/oms"
	"github.com/omconnect/omconnect/oms/omstest"
)

// fragile opens a connection by a proxy, which ends the connections or the
// network when the test says so.
func (b *broker) fragile(t *testing.T, options string) (oms.Conn, *omstest.Proxy) {
	t.Helper()
	proxy, err := omstest.NewProxy(b.AddrOf(servers.Plain))
	must(t, err)
	t.Cleanup(func() { must(t, proxy.Close()) })
	return openAt(t, parse(t, "oms:rabbitmq://"+proxy.Addr()+"/"+options)), proxy
}

// positionsOf returns the positions that the broker has.
func positionsOf(t *testing.T, c oms.Conn, group, topic string) map[oms.Partition]int64 {
	t.Helper()
	positions, err := c.(oms.GroupPositioner).Positions(within(t), group, []string{topic})
	must(t, err)
	return positions
}

// The member is told that what it had begun to prepare is gone, and asked again.
func TestAConnectionThatEndsWhileAStreamIsAssigned(t *testing.T) {
	t.Parallel()
	b := realBroker(t)
	c, proxy := b.fragile(t, asStream)
	const topic, group = "streams.assigning", "of-assigning-streams"
	at := of10(t, b.open(t, asStream), topic, group)
	w := &told{}
	cfg := w.config(group, topic)
	note, times := cfg.OnAssigned, 0
	cfg.OnAssigned = func(ctx context.Context, ps []oms.Partition) (map[oms.Partition]int64, error) {
		times++
		if times <= 2 {
			proxy.KillConnections()
		}
		return note(ctx, ps)
	}
	r := receiver(t, c, cfg)
	msgs := receive(t, r, 10)
	equal(t, "what comes", bodies(msgs), bodies(numbered(topic, 0, 10)))
	gaps, assigned, revoked := w.all()
	equal(t, "what was assigned", assigned, []oms.Partition{at, at, at})
	equal(t, "what was revoked", revoked, []oms.Partition{at, at})
	equal(t, "the gaps", gaps, []oms.Gap(nil))
	must(t, r.Ack(within(t), msgs))
	must(t, r.Flush(within(t)))
	equal(t, "positions", positionsOf(t, c, group, topic), map[oms.Partition]int64{at: 10})
}

// A stream that cannot be read when it begins holds up no other, and begins when
// it can.
func TestAStreamThatDoesNotBeginHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	b := realBroker(t)
	c, ch := b.open(t, asStream), b.native(t)
	const topic, group = "streams.unequal", "of-unequal-streams"
	makeTopic(t, c, topic, 2)
	begin(t, c, group, topic)
	s := sender(t, c)
	must(t, outcome(t, start(t, s, numbered(topic, 0, 5)...))) // to one partition
	must(t, outcome(t, start(t, s, numbered(topic, 5, 9)...))) // to the other
	bad, good := oms.Partition{Topic: topic}, oms.Partition{Topic: topic, Number: 1}
	w := &told{at: map[oms.Partition]int64{bad: 100}} // which makes a gap, told before it is read
	cfg := w.config(group, topic)
	note, once := cfg.OnGap, sync.Once{}
	cfg.OnGap = func(g oms.Gap) {
		note(g)
		once.Do(func() {
			if _, err := ch.QueueDelete("oms.stream:"+topic+":0", false, false, false); err != nil {
				t.Errorf("delete the stream: %v", err)
			}
		})
	}
	r := receiver(t, c, cfg)
	got := receive(t, r, 4)
	equal(t, "what comes of the other", bodies(got), bodies(numbered(topic, 5, 9)))
	equal(t, "its partition", got[0].At(), good)
	until(t, "a second gap", func() bool { gaps, _, _ := w.all(); return len(gaps) == 2 })
	until(t, "sending to the new stream", func() bool {
		return follow(t, s, &oms.Message{Topic: topic, Body: []byte("new")}) == nil && firstAndNext(t, c, bad) > 0
	})
	until(t, "what is sent to it", func() bool { return receive(t, r, 1)[0].At() == bad })
}

// firstAndNext returns how many offsets a partition has.
func firstAndNext(t *testing.T, c oms.Conn, p oms.Partition) int64 {
	t.Helper()
	offsets, err := c.(oms.OffsetFinder).Offsets(within(t), []string{p.Topic}, oms.Start{From: oms.StartLatest})
	must(t, err)
	return offsets[p] - firstOf(t, c, p)
}

// Nothing gets through while a position is noted: whoever asked knows that it
// may be lost, and everything that was not noted comes again.
func TestAPositionThatCannotBeNotedIsToldOf(t *testing.T) {
	t.Parallel()
	b := realBroker(t)
	c, proxy := b.fragile(t, asStream+"&heartbeat.ms=1000")
	const topic, group = "streams.unnoted", "of-unnoted-streams"
	sane := b.open(t, asStream)
	at := of10(t, sane, topic, group)
	w := &told{}
	r := receiver(t, c, w.config(group, topic))
	held := receive(t, r, 10)
	must(t, r.Ack(within(t), held[:4]))
	must(t, r.Flush(within(t)))
	proxy.Cut()
	if err := r.Ack(within(t), held[4:8]); !errors.Is(err, oms.ErrStaleDelivery) { // the end may be known already
		must(t, err)
	}
	if err := r.Flush(within(t)); err == nil {
		t.Error("a flush succeeds without a network")
	}
	until(t, "the end of the session", func() bool { _, _, revoked := w.all(); return len(revoked) == 1 })
	proxy.Heal()
	again := receive(t, r, 6)
	equal(t, "what comes again", bodies(again), bodies(numbered(topic, 4, 10)))
	want(t, "acknowledge what was received before", r.Ack(within(t), held[8:]), oms.ErrStaleDelivery)
	equal(t, "positions meanwhile", positionsOf(t, sane, group, topic), map[oms.Partition]int64{at: 4})
	must(t, r.Ack(within(t), again))
	until(t, "a flush that succeeds", func() bool { // one tells of what may be lost
		err := r.Flush(within(t))
		if err != nil {
			want(t, "flush", err, oms.ErrUnknown)
		}
		return err == nil
	})
	equal(t, "positions at last", positionsOf(t, sane, group, topic), map[oms.Partition]int64{at: 10})
}

// A member whose network is cut does not know that another has taken over.
func TestAMemberThatIsCutOffIsReplaced(t *testing.T) {
	t.Parallel()
	b := realBroker(t)
	c, proxy := b.fragile(t, asStream+"&heartbeat.ms=1000")
	const topic, group = "streams.cut", "of-cut-streams"
	sane := b.open(t, asStream)
	at := of10(t, sane, topic, group)
	lost := &told{}
	one := receiver(t, c, lost.config(group, topic))
	held := receive(t, one, 10)
	must(t, one.Ack(within(t), held[:4]))
	must(t, one.Flush(within(t)))
	proxy.Cut()
	two := receiver(t, sane, (&told{}).config(group, topic))
	came := receive(t, two, 6)
	equal(t, "what the other gets", bodies(came), bodies(numbered(topic, 4, 10)))
	must(t, two.Ack(within(t), came[:3]))
	until(t, "knowing of it", func() bool { _, _, revoked := lost.all(); return len(revoked) > 0 })
	want(t, "acknowledge as the one that was cut off", one.Ack(within(t), held[4:]), oms.ErrStaleDelivery)
	must(t, two.Flush(within(t)))
	proxy.Heal()
	until(t, "coming back", func() bool { return c.Check(within(t)) == nil })
	equal(t, "positions", positionsOf(t, sane, group, topic), map[oms.Partition]int64{at: 7})
	must(t, one.Close(within(t)))
	must(t, two.Close(within(t)))
	rest := consume(t, sane, group, topic, 3)
	equal(t, "what is left", bodies(rest), bodies(numbered(topic, 7, 10)))
}

func TestAMemberOfStreamsThatIsKilledOftenLosesNothing(t *testing.T) {
	t.Parallel()
	b := realBroker(t)
	c, proxy := b.fragile(t, asStream)
	const topic, group, n, kills = "streams.killed", "of-killed-streams", 200, 5
	sane := b.open(t, asStream)
	begin(t, sane, group, topic)
	must(t, outcome(t, start(t, sender(t, sane), numbered(topic, 0, n)...)))
	var gaps atomic.Int32
	r := receiver(t, c, oms.ReceiverConfig{Topics: []string{topic}, Group: group, MaxUnacked: 50, OnGap: func(oms.Gap) { gaps.Add(1) }})
	next := 0 // that was not received yet
	for round := 0; next < n; round++ {
		msgs := receive(t, r, min(10, n-next)) // perhaps of two sessions
		for _, m := range msgs {
			var number int
			_, err := fmt.Sscan(string(m.Body), &number)
			must(t, err)
			if number > next {
				t.Fatalf("message %d comes where %d is due", number, next)
			}
			next = max(next, number+1)
		}
		if err := r.Ack(within(t), msgs); !errors.Is(err, oms.ErrStaleDelivery) {
			must(t, err)
		}
		switch {
		case round%2 == 0 && round < 2*kills:
			proxy.KillConnections() // with what was acknowledged, and not noted
		case round%2 == 1:
			if err := r.Flush(within(t)); oms.CodeOf(err) != oms.ErrUnknown && !oms.CodeOf(err).Temporary() {
				must(t, err)
			}
		}
	}
	until(t, "noting the end", func() bool {
		return r.Flush(within(t)) == nil && positionsOf(t, sane, group, topic)[oms.Partition{Topic: topic}] == n
	})
	equal(t, "the gaps", gaps.Load(), int32(0))
}
