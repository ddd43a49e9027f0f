package rabbitmq

import "testing"

func noted(s *scale, n, size int) (smaller int) {
	for range n {
		if s.note(size) {
			smaller++
		}
	}
	return smaller
}

func TestAScaleFollowsSizesBothWays(t *testing.T) {
	t.Parallel()
	s := newScale()
	same(t, "before anything has come", s.typical, typicalSize)
	s.overflow(4, 32<<20)
	same(t, "after four had room", s.typical, 8<<20)
	same(t, "how often small ones made a difference", noted(&s, sampled, 100<<10), 1)
	same(t, "after small ones", s.typical, 200<<10)
	same(t, "how often smaller ones did", noted(&s, sampled, 1<<10), 1)
	same(t, "after smaller ones", s.typical, typicalSize)
	same(t, "and then", noted(&s, 10*sampled, 1), 0)
	same(t, "at last", s.typical, typicalSize)
}

// Another prefetch has its price, so a few small messages are not enough.
func TestAScaleTakesItsTime(t *testing.T) {
	t.Parallel()
	s := newScale()
	s.overflow(1, 1<<20)
	same(t, "after too few", noted(&s, sampled-1, 1), 0)
	s.overflow(1, 1<<20)
	same(t, "as many again, behind a large one", noted(&s, sampled-1, 1), 0)
	same(t, "what a message is taken to have", s.typical, 1<<20)
	same(t, "one more", noted(&s, 1, 1), 1)
	s.overflow(1, 100<<10)
	same(t, "of nearly the same size", noted(&s, 10*sampled, 30<<10), 0)
}

// A large message among many small ones does not slow those down.
func TestAScaleBearsALargeMessageNowAndThen(t *testing.T) {
	t.Parallel()
	s := newScale()
	for range 10 {
		s.note(8 << 20)
		noted(&s, sampled-1, 1<<10)
	}
	same(t, "what a message is taken to have", s.typical, typicalSize)
}

func TestAScaleNeverTakesMessagesForSmallerBecauseOneHasNoRoom(t *testing.T) {
	t.Parallel()
	s := newScale()
	s.overflow(1, 1<<20)
	s.overflow(1000, 1<<20)
	same(t, "what a message is taken to have", s.typical, 1<<20)
}

// What had room has room again.
func TestAScaleMakesAPrefetchOfWhatHadRoom(t *testing.T) {
	t.Parallel()
	for fit := 1; fit <= smallPrefetch; fit++ {
		s := newScale()
		s.overflow(fit, 1<<20)
		same(t, "the prefetch", 1<<20/s.typical, fit)
	}
}
