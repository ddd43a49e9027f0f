package rabbitmq

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/omconnect/omconnect/oms"
)

func newTestLedger(t *testing.T, maxCount, maxBytes, tags int) *ledger {
	t.Helper()
	l := newLedger(&receiver{cfg: oms.ReceiverConfig{MaxUnacked: maxCount, MaxUnackedBytes: maxBytes}})
	for tag := range tags {
		l.add(&entry{tag: uint64(tag + 1), queue: "q", size: 10, msg: &oms.Message{ID: fmt.Sprint(tag + 1), Topic: "t", Deliveries: 1}})
	}
	return l
}

func ids(msgs []*oms.Message) (ids []string) {
	for _, m := range msgs {
		ids = append(ids, m.ID)
	}
	return ids
}

func receiptsOf(msgs ...*oms.Message) (rs []receipt) {
	for _, m := range msgs {
		rs = append(rs, m.Receipt.(receipt))
	}
	return rs
}

func same[T any](t *testing.T, what string, got, want T) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(acking{})); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func TestNoMoreIsHandedOutThanTheBoundsAllow(t *testing.T) {
	t.Parallel()
	l := newTestLedger(t, 3, 1000, 5)
	first := l.take(2)
	same(t, "the first", ids(first), []string{"1", "2"})
	same(t, "up to the bound in messages", ids(l.take(10)), []string{"3"})
	same(t, "over it", ids(l.take(10)), nil)
	l.ack(receiptsOf(first...))
	same(t, "after two are settled", ids(l.take(10)), []string{"4", "5"})

	l = newTestLedger(t, 100, 25, 5)
	same(t, "up to the bound in bytes", ids(l.take(10)), []string{"1", "2"})
	l = newTestLedger(t, 100, 5, 2)
	same(t, "one, however large", ids(l.take(10)), []string{"1"})
}

func TestAcknowledgementsWithoutAGapAreOneWord(t *testing.T) {
	t.Parallel()
	l := newTestLedger(t, 100, 1000, 8)
	msgs := l.take(8)
	tell, stale := l.ack(receiptsOf(msgs[2], msgs[1]))
	same(t, "out of order", tell, []acking{{tag: 2}, {tag: 3}})
	tell, _ = l.ack(receiptsOf(msgs[0]))
	same(t, "the missing one", tell, []acking{{tag: 1}}) // the broker knows the two behind it no more
	tell, _ = l.ack(receiptsOf(msgs[5], msgs[3], msgs[4], msgs[7]))
	same(t, "a row and one beside it", tell, []acking{{tag: 6, multiple: true}, {tag: 8}})
	if stale {
		t.Error("acknowledgements of this session are stale")
	}
	tell, stale = l.ack(receiptsOf(msgs[0], msgs[7]))
	same(t, "again", tell, nil)
	if stale {
		t.Error("acknowledging twice is stale")
	}
}

// What is retired hands nothing out and settles nothing: there was nothing out,
// so whoever acknowledges does so again.
func TestALedgerRetiresWhenNothingIsOut(t *testing.T) {
	t.Parallel()
	l := newTestLedger(t, 100, 1000, 3)
	msgs := l.take(2)
	if l.retire() || l.isIdle() {
		t.Error("it retires with messages out")
	}
	l.ack(receiptsOf(msgs[0]))
	l.giveBack(receiptsOf(msgs[1]))
	if !l.isIdle() || !l.retire() || !l.isRetired() {
		t.Error("it does not retire with nothing out")
	}
	same(t, "what is handed out", l.take(10), nil)
	same(t, "what is in hand meanwhile", l.inHand("q"), int64(2))
	for range 2 {
		tell, stale := l.ack(receiptsOf(msgs...))
		same(t, "what the broker is told", tell, nil)
		if stale || l.giveBack(receiptsOf(msgs...)) {
			t.Error("what was settled is stale")
		}
		l.close()
	}
	same(t, "what is in hand at last", l.inHand("q"), int64(0))
	if l.retire() {
		t.Error("what is closed retires")
	}
}

func TestALedgerWeighsWhatWasDelivered(t *testing.T) {
	t.Parallel()
	l := newTestLedger(t, 100, 30, 3) // of 10 bytes each
	if l.isOver() {
		t.Error("three of ten bytes are more than 30")
	}
	l.add(&entry{tag: 4, queue: "q", msg: &oms.Message{ID: "4"}, size: 1})
	if !l.isOver() {
		t.Error("31 bytes are not more than 30")
	}
	l.ack(receiptsOf(l.take(1)...))
	if l.isOver() {
		t.Error("what was acknowledged weighs")
	}
}

func TestWhatIsGivenBackComesBeforeWhatWasDeliveredLater(t *testing.T) {
	t.Parallel()
	l := newTestLedger(t, 100, 1000, 5)
	msgs := l.take(3)
	if l.giveBack(receiptsOf(msgs[2], msgs[0])) {
		t.Error("giving back is stale")
	}
	again := l.take(10)
	same(t, "then", ids(again), []string{"1", "3", "4", "5"})
	if again[0].Deliveries != 2 || again[2].Deliveries != 1 || msgs[0].Deliveries != 1 {
		t.Errorf("deliveries are %d, %d, and once were %d; want 2, 1, 1", again[0].Deliveries, again[2].Deliveries, msgs[0].Deliveries)
	}
	if _, stale := l.ack(receiptsOf(msgs[0])); !stale {
		t.Error("a handing out from before the nack can be acknowledged")
	}
	if tell, stale := l.ack(receiptsOf(again[0])); stale || len(tell) != 1 {
		t.Errorf("the present one: %v, stale %v", tell, stale)
	}
	if l.giveBack(receiptsOf(again[0])) {
		t.Error("giving back what was acknowledged is stale")
	}
	same(t, "in the end", ids(l.take(10)), nil)
}

func TestALedgerThatIsClosedSettlesNothing(t *testing.T) {
	t.Parallel()
	l := newTestLedger(t, 100, 1000, 3)
	msgs := l.take(2)
	l.close()
	if tell, stale := l.ack(receiptsOf(msgs...)); !stale || tell != nil {
		t.Errorf("ack tells the broker %v, stale %v", tell, stale)
	}
	if !l.giveBack(receiptsOf(msgs[0])) {
		t.Error("nack is not stale")
	}
	l.add(&entry{tag: 9, msg: &oms.Message{}})
	same(t, "what is handed out", ids(l.take(10)), nil)
	if n := l.inHand("q"); n != 0 {
		t.Errorf("%d are in hand", n)
	}
}

func TestAPausedTopicIsSilent(t *testing.T) {
	t.Parallel()
	l := newTestLedger(t, 100, 1000, 2)
	l.know("t")
	l.know("u")
	l.add(&entry{tag: 3, queue: "r", size: 10, msg: &oms.Message{ID: "3", Topic: "u"}})
	l.pause("t", true)
	same(t, "while it is paused", ids(l.take(10)), []string{"3"})
	l.pause("t", false)
	same(t, "afterwards", ids(l.take(10)), []string{"1", "2"})
	if !l.knows("t") || l.knows("v") {
		t.Error("the ledger does not know what is assigned")
	}
	if n := l.inHand("q"); n != 2 {
		t.Errorf("%d messages of the queue are in hand, want 2", n)
	}
}
