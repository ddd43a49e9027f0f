package connecttest

import (
	"context"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/oms"
)

var commitRules = []rule{
	{"Committed", "what the upstream is allowed to forget is what Committed has said, and no more: a restart from the stored position loses nothing and repeats nothing", told, checkCommitted},
}

// told has the source know what is durable.
func (r *reader) told(ctx context.Context, positions []oms.Origin) {
	r.must(ctx, "Committed", func(ctx context.Context) error { return r.conn.(connect.Committed).Committed(ctx, positions) })
}

// checkCommitted reads everything by instances that die young: each is told of
// a part of what it has returned, and the next goes on from there.
func checkCommitted(ctx context.Context, b *bench) {
	b.writeAll()
	done := make(map[int]bool) // stored
	stored := make(map[string]oms.Origin)
	for len(done) < b.written {
		r := b.open(ctx, origins(stored)...)
		left := b.written - len(done)
		n := r.share(ctx, left)
		for _, rec := range r.got {
			if done[rec.number] {
				fail("record %d comes again, started at %s behind it", rec.number, shown(origins(stored)))
			}
		}
		if n == 0 {
			fail("started at %s, %d records were to come, and with a position behind them; %s", shown(origins(stored)), left, r)
		}
		positions, _ := committed(r.got, n)
		for _, rec := range r.got {
			if isCovered(r.got, n, rec) {
				done[rec.number] = true
			}
		}
		for _, o := range positions {
			stored[o.Partition] = o
		}
		r.told(ctx, positions)
		if !r.ended {
			r.poll(ctx) // what it takes now is not stored
		}
		if len(done)%2 == 0 {
			r.pause(ctx)
		}
		r.stop(ctx)
	}
	r := b.open(ctx, origins(stored)...)
	r.poll(ctx)
	if len(r.got) > 0 {
		fail("everything was stored, and there is more; %s", r)
	}
}

// share polls until there is a part of the records to be stored, some but not
// all if possible, and returns how many. It is 0 when there is none.
func (r *reader) share(ctx context.Context, left int) int {
	for want := min(3, left); ; want++ {
		r.until(ctx, want)
		for n := max(1, min(len(r.got), want)-1); n <= len(r.got); n++ {
			if positions, _ := committed(r.got, n); len(positions) > 0 && divides(r.got, n) {
				return n
			}
		}
		if want > len(r.got) || want >= left {
			return 0
		}
	}
}

func origins(stored map[string]oms.Origin) []oms.Origin {
	var list []oms.Origin
	for _, o := range stored {
		list = append(list, o)
	}
	return list
}
