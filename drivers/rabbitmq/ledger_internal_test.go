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
		rs = append(rs, *m.Receipt.(*receipt))
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
	l := newTestLedger(t, 100, 1000, 9)
	msgs := l.take(9)
	acked := func(msgs ...*oms.Message) (tell []acking) {
		t.Helper()
		if _, stale := l.ack(receiptsOf(msgs...)); stale {
			t.Error("acknowledgements of what is out are stale")
		}
		return l.tell()
	}
	same(t, "out of order", acked(msgs[2], msgs[1]), []acking{{tag: 2}, {tag: 3}})
	same(t, "the missing one", acked(msgs[0]), []acking{{tag: 1}}) // the broker knows the two behind it no more
	same(t, "a row and one beside it", acked(msgs[5], msgs[3], msgs[4], msgs[7]), []acking{{tag: 6, multiple: true}, {tag: 8}})
	same(t, "again", acked(msgs[0], msgs[7]), nil)
	same(t, "what fills a gap before what the broker knows", acked(msgs[8], msgs[6]), []acking{{tag: 9, multiple: true}})
}

// What the broker is told of at once need not have been acknowledged at once.
func TestAcknowledgementsAreKeptUntilTheBrokerIsTold(t *testing.T) {
	t.Parallel()
	l := newTestLedger(t, 100, 1000, 5)
	msgs := l.take(5)
	for i, want := range []int{1, 2, 3} {
		untold, _ := l.ack(receiptsOf(msgs[4-2*i]))
		same(t, "what the broker does not know", untold, want)
	}
	same(t, "the first three", l.tell(), []acking{{tag: 1}, {tag: 3}, {tag: 5}})
	l.ack(receiptsOf(msgs[3]))
	l.ack(receiptsOf(msgs[1]))
	same(t, "the others", l.tell(), []acking{{tag: 4, multiple: true}})
	same(t, "once more", l.tell(), nil)
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
	same(t, "what the broker is told at last", l.tell(), []acking{{tag: 1}})
	for range 2 {
		untold, stale := l.ack(receiptsOf(msgs...))
		same(t, "what the broker is not told", untold, 0)
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

// Whoever waits for a moment in which nothing is out does not have to catch it.
func TestALedgerRetiresInTheMomentThatNothingIsOut(t *testing.T) {
	t.Parallel()
	for what, settle := range map[string]func(*ledger, []receipt){
		"acknowledged": func(l *ledger, rs []receipt) { l.ack(rs) },
		"given back":   func(l *ledger, rs []receipt) { l.giveBack(rs) },
	} {
		l := newTestLedger(t, 100, 1000, 3)
		msgs := l.take(1)
		if l.retire() {
			t.Errorf("%s: it retires with a message out", what)
		}
		msgs = append(msgs, l.take(1)...)
		same(t, what+": handed out meanwhile", ids(msgs), []string{"1", "2"})
		settle(l, receiptsOf(msgs...))
		same(t, what+": handed out afterwards", ids(l.take(10)), nil)
		if !l.isRetired() {
			t.Errorf("%s: it has not retired", what)
		}
	}
}

// What has no room is dropped, and all that is behind it, so that nothing is
// overtaken. It is in hand until the broker has it back.
func TestWhatHasNoRoomIsDropped(t *testing.T) {
	t.Parallel()
	l := newTestLedger(t, 100, 30, 0)
	l.setStrict(true)
	var fits []int
	for tag, size := range []int{40, 1, 25, 1} {
		e := &entry{tag: uint64(tag + 1), queue: "q", size: size, msg: &oms.Message{ID: fmt.Sprint(tag + 1), Topic: "t"}}
		fits = append(fits, l.add(e))
	}
	same(t, "how many had room, where one is the first that has none", fits, []int{0, 1, 0, 0})
	same(t, "what is in hand", l.inHand("q"), int64(4))
	msgs := l.take(10)
	same(t, "what is handed out: one, however large", ids(msgs), []string{"1"})
	l.ack(receiptsOf(msgs...))
	same(t, "what follows", ids(l.take(10)), nil)
	if !l.hasDropped() || l.inHand("q") != 3 || l.inHand("r") != 0 {
		t.Errorf("%d dropped messages are in hand, want 3", l.inHand("q"))
	}

	l = newTestLedger(t, 100, 30, 0)
	for tag := range 5 { // no prefetch would be smaller
		l.add(&entry{tag: uint64(tag + 1), queue: "q", size: 20, msg: &oms.Message{ID: fmt.Sprint(tag + 1), Topic: "t"}})
	}
	if l.hasDropped() {
		t.Error("messages are dropped where that cannot help")
	}
}

// Whoever acknowledges nothing until more comes, and is not given more before
// it does, is starved.
func TestALedgerSeesThatSomebodyIsStarved(t *testing.T) {
	t.Parallel()
	l := newTestLedger(t, 100, 30, 3)
	l.setStrict(true)
	same(t, "with messages to hand out", l.look(), 0)
	msgs := l.take(2)
	l.add(&entry{tag: 4, queue: "q", size: 10, msg: &oms.Message{ID: "4", Topic: "t"}})
	same(t, "with one to hand out", l.look(), 0)
	msgs = append(msgs, l.take(10)...)
	same(t, "while nobody asks", l.look(), 0)
	l.take(1)
	same(t, "for the first time", l.look(), 1)
	same(t, "again", l.look(), 2)
	l.ack(receiptsOf(msgs[0]))
	same(t, "after something was settled", l.look(), 0)
	l.take(1)
	same(t, "afterwards", l.look(), 1)
	l.ack(receiptsOf(msgs...))
	l.take(1)
	same(t, "with nothing out", l.look(), 0)
}

func TestALedgerRests(t *testing.T) {
	t.Parallel()
	l := newTestLedger(t, 100, 1000, 2)
	l.rest(true)
	same(t, "meanwhile", ids(l.take(10)), nil)
	l.rest(false)
	same(t, "afterwards", ids(l.take(10)), []string{"1", "2"})
}

// Queues are fed side by side, so a tag may come behind a later one.
func TestTagsNeedNotComeInOrder(t *testing.T) {
	t.Parallel()
	l := newTestLedger(t, 100, 1000, 0)
	for _, tag := range []uint64{3, 1, 2} {
		l.add(&entry{tag: tag, queue: "q", size: 1, msg: &oms.Message{ID: fmt.Sprint(tag), Topic: "t"}})
		if tag == 3 {
			l.ack(receiptsOf(l.take(1)...))
			same(t, "the last one", l.tell(), []acking{{tag: 3}})
			same(t, "what is in hand", l.inHand("q"), int64(0))
		}
	}
	l.ack(receiptsOf(l.take(2)...))
	same(t, "the others", l.tell(), []acking{{tag: 2, multiple: true}})
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
	if untold, stale := l.ack(receiptsOf(again[0])); stale || untold != 1 {
		t.Errorf("the present one: %v, stale %v", untold, stale)
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
	if untold, stale := l.ack(receiptsOf(msgs...)); !stale || untold != 0 {
		t.Errorf("ack has %v to tell, stale %v", untold, stale)
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
