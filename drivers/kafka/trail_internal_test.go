package kafka

import (
	"math/rand/v2"
	"testing"
)

func TestThePositionIsThatOfTheFirstMessageNotAcknowledged(t *testing.T) {
	t.Parallel()
	var tr trail
	for _, offset := range []int64{3, 4, 7, 9} { // with holes, as compaction leaves them
		tr.add(offset, 10)
	}
	steps := []struct {
		ack   int64
		fresh bool
		want  int64
	}{{4, true, 3}, {9, true, 3}, {4, false, 3}, {3, true, 7}, {5, false, 7}, {7, true, 10}, {3, false, 10}}
	if got := tr.position(10); got != 3 {
		t.Errorf("the position is %d, want 3", got)
	}
	for _, s := range steps {
		if _, fresh := tr.ack(s.ack); fresh != s.fresh {
			t.Errorf("acknowledging %d: fresh is %v, want %v", s.ack, fresh, s.fresh)
		}
		if got := tr.position(10); got != s.want {
			t.Errorf("after %d the position is %d, want %d", s.ack, got, s.want)
		}
	}
}

func TestATrailAgreesWithASetInAnyOrder(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		var tr trail
		out := make(map[int64]bool)
		next := int64(0)
		for range 100 {
			if random.IntN(2) == 0 {
				next += int64(1 + random.IntN(3))
				tr.add(next-1, 1)
				out[next-1] = true
			} else if next > 0 {
				offset := random.Int64N(next)
				if _, fresh := tr.ack(offset); fresh != out[offset] {
					t.Fatalf("acknowledging %d: fresh is %v, want %v", offset, fresh, out[offset])
				}
				delete(out, offset)
			}
			want := next
			for offset := range out {
				want = min(want, offset)
			}
			if got := tr.position(next); got != want {
				t.Fatalf("the position is %d, want %d", got, want)
			}
			if count, bytes := tr.out(); count != len(out) || bytes != len(out) {
				t.Fatalf("%d messages of %d bytes are out, want %d", count, bytes, len(out))
			}
		}
	}
}
