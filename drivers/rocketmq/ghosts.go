package rocketmq

import (
	"sync"
	"time"
)

// ghosts are the members of this process that have closed. A broker that lost
// the connection to one without being told lists it until the connection was
// silent for two minutes: nobody waits for it meanwhile, or keeps its share.
var ghosts = struct {
	mu    sync.Mutex
	until map[string]time.Time
}{until: make(map[string]time.Time)}

// ghostly is longer than serverChannelMaxIdleTimeSeconds of a broker.
const ghostly = 3 * time.Minute

// haunt notes that a member has closed. Its name is never used again.
func haunt(name string) {
	now := time.Now()
	ghosts.mu.Lock()
	defer ghosts.mu.Unlock()
	for other, until := range ghosts.until {
		if now.After(until) {
			delete(ghosts.until, other)
		}
	}
	ghosts.until[name] = now.Add(ghostly)
}

func isGhost(name string) bool {
	ghosts.mu.Lock()
	defer ghosts.mu.Unlock()
	_, ok := ghosts.until[name]
	return ok
}
