package rabbitmq

// The broker bounds by count what it delivers ahead, so a bound in bytes needs
// to know how large messages are. They may grow and shrink at any time.

const (
	// typicalSize is what a message is taken to have at least, and until larger
	// ones have come.
	typicalSize = 32 << 10
	// sampled is how many messages must have come before they are taken to
	// have become smaller. Another prefetch means another channel, and what was
	// delivered ahead comes again by it.
	sampled = 512
)

// A scale learns the size of messages.
type scale struct {
	typical      int // bytes that a message is taken to have
	count, bytes int // what has come since that was considered
}

func newScale() scale { return scale{typical: typicalSize} }

// note takes the size of a message that was delivered, and reports whether
// messages have become much smaller. They are taken to have twice their mean,
// so that not every large one among many is too much.
func (s *scale) note(size int) (smaller bool) {
	s.count++
	s.bytes += size
	if s.count < sampled {
		return false
	}
	typical := max(typicalSize, 2*s.bytes/s.count)
	s.count, s.bytes = 0, 0
	if typical > s.typical/2 {
		return false
	}
	s.typical = typical
	return true
}

// overflow is for messages of which only so many have room within a bound.
func (s *scale) overflow(fit, bound int) {
	s.typical = max(s.typical, bound/fit) // so that fit is what a bound has room for
	s.count, s.bytes = 0, 0
}
