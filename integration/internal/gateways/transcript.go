package gateways

import (
	"bytes"
	"sync"
)

// A Transcript is what a gateway said, over all its starts. It may be read
// while the gateway runs. The zero value is empty.
type Transcript struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write adds to what was said.
func (s *Transcript) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

// String returns all that was said so far.
func (s *Transcript) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// Tail returns the end of what was said, at most n bytes.
func (s *Transcript) Tail(n int) string {
	text := s.String()
	return text[max(0, len(text)-n):]
}
