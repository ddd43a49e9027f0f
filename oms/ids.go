package oms

import "crypto/rand"

// ids makes random ids for the messages of a batch, as rand.Text makes them.
// Many are made at once: asking for random bytes and allocating a string, for
// each by itself, is a good part of what sending a message costs.
type ids struct {
	left int    // messages that may still need one
	made string // and not given yet
}

// An id has 130 random bits in letters of base 32, as rand.Text has.
const (
	idLength  = 26
	idLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
)

// idsAtOnce bounds how many share one string: who keeps one keeps them all.
const idsAtOnce = 64

func (s *ids) next() string {
	if s.made == "" {
		text := make([]byte, idLength*max(1, min(s.left, idsAtOnce)))
		_, _ = rand.Read(text) // it never fails
		for i, b := range text {
			text[i] = idLetters[int(b)%len(idLetters)]
		}
		s.made = string(text)
	}
	id := s.made[:idLength]
	s.made = s.made[idLength:]
	return id
}
