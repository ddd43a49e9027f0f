package embedded

import (
	"testing"
	"time"
)

func TestATrailBeginsWhereMessagesComeFast(t *testing.T) {
	t.Parallel()
	now := time.Unix(1000, 0)
	for name, tc := range map[string]struct {
		came, size int
		took       time.Duration
		distance   int
	}{
		"fast":                {4096, 4 << 20, 100 * time.Millisecond, 9 << 10},
		"fast and large":      {2, 2 << 20, time.Millisecond, 9},
		"larger than a block": {1, 16 << 20, time.Millisecond, 1},
		"slow":                {4096, 4 << 20, time.Second, 0},
		"too little to tell":  {100, 100 << 10, time.Microsecond, 0},
		"in no time":          {1024, 1 << 20, 0, 9 << 10},
	} {
		var got trail
		got.measure(&request{came: tc.came, size: tc.size, made: now.Add(-tc.took)}, now)
		if got != (trail{distance: tc.distance}) {
			t.Errorf("%s: the trail is %+v, want a distance of %d", name, got, tc.distance)
		}
	}
	along := trail{distance: 5, step: trailRested}
	along.measure(&request{came: 4096, size: 4 << 20, made: now}, now)
	if along != (trail{distance: 5, step: trailRested}) {
		t.Errorf("one that there was became %+v", along)
	}
}

func TestATrailIsKeptWhileTheEndMovesOn(t *testing.T) {
	t.Parallel()
	type answer struct {
		n    int
		rest bool
	}
	tr := trail{distance: 800}
	for i, step := range []struct {
		left  int
		want  answer
		after trailStep
		timer bool // goes off before
	}{
		{2800, answer{1000, false}, trailMoving, false}, // no more than there is room for
		{1800, answer{1000, false}, trailMoving, false},
		{950, answer{150, false}, trailMoving, false}, // up to the distance
		{800, answer{0, true}, trailResting, false},
		{800, answer{0, false}, trailResting, false}, // it rests already
		{800, answer{1, false}, trailTold, true},
		{1000, answer{200, false}, trailMoving, false}, // the end has moved on
		{820, answer{0, true}, trailResting, false},
		{820, answer{1, false}, trailTold, true},
	} {
		if step.timer {
			tr.step = trailRested
		}
		n, rest := tr.room(1000, step.left)
		if got := (answer{n, rest}); got != step.want || tr.step != step.after || tr.distance != 800 {
			t.Fatalf("step %d, %d left: got %+v and then %+v, want %+v and step %d", i, step.left, got, tr, step.want, step.after)
		}
	}
	// It has not, so everything is asked for.
	if n, rest := tr.room(1000, 819); n != 1000 || rest || tr != (trail{}) {
		t.Errorf("at the end: %d, %v, and then %+v", n, rest, tr)
	}
	// Nor is there a message to tell it.
	tr = trail{distance: 800, step: trailRested}
	if n, rest := tr.room(1000, 0); n != 1000 || rest || tr != (trail{}) {
		t.Errorf("with nothing left: %d, %v, and then %+v", n, rest, tr)
	}
}
