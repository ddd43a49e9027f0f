package connect

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"github.com/omconnect/omconnect/offsets"
	"github.com/omconnect/omconnect/oms"
)

// The model of a tracker: what may be committed ends before the first batch
// that is not confirmed, or not for long enough.
func TestTrackerCommitsUpToTheFirstHole(t *testing.T) {
	for range 300 {
		seed := rand.Uint64()
		synctest.Test(t, func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, seed))
			const durable = 5 * time.Second
			tr := newTracker(durable)
			type batch struct {
				*tracked
				at time.Time // when it was confirmed
			}
			var batches []batch
			number, taken, records, taking := 0, 0, 0, 0
			for range 100 {
				time.Sleep(time.Duration(r.IntN(2000)) * time.Millisecond)
				switch r.IntN(4) {
				case 0, 1:
					msgs := make([]*oms.Message, 1+r.IntN(3))
					for i := range msgs {
						number++
						position := fmt.Sprint(number)
						if r.IntN(3) == 0 {
							position = ""
						}
						msgs[i] = &oms.Message{Origin: &oms.Origin{Partition: fmt.Sprint(r.IntN(2)), Position: position}}
					}
					batches = append(batches, batch{tracked: tr.add(msgs)})
				case 2:
					if len(batches) > 0 {
						if b := &batches[r.IntN(len(batches))]; b.at.IsZero() {
							b.at = time.Now()
							tr.confirm(b.tracked)
						}
					}
				case 3:
					want := make(map[offsets.Partition]offsets.Position)
					for taken < len(batches) && !batches[taken].at.IsZero() && time.Since(batches[taken].at) >= durable {
						maps.Copy(want, batches[taken].positions)
						records += batches[taken].records
						taken++
					}
					got, n := tr.take()
					if taking += n; fmt.Sprint(got) != fmt.Sprint(want) || taking != records {
						t.Fatalf("seed %d: took %v (%d records in all), want %v (%d)", seed, got, taking, want, records)
					}
					tr.committed(n)
				}
				unconfirmed, waiting := 0, 0
				for i, b := range batches {
					if b.at.IsZero() {
						unconfirmed += b.records
					} else if i >= taken {
						waiting += b.records
					}
				}
				if u, w, _ := tr.load(); u != unconfirmed || w != waiting {
					t.Fatalf("seed %d: %d unconfirmed and %d waiting, want %d and %d", seed, u, w, unconfirmed, waiting)
				}
			}
		})
	}
}

func TestTrackerDoesNotKeepTheTextThatPositionsWereCutFrom(t *testing.T) {
	poll := `{"n":1}{"n":2}` // stands for the positions of a whole poll
	last := poll[7:]
	tr := newTracker(0)
	tr.confirm(tr.add([]*oms.Message{{Origin: &oms.Origin{Partition: `{}`, Position: last}}}))
	ps, _ := tr.take()
	got := string(ps[`{}`])
	if got != last || unsafe.StringData(got) == unsafe.StringData(last) {
		t.Errorf("the position is %s, and the source's own text: want a copy of %s", got, last)
	}
}
