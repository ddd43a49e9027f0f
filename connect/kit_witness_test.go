package connect_test

import (
	"fmt"
	"strconv"
	"sync"
	"testing"

	"github.com/omconnect/omconnect/offsets"
	"github.com/omconnect/omconnect/oms"
)

// A witness knows what the broker has confirmed of the numbers of the source
// "in", and holds every commit to it.
type witness struct {
	w *world

	mu        sync.Mutex
	confirmed map[int]bool
	upTo      int // all numbers up to it are confirmed
	polled    map[int]int
	unknown   map[int]int // sent with an unknown outcome
}

// watch puts a witness and a meddler around what the gateways started from now
// on use.
func (w *world) watch(m *meddler) *witness {
	wit := &witness{w: w, confirmed: make(map[int]bool), polled: make(map[int]int), unknown: make(map[int]int)}
	w.wrap = func(d oms.Driver) oms.Driver { return meddledDriver{d, m, wit.confirm} }
	w.around = func(s offsets.Store) offsets.Store { return meddledStore{s, m, wit.committing} }
	w.source.message = func(_ *oms.Message, n int) {
		wit.mu.Lock()
		defer wit.mu.Unlock()
		wit.polled[n]++
	}
	return wit
}

func newMeddler() *meddler { return &meddler{calls: make(map[string]int)} }

func (w *witness) confirm(body string) {
	n, err := strconv.Atoi(body)
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil {
		w.w.t.Errorf("confirmed: %q", body)
	}
	w.confirmed[n] = true
	for w.confirmed[w.upTo+1] {
		w.upTo++
	}
}

// committing is Invariant 1: what is committed is confirmed, and all before it.
func (w *witness) committing(ps map[offsets.Partition]offsets.Position) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for part, pos := range ps {
		var n int
		if _, err := fmt.Sscanf(string(pos), `{"n":%d}`, &n); err != nil || n > w.upTo {
			w.w.t.Errorf("position %s of %s is committed, and only the first %d are confirmed", pos, part, w.upTo)
		}
	}
}

// sentUnknown notes a message that was stored and failed all the same.
func (w *witness) sentUnknown(m *oms.Message) {
	n, _ := strconv.Atoi(string(m.Body))
	w.mu.Lock()
	defer w.mu.Unlock()
	w.unknown[n]++
}

// wantDelivered holds the topic and the sink to what must be so in the end:
// every number is there, the first deliveries of each key are in order, and
// nothing is repeated more often than its source was read again, its outcome
// was not known, or all connections were lost.
func (w *witness) wantDelivered(last, connectionsLost int) {
	t := w.w.t
	t.Helper()
	count := make(map[int]int)
	for p, bodies := range w.w.topic("t") {
		inOrder(t, fmt.Sprintf("partition %d", p), bodies)
		for _, b := range bodies {
			n, _ := strconv.Atoi(b)
			count[n]++
		}
	}
	inOrder(t, "the sink", w.w.sink.bodies())
	if lost := missing(w.w.sink.bodies(), last); len(lost) > 0 {
		t.Errorf("the sink has not got %v", lost)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for n := 1; n <= last; n++ {
		if may := w.polled[n] + w.unknown[n] + connectionsLost; count[n] < 1 || count[n] > may {
			t.Errorf("number %d is %d times in the topic, want 1 to %d", n, count[n], may)
		}
	}
}

// inOrder fails the test unless the first deliveries of each key are in order.
func inOrder(tb testing.TB, where string, bodies []string) {
	tb.Helper()
	highest := make(map[int]int) // by key
	for _, b := range firsts(bodies) {
		n, err := strconv.Atoi(b)
		if err != nil || n < highest[n%7] {
			tb.Errorf("%s has %s after %d of the same key: %v", where, b, highest[n%7], bodies)
			return
		}
		highest[n%7] = n
	}
}
