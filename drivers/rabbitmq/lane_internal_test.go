package rabbitmq

import (
	"strings"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/omconnect/omconnect/oms"
)

// What comes back is known by its id, and by a number where that is not enough.
func TestWhatComesBackIsKnown(t *testing.T) {
	t.Parallel()
	l := &lane{returns: make(chan amqp.Return, 10), onWay: make(map[label]*record), proven: make(map[oms.Partition]bool)}
	var records []*record
	for _, id := range []string{"a", "b", "a", "", strings.Repeat("i", 300), "\xff", "a"} {
		r := &record{msg: &oms.Message{ID: id, Topic: "t"}, part: oms.Partition{Topic: "t"}}
		l.enter(r)
		records = append(records, r)
	}
	var numbers []int64
	for _, r := range records {
		numbers = append(numbers, r.label.sequence)
	}
	same(t, "numbers", numbers, []int64{0, 0, 1, 2, 3, 4, 5})
	for _, at := range []int{2, 0, 4, 6} {
		p, err := encode(records[at].msg, records[at].label.sequence, now)
		if err != nil {
			t.Fatal(err)
		}
		l.returns <- amqp.Return{Headers: p.Headers, MessageId: p.MessageId, ReplyCode: amqp.NoRoute}
		if back := l.collect(); len(back) != 1 || back[0] != records[at] {
			t.Errorf("message %d came back, %v are found", at, back)
		}
	}
	same(t, "nothing more", len(l.collect()), 0)

	for _, r := range records {
		l.forget(r)
	}
	again := &record{msg: &oms.Message{ID: "a"}}
	l.enter(again)
	same(t, "the number of an id that is free again", again.label.sequence, 0)
	l.returns <- amqp.Return{MessageId: "b"}
	same(t, "what is not on its way any more", len(l.collect()), 0)
}
