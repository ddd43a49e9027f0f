package embedded

import "time"

// The server keeps a block of a stream's file, 8 MiB, in memory for ten
// seconds when somebody has read of it before it was full, and uses the memory
// again at once when nobody has. A receiver at the end of a stream that grows
// fast would have it keep all that is written in ten seconds, so in the
// server's own process it stays a block behind the end meanwhile. That is a
// fraction of a second at such a rate, and cheaper to read besides.
const (
	trailBytes   = 9 << 20  // a block and some
	trailFast    = 12 << 20 // bytes a second
	trailMeasure = 1 << 20  // bytes that a rate can be told from
	trailRest    = 50 * time.Millisecond
)

// A trail is how a part keeps its distance to the end. While it has one, it
// asks for what is farther away than that. When there is little of it, it
// rests; then a single message tells how far the end is now, and when that has
// not moved on as fast as it should have, the trail is given up.
type trail struct {
	distance int // in messages; 0: no trail
	step     trailStep
}

type trailStep int

const (
	trailMoving trailStep = iota
	trailResting
	trailRested // the next request is for one message
	trailTold   // it was made
)

// measure begins a trail after a request that was met, if messages come fast.
func (t *trail) measure(q *request, now time.Time) {
	took := now.Sub(q.made)
	if t.distance == 0 && q.size >= trailMeasure && float64(q.size) > trailFast*took.Seconds() {
		*t = trail{distance: max(trailBytes*q.came/q.size, 1)}
	}
}

// room returns how many of so many messages to ask for when some are left in
// the stream, and whether to rest instead.
func (t *trail) room(room, left int) (n int, rest bool) {
	if t.distance == 0 {
		return room, false
	}
	if ahead := left - t.distance; ahead >= max(t.distance/8, 1) {
		t.step = trailMoving
		return min(room, ahead), false
	}
	switch t.step {
	case trailMoving:
		t.step = trailResting
		return 0, true
	case trailResting:
		return 0, false
	case trailRested:
		if left > 0 {
			t.step = trailTold
			return 1, false
		}
	case trailTold:
	}
	*t = trail{}
	return room, false
}

// rest has the part go on in a moment. The lock must be held.
func (pt *part) rest() {
	time.AfterFunc(trailRest, func() {
		r := pt.receiver
		r.mu.Lock()
		defer r.mu.Unlock()
		if pt.trail.step == trailResting {
			pt.trail.step = trailRested
			r.pull()
		}
	})
}
