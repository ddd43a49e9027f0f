package turns_test

import (
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/omconnect/omconnect/drivers/internal/turns"
	"github.com/omconnect/omconnect/internal/murmur2"
	"github.com/omconnect/omconnect/oms"
)

func TestMessagesOfACallStayTogetherAndTheNextCallGoesOn(t *testing.T) {
	t.Parallel()
	var ts turns.Turns
	var got []int
	for range 4 {
		c := ts.Call()
		for range 3 {
			got = append(got, c.Partition(&oms.Message{Topic: "t"}, 3), c.Partition(&oms.Message{Topic: "other"}, 2))
		}
	}
	want := []int{0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 2, 0, 2, 0, 2, 0, 0, 1, 0, 1, 0, 1}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestAKeyHasItsPartitionWhateverTheTurn(t *testing.T) {
	t.Parallel()
	var ts turns.Turns
	for i := range 100 {
		m := &oms.Message{Topic: "t", Key: strconv.AppendInt(nil, int64(i), 10)}
		c := ts.Call()
		if got, want := c.Partition(m, 7), murmur2.Partition(m.Key, 7); got != want {
			t.Errorf("key %s goes to %d, want %d", m.Key, got, want)
		}
	}
	c := ts.Call()
	if got := c.Partition(&oms.Message{Topic: "t", Key: []byte{}}, 7); got != murmur2.Partition([]byte{}, 7) {
		t.Errorf("the empty key goes to %d", got)
	}
	if got := c.Partition(&oms.Message{Topic: "t"}, 7); got != 0 {
		t.Errorf("keys have taken %d turns", got)
	}
}

func TestATopicThatShrinksOrHasOnePartitionIsNeverLeft(t *testing.T) {
	t.Parallel()
	var ts turns.Turns
	for range 5 {
		ts.Call().Partition(&oms.Message{Topic: "t"}, 8)
	}
	c := ts.Call()
	for _, n := range []int{8, 2, 1, 3} {
		if got := c.Partition(&oms.Message{Topic: "t"}, n); got != 5%n {
			t.Errorf("of %d partitions it is %d, want %d", n, got, 5%n)
		}
	}
}

func TestCallsAtTheSameTimeTakeATurnEach(t *testing.T) {
	t.Parallel()
	const calls = 64
	var ts turns.Turns
	taken := make([]int, calls)
	var wg sync.WaitGroup
	for i := range calls {
		wg.Go(func() { taken[i] = ts.Call().Partition(&oms.Message{Topic: "t"}, calls) })
	}
	wg.Wait()
	slices.Sort(taken)
	for i, at := range taken {
		if at != i {
			t.Fatalf("turn %d was taken by somebody else, or by nobody: %v", i, taken)
		}
	}
}
