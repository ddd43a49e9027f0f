package connecttest

import (
	"strings"
	"sync"
)

// A transcript is everything that a connector has said: its log, its errors.
// It is safe for concurrent use.
type transcript struct {
	mu    sync.Mutex
	lines []string
}

func (t *transcript) note(where, text string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lines = append(t.lines, where+": "+text)
}

// find returns the first line that has the text.
func (t *transcript) find(text string) (string, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, line := range t.lines {
		if strings.Contains(line, text) {
			return line, true
		}
	}
	return "", false
}
