package rocketmq

import (
	"time"

	"github.com/omconnect/omconnect/internal/murmur2"
	"github.com/omconnect/omconnect/oms"
)

// longestDelay is timerMaxDelaySec of a broker, less what due adds.
const longestDelay = 72*time.Hour - 2*time.Second

// due is when a broker has to deliver so that it is not before t: it counts in
// whole seconds, and takes one off those that are whole.
func due(t time.Time) time.Time { return t.Add(time.Second - 1).Truncate(time.Second).Add(time.Second) }

// choose returns the partition of a message: the one it names, that of its
// key, else one for all of the call, in turn.
func (s *sender) choose(m *oms.Message, n int, sticky map[string]int) int {
	switch {
	case m.ToPartition != nil:
		return *m.ToPartition
	case m.Key != nil:
		return murmur2.Partition(m.Key, n)
	}
	if p, ok := sticky[m.Topic]; ok && p < n {
		return p
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.turn[m.Topic] % n
	s.turn[m.Topic] = p + 1
	sticky[m.Topic] = p
	return p
}
