package broker

import (
	"context"
	"crypto/rand"
	"errors"
	"strconv"
	"sync"
	"time"

	"github.com/omconnect/omconnect/oms"
)

// An intake is what a source has received and not acknowledged, by partition,
// in order. The mutex guards it: partitions go away on goroutines of the
// driver's.
type intake struct {
	offsets  bool          // records have some
	handover time.Duration // how long a partition that goes away waits
	run      string        // tells the positions of this instance from those of others, where there are none

	mu      sync.Mutex
	count   int64
	waiting map[oms.Partition]*waiting
	names   map[string]oms.Partition // by the partition of an origin
	settled chan struct{}            // closed when something was acknowledged or given up
	joined  bool                     // partitions were assigned
}

// waiting is what of one partition is not acknowledged.
type waiting struct {
	name    string // the partition of its origins
	records []record
}

// A record is a received message without what it carries, and the position of
// what it has become.
type record struct {
	position string
	msg      *oms.Message
}

// newIntake returns the intake of a source: whether what is read has offsets,
// and how long the target takes to make records durable.
func newIntake(offsets bool, durableAfter time.Duration) *intake {
	return &intake{
		offsets: offsets, handover: handoverWait + durableAfter, run: rand.Text(), waiting: make(map[oms.Partition]*waiting),
		names: make(map[string]oms.Partition), settled: make(chan struct{}),
	}
}

// note notes a message and returns its origin. The caller holds the mutex.
func (in *intake) note(m *oms.Message) *oms.Origin {
	w := in.waiting[m.At()]
	if w == nil {
		o, err := oms.NewOrigin(struct {
			Topic  string `json:"topic"`
			Number int    `json:"partition"`
		}{m.Topic, m.Partition}, nil)
		if err != nil {
			panic("the name of a partition is no JSON: " + err.Error()) // not reached
		}
		w = &waiting{name: o.Partition}
		in.waiting[m.At()], in.names[w.name] = w, m.At()
	}
	in.count++
	position := `{"offset":` + strconv.FormatInt(m.Offset+1, 10) + `}`
	if !in.offsets {
		position = `{"record":` + strconv.FormatInt(in.count, 10) + `,"run":"` + in.run + `"}`
	}
	kept := m.Clone() // the receipt is enough for the driver
	kept.Key, kept.Body, kept.Headers = nil, nil, nil
	w.records = append(w.records, record{position, kept})
	return &oms.Origin{Partition: w.name, Position: position}
}

// An acknowledger is a consumer, as far as the intake needs it.
type acknowledger interface {
	Ack(ctx context.Context, msgs ...*oms.Message) error
	Flush(ctx context.Context) error
}

// acknowledge acknowledges everything up to the positions. What was revoked
// since it was received is not there any more.
func (in *intake) acknowledge(ctx context.Context, positions []oms.Origin, to acknowledger) error {
	in.mu.Lock()
	var safe []*oms.Message
	ends := make(map[oms.Partition]record, len(positions))
	for _, o := range positions {
		p, known := in.names[o.Partition]
		if !known {
			continue
		}
		w := in.waiting[p]
		if n := w.upTo(o.Position); n > 0 {
			for _, r := range w.records[:n] {
				safe = append(safe, r.msg)
			}
			ends[p] = w.records[n-1]
		}
	}
	in.mu.Unlock()
	if len(safe) == 0 {
		return nil
	}
	// Whoever waits for a partition to be settled goes on only after this.
	err := to.Ack(ctx, safe...)
	if err != nil && !errors.Is(err, oms.ErrStaleDelivery) {
		return err
	}
	in.mu.Lock()
	for p, end := range ends {
		w := in.waiting[p]
		w.records = append(w.records[:0:0], w.records[w.upToRecord(end):]...)
	}
	in.wake()
	in.mu.Unlock()
	if err := to.Flush(ctx); err != nil && !errors.Is(err, oms.ErrStaleDelivery) {
		return err
	}
	return nil
}

// upTo returns how many records stand before and at a position, 0 if it is not
// there.
func (w *waiting) upTo(position string) int {
	for i, r := range w.records {
		if r.position == position {
			return i + 1
		}
	}
	return 0
}

// upToRecord is upTo for a record: after a partition has gone and come again,
// another may have its position.
func (w *waiting) upToRecord(end record) int {
	for i, r := range w.records {
		if r.msg == end.msg {
			return i + 1
		}
	}
	return 0
}

// assigned notes that the group has let the source in.
func (in *intake) assigned(context.Context, []oms.Partition) (map[oms.Partition]int64, error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.joined = true
	return nil, nil
}

func (in *intake) begun() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.joined
}

// handoverWait is how long a partition that goes to another member waits for
// what was read of it, beside the time that the target takes to make it
// durable.
const handoverWait = 10 * time.Second

// revoked waits until what was read of partitions is acknowledged, as long as
// there is time; the context ends when the consumer closes. What is not by then is forgotten: the next member gets it.
func (in *intake) revoked(ctx context.Context, ps []oms.Partition) {
	ctx, cancel := context.WithTimeout(ctx, in.handover)
	defer cancel()
	in.mu.Lock()
	defer in.mu.Unlock()
	for in.left(ps) && ctx.Err() == nil {
		settled := in.settled
		in.mu.Unlock()
		select {
		case <-settled:
		case <-ctx.Done():
		}
		in.mu.Lock()
	}
	for _, p := range ps {
		if w := in.waiting[p]; w != nil {
			w.records = nil
		}
	}
}

// left reports whether records of partitions wait. The caller holds the mutex.
func (in *intake) left(ps []oms.Partition) bool {
	for _, p := range ps {
		if w := in.waiting[p]; w != nil && len(w.records) > 0 {
			return true
		}
	}
	return false
}

// wake has those look again who wait for something to be settled. The caller
// holds the mutex.
func (in *intake) wake() {
	close(in.settled)
	in.settled = make(chan struct{})
}

// reset gives up everything, once the consumer is closed.
func (in *intake) reset() {
	in.mu.Lock()
	defer in.mu.Unlock()
	clear(in.waiting)
	clear(in.names)
	in.joined = false
}
