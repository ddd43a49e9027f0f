package connecttest

import (
	"context"
	"time"

	"github.com/omconnect/omconnect/connect"
)

var sourceHookRules = []rule{
	{"Seek", "a stored position that the source has not written is refused, and nothing is read in its place", positioned, checkSeek},
}

var pollRules = []rule{
	{"PollReturns", "Poll returns within about a second, also when nothing is there: then with no messages and no error", always, checkPollReturns},
	{"PollContext", "Poll returns soon after its context has ended", always, checkPollContext},
	{"CutShort", "a Poll whose context ends loses nothing: what it has taken is returned, or comes again", replays, checkCutShort},
}

func checkPollReturns(ctx context.Context, b *bench) {
	if !live(b) {
		b.writeAll()
	}
	r := b.open(ctx)
	for range 3 {
		if n := r.poll(ctx); n > 0 && live(b) {
			fail("Poll returns %d messages while nothing was written", n)
		}
		if r.late {
			fail("Poll has not returned within %v; the contract asks for about a second", hookBound)
		}
	}
}

func checkPollContext(ctx context.Context, b *bench) {
	if !live(b) {
		b.writeAll()
	}
	for _, patience := range []time.Duration{0, 50 * time.Millisecond} {
		r := b.open(ctx)
		short, cancel := context.WithTimeout(ctx, patience)
		_, err := r.tryPoll(short)
		cancel()
		ok("Poll", err)
		r.stop(ctx)
	}
}

func checkCutShort(ctx context.Context, b *bench) {
	b.writeAll()
	r := b.open(ctx)
	gone, cancel := context.WithCancel(ctx)
	cancel()
	if resumer, is := r.conn.(connect.Resumer); is {
		for range 3 {
			_, err := r.tryPoll(gone)
			ok("Poll", err)
			r.pause(ctx)
			r.must(ctx, "OnResume", resumer.OnResume)
			r.until(ctx, min(len(r.got)+1, b.written))
		}
		r.rest(ctx, b.written)
		r.want(b.written)
		return
	}
	_, err := r.tryPoll(gone)
	ok("Poll", err)
	positions, _ := committed(r.got, len(r.got))
	var covered []record
	for _, rec := range r.got {
		if isCovered(r.got, len(r.got), rec) {
			covered = append(covered, rec)
		}
	}
	r.stop(ctx)
	if len(positions) == 0 || !positioned(b) {
		positions, covered = nil, nil
	}
	again := b.open(ctx, positions...)
	again.rest(ctx, b.written-len(covered))
	again.got = append(covered, again.got...)
	again.want(b.written)
}
