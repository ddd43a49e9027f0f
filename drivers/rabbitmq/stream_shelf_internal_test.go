package rabbitmq

import (
	"slices"
	"testing"

	"github.com/omconnect/omconnect/oms"
)

// filled returns a shelf with messages at the offsets.
func filled(offsets ...int64) *shelf {
	s := &shelf{next: offsets[0]}
	for _, offset := range offsets {
		s.add(&item{msg: &oms.Message{}, offset: offset, size: 10})
	}
	return s
}

func always(int) bool { return true }

// takeAll hands out everything.
func takeAll(s *shelf) (items []*item) {
	for i := s.take(always); i != nil; i = s.take(always) {
		items = append(items, i)
	}
	return items
}

func offsets(items []*item) (all []int64) {
	for _, i := range items {
		all = append(all, i.offset)
	}
	return all
}

func TestThePositionIsThatOfTheFirstThatIsNotSettled(t *testing.T) {
	t.Parallel()
	s := filled(5, 6, 8, 9) // 7 is the broker's own
	items := takeAll(s)
	for _, step := range []struct {
		settle int
		want   int64
	}{{2, 5}, {0, 6}, {1, 9}, {3, 10}} {
		s.settle(items[step.settle])
		if got := s.position(); got != step.want {
			t.Errorf("with offset %d settled, too, the position is %d, want %d", items[step.settle].offset, got, step.want)
		}
	}
	if s.out != 0 || s.outBytes != 0 || s.bytes != 0 || len(s.items) != 0 {
		t.Errorf("a shelf with all settled has %d messages out, %d and %d bytes, %d items", s.out, s.outBytes, s.bytes, len(s.items))
	}
}

func TestWhatIsGivenBackComesBeforeWhatFollows(t *testing.T) {
	t.Parallel()
	s := filled(1, 2, 3, 4)
	first, second := s.take(always), s.take(always)
	s.giveBack(second)
	s.giveBack(first)
	again := takeAll(s)
	if got := offsets(again); !slices.Equal(got, []int64{1, 2, 3, 4}) {
		t.Errorf("the offsets are %v", got)
	}
	if again[0].attempt != 2 || again[2].attempt != 1 {
		t.Errorf("attempts are %d and %d, want 2 and 1", again[0].attempt, again[2].attempt)
	}
	if s.out != 4 || s.outBytes != 40 || s.bytes != 40 {
		t.Errorf("%d messages are out, with %d of %d bytes", s.out, s.outBytes, s.bytes)
	}
}

func TestAShelfThatIsPausedOrHaltedHandsNothingOut(t *testing.T) {
	t.Parallel()
	s := filled(1, 2)
	if i := s.take(func(size int) bool { return size > 10 }); i != nil {
		t.Error("a message is handed out that has no room")
	}
	for _, set := range []func(bool){func(on bool) { s.paused = on }, func(on bool) { s.halted = on }} {
		set(true)
		if i := s.take(always); i != nil {
			t.Errorf("offset %d is handed out", i.offset)
		}
		set(false)
	}
	if i := s.take(always); i == nil || i.offset != 1 {
		t.Errorf("then %v is handed out, want offset 1", i)
	}
}

func TestASeekDropsWhatWasTaken(t *testing.T) {
	t.Parallel()
	s := filled(1, 2, 3)
	i := s.take(always)
	s.clear(2)
	if !i.dropped || s.position() != 2 || s.take(always) != nil || s.out != 0 || s.bytes != 0 {
		t.Errorf("after a seek to 2 the position is %d, %d messages are out, %d bytes are held", s.position(), s.out, s.bytes)
	}
}
