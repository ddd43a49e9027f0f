package connecttest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/oms"
)

var resumeRules = []rule{
	{"ResumeBacklog", "a source that is started at a position goes on right behind it, whichever it is: nothing is lost, and nothing comes again", replays, checkResumeBacklog},
	{"ResumeLive", "the same holds for what was written while the source ran, and for what is written after it has come back", func(b *bench) bool { return live(b) && replays(b) }, checkResumeLive},
	{"OrderKept", "the records of a partition come in the same order each time", replays, checkOrderKept},
}

func positioned(b *bench) bool {
	_, is := b.sample.(connect.Positioned)
	return is
}

func told(b *bench) bool {
	_, is := b.sample.(connect.Committed)
	return is
}

// replays reports whether a source can go on where another has stopped,
// because it is told where or because its upstream keeps the place.
func replays(b *bench) bool { return positioned(b) || told(b) }

// committed returns the positions that are stored when the first n records
// are confirmed, and what of all comes again after a restart at them.
func committed(all []record, n int) (positions []oms.Origin, rest []record) {
	last := make(map[string]string)
	for _, rec := range all[:n] {
		if rec.origin.Position != "" {
			last[rec.origin.Partition] = rec.origin.Position
		}
	}
	for _, partition := range slices.Sorted(maps.Keys(last)) {
		positions = append(positions, oms.Origin{Partition: partition, Position: last[partition]})
	}
	for _, rec := range all {
		if !isCovered(all, n, rec) {
			rest = append(rest, rec)
		}
	}
	return positions, rest
}

// isCovered reports whether a record is one of those before the position that
// its partition has when the first n records are confirmed.
func isCovered(all []record, n int, rec record) bool {
	covered := false
	for i := n - 1; i >= 0; i-- {
		if all[i].origin.Partition != rec.origin.Partition {
			continue
		}
		covered = covered || all[i].origin.Position != ""
		if all[i].Message == rec.Message {
			return covered
		}
	}
	return false
}

// divides reports whether what was confirmed may end before record n: it does
// not between records of one poll that share a position.
func divides(all []record, n int) bool {
	return n == 0 || n == len(all) || all[n].origin.Position == "" || all[n].origin != all[n-1].origin || all[n].poll != all[n-1].poll
}

// byPartition returns the numbers of records, in order.
func byPartition(records []record) map[string][]int {
	numbers := make(map[string][]int)
	for _, rec := range records {
		numbers[rec.origin.Partition] = append(numbers[rec.origin.Partition], rec.number)
	}
	return numbers
}

// same returns nil, or how the records that came differ from those that were
// to come.
func same(got, want []record) error {
	g, w := byPartition(got), byPartition(want)
	for partition, numbers := range w {
		if !slices.Equal(g[partition], numbers) {
			return fmt.Errorf("of partition %s the records %s have come, and not %s", partition, listed(g[partition]), listed(numbers))
		}
	}
	for partition, numbers := range g {
		if w[partition] == nil {
			return fmt.Errorf("of partition %s the records %s have come, and there was none to come", partition, listed(numbers))
		}
	}
	return nil
}

// resumes starts a source at each place in what one before it has returned.
func (b *bench) resumes(ctx context.Context, all []record) {
	places := []int{0} // a source that cannot seek starts there only
	if positioned(b) {
		places = nil
		for n := range len(all) + 1 {
			if divides(all, n) {
				places = append(places, n)
			}
		}
	}
	for _, n := range places {
		positions, rest := committed(all, n)
		r := b.open(ctx, positions...)
		if len(rest) > 0 {
			r.until(ctx, len(rest))
		} else {
			r.poll(ctx)
		}
		if err := sameSet(r.got, rest); err != nil {
			fail("started at %s, behind %d of %d records: %w", shown(positions), n, len(all), err)
		}
		r.stop(ctx)
	}
}

// sameSet is same without the order, for which there is a rule of its own.
func sameSet(got, want []record) error {
	sorted := func(records []record) []record {
		return slices.SortedStableFunc(slices.Values(records), func(a, b record) int { return a.number - b.number })
	}
	return same(sorted(got), sorted(want))
}

func shown(positions []oms.Origin) string {
	if len(positions) == 0 {
		return "no position"
	}
	texts := make([]string, len(positions))
	for i, o := range positions {
		texts[i] = o.Position + " of " + o.Partition
	}
	return strings.Join(texts, ", ")
}

func checkResumeBacklog(ctx context.Context, b *bench) {
	b.writeAll()
	r := b.open(ctx)
	r.until(ctx, b.written)
	r.stop(ctx)
	b.resumes(ctx, r.got)
}

func checkResumeLive(ctx context.Context, b *bench) {
	b.write(1)
	r := b.open(ctx)
	for n := range 3 {
		r.until(ctx, b.written)
		b.write(n + 1)
	}
	r.until(ctx, b.written)
	r.stop(ctx)
	b.resumes(ctx, r.got)
	positions, rest := committed(r.got, len(r.got))
	if !positioned(b) {
		positions, rest = nil, r.got
	}
	first := b.written
	b.write(2) // while it was away
	again := b.open(ctx, positions...)
	again.until(ctx, len(rest)+2)
	b.write(2)
	again.rest(ctx, len(rest)+4)
	var fresh []record
	for _, rec := range again.got {
		if rec.number >= first {
			fresh = append(fresh, rec)
		}
	}
	if len(fresh) != 4 || len(again.got) != len(rest)+4 {
		fail("of %d records that were written after the stop, %d have come, and %d others, not %d; %s", 4, len(fresh), len(again.got)-len(fresh), len(rest), again)
	}
}

func checkOrderKept(ctx context.Context, b *bench) {
	b.writeAll()
	first := b.open(ctx)
	first.until(ctx, b.written)
	first.stop(ctx)
	again := b.open(ctx)
	again.until(ctx, b.written)
	ok("the second time", same(again.got, first.got))
	if !positioned(b) {
		return
	}
	again.stop(ctx)
	half := len(first.got) / 2
	for !divides(first.got, half) {
		half++
	}
	positions, rest := committed(first.got, half)
	third := b.open(ctx, positions...)
	third.until(ctx, len(rest))
	ok("from the middle", same(third.got, rest))
}

func checkSeek(ctx context.Context, b *bench) {
	b.writeAll()
	r := b.open(ctx)
	r.until(ctx, b.written)
	r.stop(ctx)
	positions, _ := committed(r.got, len(r.got))
	for _, o := range positions {
		for _, wrong := range []string{`{"no such":"position"}`, `{"a":{"b":[null,{}]}}`} {
			again := &reader{life: b.create(ctx)}
			err := again.tryStart(ctx, []oms.Origin{{Partition: o.Partition, Position: wrong}})
			for n := 0; err == nil && n == 0 && !again.ended; wait(ctx) {
				if n, err = again.tryPoll(ctx); n > 0 {
					fail("with the position %s of partition %s, which it never wrote, the source goes on with record %d", wrong, o.Partition, again.got[0].number)
				}
				if again.polls > 3 {
					err = errors.New("it stands still")
				}
			}
			if again.ended {
				fail("with the position %s of partition %s, which it never wrote, the source ends as if all were read", wrong, o.Partition)
			}
			again.stop(ctx)
		}
	}
}
