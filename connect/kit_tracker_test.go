package connect

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/omconnect/omconnect/offsets"
	"github.com/omconnect/omconnect/oms"
)

// A tracked record as the model knows it: where it stands in its source, and
// the batch that it is confirmed with.
type modelRecord struct {
	oms.Origin
	batch *tracked
	since *time.Time // when the batch was confirmed; zero before
}

// mayCommit is the whole model of a tracker: the last position of each
// partition before the first record that is not durable.
func mayCommit(records []modelRecord, durable time.Duration) (ps map[offsets.Partition]offsets.Position, n int) {
	ps = make(map[offsets.Partition]offsets.Position)
	for n < len(records) && !records[n].since.IsZero() && time.Since(*records[n].since) >= durable {
		if r := records[n]; r.Position != "" {
			ps[offsets.Partition(r.Partition)] = offsets.Position(r.Position)
		}
		n++
	}
	return ps, n
}

// Polls of records of several partitions, of which neighbours share positions
// and some have none, cut into batches as a source does; batches that are
// confirmed in any order, or at once because all their records were dropped.
func TestTrackerIsItsModel(t *testing.T) {
	runs := 10_000
	if os.Getenv("OMCONNECT_TEST_FULL") != "" {
		runs = 200_000
	}
	first, together := rand.Uint64()%1e9, uint64(250) // runs in one bubble
	if f := flag.Lookup("seed"); f.Value.String() != "0" {
		n, err := strconv.ParseUint(f.Value.String(), 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		first, together, runs = n, 1, 1
	}
	for ; runs > 0; runs -= int(together) {
		synctest.Test(t, func(t *testing.T) {
			for seed := first; seed < first+together && !t.Failed(); seed++ {
				runTracker(t, seed)
			}
		})
		first += together
	}
}

func runTracker(t *testing.T, seed uint64) {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, seed))
	durable := time.Duration(r.IntN(3)*r.IntN(3000)) * time.Millisecond
	tr := newTracker(durable)
	var records []modelRecord
	var open []int // records that begin a batch which is not confirmed
	got, taken, number, unconfirmed := make(map[offsets.Partition]offsets.Position), 0, 0, 0
	confirm := func(i int) {
		unconfirmed -= records[i].batch.records
		tr.confirm(records[i].batch)
		*records[i].since = time.Now()
	}
	for range 20 {
		time.Sleep(time.Duration(r.IntN(1500)) * time.Millisecond)
		switch r.IntN(5) {
		case 0, 1:
			poll := trackerPoll(r, &number)
			for len(poll) > 0 {
				n := border(poll)
				batch, since, begin := tr.add(poll[:n]), new(time.Time), len(records)
				unconfirmed += n
				for _, m := range poll[:n] {
					records = append(records, modelRecord{*m.Origin, batch, since})
				}
				if r.IntN(4) == 0 { // all dropped by the transforms
					confirm(begin)
				} else {
					open = append(open, begin)
				}
				poll = poll[n:]
			}
		case 2, 3:
			if len(open) > 0 {
				i := r.IntN(len(open))
				confirm(open[i])
				open = append(open[:i], open[i+1:]...)
			}
		case 4:
			ps, n := tr.take()
			maps.Copy(got, ps)
			taken += n
			want, all := mayCommit(records, durable)
			if taken != all || !maps.Equal(got, want) {
				t.Fatalf("seed %d: took %v of %d records, want %v of %d", seed, got, taken, want, all)
			}
			wantWhole(t, seed, records[:all], records[all:])
			tr.committed(n)
		}
		if u, w, _ := tr.load(); u != unconfirmed || w != len(records)-unconfirmed-taken || tr.blocked() != firstOpen(records[taken:]) {
			t.Fatalf("seed %d: %d unconfirmed, %d waiting, blocked %v; want %d, %d, %v", seed, u, w, tr.blocked(),
				unconfirmed, len(records)-unconfirmed-taken, firstOpen(records[taken:]))
		}
	}
}

func firstOpen(records []modelRecord) bool { return len(records) > 0 && records[0].since.IsZero() }

// wantWhole fails the test when a position is committed that a record behind
// the hole shares: it would be lost.
func wantWhole(t *testing.T, seed uint64, before, behind []modelRecord) {
	t.Helper()
	if len(before) == 0 || len(behind) == 0 {
		return
	}
	if last, next := before[len(before)-1], behind[0]; last.Position != "" && last.Origin == next.Origin {
		t.Fatalf("seed %d: %v is committed, and a record that shares it is not durable", seed, last.Origin)
	}
}

// trackerPoll returns what a poll may return: mostly little, once in a while
// more than one batch.
func trackerPoll(r *rand.Rand, number *int) []*oms.Message {
	size := 1 + r.IntN(5)
	if r.IntN(200) == 0 {
		size = batchRecords - 3 + r.IntN(2*batchRecords)
	}
	msgs := make([]*oms.Message, 0, size)
	for len(msgs) < size {
		*number++
		o := oms.Origin{Partition: fmt.Sprintf(`{"p":%d}`, r.IntN(3)), Position: fmt.Sprintf(`{"n":%d}`, *number)}
		if r.IntN(4) == 0 {
			o.Position = ""
		}
		for range 1 + r.IntN(3)*r.IntN(3) { // neighbours that share it
			origin := o
			msgs = append(msgs, &oms.Message{Origin: &origin})
		}
	}
	return msgs
}

// What cannot be sent because of a failure takes along what shares its
// position, and nothing else.
func TestUnsplitCutsAtAPosition(t *testing.T) {
	for range 2000 {
		seed := rand.Uint64()
		r := rand.New(rand.NewPCG(seed, seed))
		number := 0
		msgs := trackerPoll(r, &number)
		n := r.IntN(len(msgs) + 1)
		cut := unsplit(msgs, n)
		shares := func(i int) bool {
			return i > 0 && i < len(msgs) && msgs[i].Origin.Position != "" && *msgs[i-1].Origin == *msgs[i].Origin
		}
		if cut > n || shares(cut) {
			t.Fatalf("seed %d: cut %d of %d, between records of one position", seed, cut, n)
		}
		for i := cut + 1; i <= n; i++ {
			if !shares(i) {
				t.Fatalf("seed %d: cut at %d although %d would do", seed, cut, i)
			}
		}
	}
}
