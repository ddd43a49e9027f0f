package book_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/omconnect/omconnect/drivers/internal/book"
	"github.com/omconnect/omconnect/internal/leaks"
	"github.com/omconnect/omconnect/oms"
)

func TestMain(m *testing.M) { leaks.Main(m) }

var (
	left, right = oms.Partition{Topic: "t", Number: 0}, oms.Partition{Topic: "t", Number: 1}
	errBroken   = errors.New("broken")
)

func newBook(most int) *book.Book {
	cfg := oms.SenderConfig{MaxInFlight: most, MaxInFlightBytes: 1 << 20}
	return book.New(cfg, func(err error) error { return fmt.Errorf("driver: %w", err) })
}

// A call is a batch with what its done was called with.
type call struct {
	*book.Batch
	told []error
}

// begin opens a batch of n messages, for which there is room.
func begin(t *testing.T, k *book.Book, n int) *call {
	t.Helper()
	c := &call{}
	if c.Batch = k.Begin(t.Context(), messages(n), func(err error) { c.told = append(c.told, err) }); c.Batch == nil {
		t.Fatalf("a batch is refused: %v", c.told)
	}
	return c
}

func messages(n int) []*oms.Message {
	msgs := make([]*oms.Message, n)
	for i := range msgs {
		msgs[i] = &oms.Message{Topic: "t"}
	}
	return msgs
}

// end settles all messages of a batch, and has it told.
func (c *call) end(n int, err error) {
	for i := range n {
		c.Settle(i, err)
	}
	c.Handed()
}

func wantBlocked(t *testing.T, when string, k *book.Book, want ...oms.Partition) {
	t.Helper()
	for _, p := range []oms.Partition{left, right, {Topic: "t", Number: book.Whole}, {Topic: "other", Number: book.Whole}} {
		if got := k.Blocked(p); got != slices.Contains(want, p) {
			t.Errorf("%s: partition %v is blocked: %v", when, p, got)
		}
	}
}

func TestABatchIsToldOnceWithItsLastOutcome(t *testing.T) {
	t.Parallel()
	k := newBook(10)
	for name, test := range map[string]struct {
		outcomes []error
		want     map[int]error
	}{
		"nothing":    {nil, nil},
		"one":        {[]error{nil}, nil},
		"all stored": {[]error{nil, nil, nil}, nil},
		"all failed": {[]error{errBroken, oms.ErrAborted}, map[int]error{0: errBroken, 1: oms.ErrAborted}},
		"one failed": {[]error{nil, nil, errBroken, nil}, map[int]error{2: errBroken}},
	} {
		t.Run(name, func(t *testing.T) {
			c := begin(t, k, len(test.outcomes))
			for i := range slices.Backward(test.outcomes) { // the order is no matter
				c.Settle(i, test.outcomes[i])
			}
			if len(c.told) > 0 {
				t.Fatalf("it was told %v before all was handed over", c.told)
			}
			c.Handed()
			if len(c.told) != 1 {
				t.Fatalf("it was told %d times", len(c.told))
			}
			var got map[int]error
			if failed, ok := errors.AsType[*oms.BatchError](c.told[0]); ok {
				got = failed.Failed
			} else if c.told[0] != nil {
				t.Errorf("it was told %v, want a BatchError", c.told[0])
			}
			if diff := cmp.Diff(test.want, got, cmp.Comparer(errors.Is)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestAPartitionIsBlockedUntilEveryEarlierBatchIsTold(t *testing.T) {
	t.Parallel()
	k := newBook(100)
	first, second := begin(t, k, 1), begin(t, k, 1)
	wantBlocked(t, "without a failure", k)
	k.Block(left)
	third := begin(t, k, 1)
	first.end(1, errBroken)
	wantBlocked(t, "with the second not told", k, left)
	// The third was refused just now, so it has to be told as well.
	second.end(1, nil)
	wantBlocked(t, "with the third not told", k, left)
	fourth := begin(t, k, 1)
	third.end(1, oms.ErrAborted)
	fourth.end(1, nil)
	wantBlocked(t, "when all are told", k)
	k.Block(left)
	fifth := begin(t, k, 1)
	wantBlocked(t, "behind what was told", k)
	fifth.end(1, nil)
}

func TestBatchesThatAreToldOutOfOrderKeepThePartitionBlocked(t *testing.T) {
	t.Parallel()
	k := newBook(100)
	first, second, third := begin(t, k, 1), begin(t, k, 1), begin(t, k, 1)
	k.Block(right)
	k.Block(oms.Partition{Topic: "other", Number: book.Whole})
	fourth := begin(t, k, 1)
	third.end(1, errBroken)
	second.end(1, nil)
	fourth.end(1, nil)
	wantBlocked(t, "with the first not told", k, right, oms.Partition{Topic: "other", Number: book.Whole})
	first.end(1, nil)
	wantBlocked(t, "when all are told", k)
}

func TestAPartitionStaysBlockedUntilDoneHasReturned(t *testing.T) {
	t.Parallel()
	k := newBook(100)
	var c *book.Batch
	called := false
	c = k.Begin(t.Context(), messages(1), func(error) {
		called = true
		wantBlocked(t, "within done", k, left)
	})
	k.Block(left)
	c.Settle(0, errBroken)
	c.Handed()
	if !called {
		t.Fatal("done is not called")
	}
	wantBlocked(t, "behind done", k)
}

func TestABatchWaitsForRoomAndGivesItBackWhenItIsTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := newBook(3)
		c := begin(t, k, 2)
		entered := make(chan *book.Batch, 1)
		go func() { entered <- k.Begin(t.Context(), messages(2), func(error) {}) }()
		synctest.Wait()
		if len(entered) > 0 {
			t.Fatal("four messages are in a window of three")
		}
		begin(t, k, 0).Handed() // needs no room
		c.Settle(0, nil)
		c.Handed()
		synctest.Wait()
		if len(entered) > 0 {
			t.Fatal("there is room before the batch is told")
		}
		c.Settle(1, nil)
		b := <-entered
		b.Settle(0, nil)
		b.Settle(1, nil)
		b.Handed()
		begin(t, k, 3).end(3, nil) // all of the room is back
	})
}

func TestABatchThatIsNotLetInFailsAndBlocksItsTopics(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := newBook(1)
		c := begin(t, k, 1)
		ctx, cancel := context.WithCancel(t.Context())
		told, over := make(chan error, 1), make(chan struct{})
		go func() {
			defer close(over)
			if k.Begin(ctx, messages(5), func(err error) { told <- err }) != nil {
				t.Error("there is a batch that was told already")
			}
		}()
		synctest.Wait()
		cancel()
		err := <-told
		if !errors.Is(err, oms.ErrAborted) || !errors.Is(err, context.Canceled) || err.Error()[:7] != "driver:" {
			t.Errorf("it was told %v, want ErrAborted in the words of the driver", err)
		}
		<-over // done has returned, and not that of the first
		wantBlocked(t, "behind it", k, oms.Partition{Topic: "t", Number: book.Whole})
		c.end(1, nil)
		wantBlocked(t, "when all are told", k)
		begin(t, k, 1).end(1, nil) // it had taken no room
	})
}

func TestManyOutcomesAtOnceTellABatchOnce(t *testing.T) {
	t.Parallel()
	const batches, each = 50, 20
	k := newBook(2 * each)
	var mu sync.Mutex
	told := make(map[int]int)
	var all sync.WaitGroup
	for i := range batches {
		all.Add(1)
		b := k.Begin(t.Context(), messages(each), func(err error) {
			defer all.Done()
			mu.Lock()
			defer mu.Unlock()
			told[i]++
			if failed, ok := errors.AsType[*oms.BatchError](err); !ok || len(failed.Failed) != each/2 {
				t.Errorf("batch %d: %v, want %d failures", i, err, each/2)
			}
		})
		for j := range each {
			go func() {
				if j%2 == 0 {
					k.Block(left)
					b.Settle(j, errBroken)
					return
				}
				_ = k.Blocked(left)
				b.Settle(j, nil)
			}()
		}
		b.Handed()
	}
	all.Wait()
	for i := range batches {
		if told[i] != 1 {
			t.Errorf("batch %d was told %d times", i, told[i])
		}
	}
	if err := k.Close(t.Context(), func() { t.Error("it gives up") }); err != nil {
		t.Error(err)
	}
	wantBlocked(t, "when all are told", k)
}
