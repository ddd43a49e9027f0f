package omstest

import (
	"fmt"
	"time"

	"github.com/omconnect/omconnect/oms"
)

var positionRules = []Rule{
	{
		ID: "P01", Sentence: "Seek moves a member to the beginning, to the end, or to any offset of its partitions.",
		Needs: []oms.Capability{oms.Seek, oms.OffsetForTime, oms.Partitioned, oms.Replay}, check: checkSeek,
	},
	{
		ID: "P02", Sentence: "Offsets tells where partitions begin, end, and were at a point in time.",
		Needs: []oms.Capability{oms.OffsetForTime, oms.Partitioned}, check: checkOffsets,
	},
	{
		ID: "P03", Sentence: "Positions tells the first message that a group has not acknowledged, wherever it is asked.",
		Needs: []oms.Capability{oms.GroupPositions, oms.Partitioned}, check: checkPositions,
	},
	{
		ID: "P04", Sentence: "Members are told of their partitions before messages of them come, and of those that go when another joins.",
		Needs: []oms.Capability{oms.Partitioned}, check: checkAssignment,
	},
	{
		ID: "P05", Sentence: "What a member acknowledges in OnRevoked is settled before the next owner reads, and the rest comes there.",
		Needs: []oms.Capability{oms.Partitioned}, check: checkRevocation,
	},
	{
		ID: "P06", Sentence: "A Seek to where a partition has nothing skips no message in silence.",
		Needs: []oms.Capability{oms.Seek, oms.Partitioned}, check: checkSeekOutside,
	},
	{
		ID: "P07", Sentence: "Lag tells how many messages a group has not acknowledged, those being handled included.",
		Needs: []oms.Capability{oms.ReportLag}, check: checkLag,
	},
	{
		ID: "P10", Sentence: "What was acknowledged counts in the lag soon, without Flush.",
		Needs: []oms.Capability{oms.ReportLag}, check: checkLagWithoutFlush,
	},
}

func checkSeek(b *bench) {
	topic := b.topic(1)
	group := b.group(topic)
	p, s := b.producer(), b.seat(group, topic)
	b.send(p, numbered(topic, 0, 10)...)
	msgs := s.take(10)
	at := msgs[0].At()
	seek := func(offset int64) { b.ok("seek", s.Seek(b.ctx, map[oms.Partition]int64{at: offset})) }
	begin := b.offsets(topic, oms.Start{From: oms.StartEarliest})
	for range 2 {
		seek(begin[at])
		again := s.take(10)
		b.same("what comes from the beginning", bodies(again), numbers(0, 10))
		for i, m := range again {
			if m.Offset != msgs[i].Offset {
				b.fail("message %d was at offset %d, and is at %d", i, msgs[i].Offset, m.Offset)
			}
		}
	}
	seek(msgs[6].Offset)
	b.same("what comes from offset 6", bodies(s.take(4)), numbers(6, 10))
	seek(msgs[2].Offset)
	b.same("what comes from offset 2", bodies(s.take(3)), numbers(2, 5))
	seek(b.offsets(topic, oms.Start{From: oms.StartLatest})[at])
	s.none("from the end")
	b.send(p, numbered(topic, 10, 15)...)
	b.same("what is sent after that", bodies(s.take(5)), numbers(10, 15))
	s.none("after all is acknowledged")
}

// offsets asks for the offsets of a topic's partitions.
func (b *bench) offsets(topic string, start oms.Start) map[oms.Partition]int64 {
	offsets, err := b.open().Offsets(b.ctx, []string{topic}, start)
	b.ok("find offsets", err)
	return offsets
}

func checkOffsets(b *bench) {
	topic := b.topic(1)
	m, p := b.reader(topic), b.producer()
	b.send(p, numbered(topic, 0, 3)...)
	msgs := m.take(3)
	at := msgs[0].At()
	between := b.apart()
	b.send(p, numbered(topic, 3, 6)...)
	msgs = append(msgs, m.take(3)...)
	b.apart()
	latest := oms.Start{From: oms.StartLatest}
	for _, want := range []struct {
		what   string
		start  oms.Start
		offset int64
	}{
		{"the beginning", oms.Start{From: oms.StartEarliest}, msgs[0].Offset},
		{"an hour ago", oms.Start{From: oms.StartAtTime, At: time.Now().Add(-time.Hour)}, msgs[0].Offset},
		{"the time between", oms.Start{From: oms.StartAtTime, At: between}, msgs[3].Offset},
		{"now", oms.Start{From: oms.StartAtTime, At: time.Now()}, b.offsets(topic, latest)[at]},
		{"the end", latest, msgs[5].Offset + 1},
	} {
		offsets := b.offsets(topic, want.start)
		if got, ok := offsets[at]; !ok || got != want.offset || len(offsets) != 1 {
			b.fail("the offsets of %s are %v, want %d", want.what, offsets, want.offset)
		}
	}
	wide := b.topic(3)
	if offsets := b.offsets(wide, latest); len(offsets) != 3 {
		b.fail("there are offsets of %d of 3 partitions: %v", len(offsets), offsets)
	}
	_, err := b.open().Offsets(b.ctx, []string{topic, b.name("missing")}, latest)
	b.refused("find offsets of a missing topic", err, oms.ErrNotFound)
}

func checkPositions(b *bench) {
	topic := b.topic(1)
	group := b.group(topic)
	c := b.companion()
	if c == nil {
		c = b.open()
	}
	none, err := c.Positions(b.ctx, b.name("nobody"), []string{topic})
	b.ok("find positions of a group that does not exist", err)
	if len(none) > 0 {
		b.fail("a group that does not exist has the positions %v", none)
	}
	b.send(b.producer(), numbered(topic, 0, 10)...)
	m := b.member(group, topic)
	msgs := m.get(10)
	stands := func(when string, want int64) {
		positions, err := c.Positions(b.ctx, group, []string{topic})
		b.ok("find positions", err)
		if got, ok := positions[msgs[0].At()]; !ok || got != want {
			b.fail("the positions %s are %v, want %d", when, positions, want)
		}
	}
	flushed := func(when string, want int64) {
		b.ok("flush", m.Flush(b.ctx))
		stands(when, want)
	}
	m.ack(msgs[:4]...)
	flushed("when the first four are acknowledged", msgs[4].Offset)
	m.ack(msgs[6:8]...)
	flushed("when two more are, out of order", msgs[4].Offset)
	m.ack(msgs[5], msgs[4])
	flushed("when those before them are, too", msgs[8].Offset)
	m.ack(msgs[8:]...)
	flushed("when all are acknowledged", msgs[9].Offset+1)
	m.leave()
	stands("when the group has no members", msgs[9].Offset+1)
}

func checkSeekOutside(b *bench) {
	topic := b.topic(1)
	group := b.group(topic)
	p, s := b.producer(), b.seat(group, topic)
	b.send(p, numbered(topic, 0, 10)...)
	msgs := s.take(10)
	at, sent := msgs[0].At(), 10
	for _, offset := range []int64{msgs[9].Offset + 1000, -1000} {
		// Refused or not, the member goes on with what is new at the latest,
		// or was told of a gap.
		err := s.Seek(b.ctx, map[oms.Partition]int64{at: offset})
		if err != nil && oms.CodeOf(err) != oms.ErrInvalid {
			b.fail("seek to offset %d: %w, want the code %q", offset, err, oms.ErrInvalid)
		}
		b.send(p, numbered(topic, sent, sent+10)...)
		b.reap(reaping{members: members(s), want: numbers(sent, sent+10)})
		sent += 10
	}
}

func checkLag(b *bench) {
	topic := b.topic(1)
	group := b.group(topic)
	lags := func(what string, want int64) {
		b.until("the lag "+what, func() (bool, error) {
			lag, err := b.open().Lag(b.ctx, group, []string{topic})
			if err == nil && lag != want {
				err = fmt.Errorf("it is %d, want %d", lag, want)
			}
			return err == nil, err
		})
	}
	lags("of a new topic", 0)
	b.send(b.producer(), numbered(topic, 0, 10)...)
	lags("before anything is received", 10)
	m := b.member(group, topic)
	msgs := m.get(4)
	b.pass(b.h.quiet())
	lags("while four are being handled", 10)
	m.ack(msgs...)
	b.ok("flush", m.Flush(b.ctx))
	lags("after four are acknowledged", 6)
	m.take(6)
	b.ok("flush", m.Flush(b.ctx))
	lags("after all are acknowledged", 0)
	lag, err := b.open().Lag(b.ctx, group, []string{b.name("missing")})
	b.ok("lag of a missing topic", err)
	if lag != 0 {
		b.fail("the lag of a missing topic is %d", lag)
	}
}

// checkLagWithoutFlush is for whoever never flushes: a gateway that is told to
// run until nothing is left waits for a lag of 0.
func checkLagWithoutFlush(b *bench) {
	topic := b.topic(1)
	group := b.group(topic)
	p, m := b.producer(), b.member(group, topic)
	for from := 0; from < 20; from += 10 {
		b.send(p, numbered(topic, from, from+10)...)
		m.take(10)
		b.until("a lag of 0 behind what is acknowledged and not flushed", func() (bool, error) {
			lag, err := b.open().Lag(b.ctx, group, []string{topic})
			if err == nil && lag != 0 {
				err = fmt.Errorf("it is %d", lag)
			}
			return err == nil, err
		})
	}
}
