package omstest

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/omconnect/omconnect/oms"
)

var messageRules = []Rule{
	{ID: "M01", Sentence: "A body of any size up to the limit arrives: none, empty, one byte, the largest.", check: checkBodySizes},
	{ID: "M02", Sentence: "A body is bytes: what is no text arrives unchanged.", check: checkBinaryBodies},
	{ID: "M03", Sentence: "Headers arrive with their names, values and order, whatever is in them.", check: checkHeaders},
	{ID: "M04", Sentence: "A header without a name is ErrFormat, and nothing of its batch is sent.", check: checkNamelessHeader},
	{
		ID: "M05", Sentence: "A key is bytes, and no key differs from an empty one.",
		Needs: []oms.Capability{oms.MessageKey}, check: checkKeys,
	},
	{ID: "M06", Sentence: "Id, born time, correlation id and trace context arrive.", check: checkProperties},
	{ID: "M07", Sentence: "A message without an id is given one that no other has, and one with an id keeps it.", check: checkIDs},
	{
		ID: "M08", Sentence: "A message that has expired is not delivered and holds nothing up; one that has not is.",
		Needs: []oms.Capability{oms.Expiry}, check: checkExpiry,
	},
	{
		ID: "M09", Sentence: "A delayed message does not arrive before its time, and arrives after it.",
		Needs: []oms.Capability{oms.Delay}, check: checkDelay,
	},
	{
		ID: "M10", Sentence: "A message of high priority arrives before those of low priority that wait with it.",
		Needs: []oms.Capability{oms.Priority}, check: checkPriority,
	},
	{ID: "M13", Sentence: "A received message can be sent on as it is, and arrives the same.", check: checkSendingOn},
	{
		ID: "M14", Sentence: "The number of deliveries of a message begins at one and grows.",
		Needs: []oms.Capability{oms.DeliveryCount}, check: checkDeliveryCount,
	},
	{ID: "M15", Sentence: "A message of a program that knows nothing of this API arrives with its body and headers, and can be sent on.", needs: needsForeign, check: checkForeign},
}

// exchange sends messages to a new topic of one partition, and compares what
// arrives with what was sent.
func (b *bench) exchange(msgs ...*oms.Message) []*oms.Message {
	topic := b.topic(1)
	m := b.reader(topic)
	p := b.producer()
	for _, msg := range msgs {
		msg.Topic = topic
	}
	for part := range slices.Chunk(msgs, 50) {
		b.sendCopies(p, part...)
	}
	got := m.take(len(msgs))
	b.sameMessages(got, msgs)
	return got
}

func checkBodySizes(b *bench) {
	sizes := []int{0, 1, 2, 1000, 100_000}
	if b.caps.MaxBody > 0 {
		sizes = slices.DeleteFunc(sizes, func(n int) bool { return n >= b.caps.MaxBody })
		sizes = append(sizes, b.caps.MaxBody-1, b.caps.MaxBody)
	}
	var msgs []*oms.Message
	for _, n := range sizes {
		msgs = append(msgs, &oms.Message{ID: fmt.Sprintf("%d bytes", n), Body: pattern(n)})
	}
	if b.caps.Has(oms.Tombstones) {
		tombstone := &oms.Message{ID: "tombstone"}
		if b.caps.Has(oms.MessageKey) {
			tombstone.Key = []byte("what is gone")
		}
		msgs = append(msgs, tombstone)
	}
	b.exchange(msgs...)
}

// pattern returns n bytes in which every value is found, and which begin anew
// at odd places.
func pattern(n int) []byte {
	body := make([]byte, n)
	for i := range body {
		body[i] = byte(i % 251)
	}
	return body
}

func checkBinaryBodies(b *bench) {
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	bodies := [][]byte{
		every,
		{0},
		{0xff},
		{0xff, 0xfe},
		{0, 0, 0, 0},
		[]byte("\xc3\x28"), []byte("\xed\xa0\x80"), []byte("half a rune \xe2\x82"),
		[]byte("\r\n.\r\n"), []byte("\x1f\x8b\x08\x00 not compressed"), []byte(`{"not":"JSON`), []byte("null"),
		{0xef, 0xbb, 0xbf, 'x'},
		bytes.Repeat([]byte{0x80}, 5000),
	}
	var msgs []*oms.Message
	for i, body := range bodies {
		msgs = append(msgs, &oms.Message{ID: fmt.Sprintf("body %d", i), Body: body})
	}
	b.exchange(msgs...)
}

// weird are texts that get lost or do harm where they are not encoded.
var weird = []string{
	"a", "A", "Simple-Name", "lower_case", "dot.ted", "two words", " leading", "trailing ", "tab\there", "line\r\nInjected: yes", "new\nline",
	"ünïcode", "日本語", "emoji 🙂", "semi;colon", "com,ma", "col:on", "bang!", "eq=ual", "per%cent", "%41", "quote\"d", "it's", "back\\slash",
	"<angle>", "{brace}", "[bracket]", "a/b", "a|b", "a&b", "$dollar", "#hash", "*", "?", "+plus", "-", "_", "0", "null", "true", "\u0001", "\u2028",
	strings.Repeat("long", 40),
}

func checkHeaders(b *bench) {
	var names, values, many oms.Headers
	for _, text := range weird {
		names = append(names, oms.Header{Name: text, Value: []byte("of " + text)})
		values = append(values, oms.Header{Name: fmt.Sprintf("v%d", len(values)), Value: []byte(text)})
	}
	for i := range 100 {
		many = append(many, oms.Header{Name: fmt.Sprintf("h%d", (i*37)%100), Value: fmt.Append(nil, i)})
	}
	msgs := []*oms.Message{
		{ID: "none"},
		{ID: "names", Headers: names},
		{ID: "values", Headers: values},
		{ID: "many", Headers: many},
		{ID: "empty value", Headers: oms.Headers{{Name: "e", Value: []byte{}}, {Name: "x", Value: []byte("x")}}},
	}
	if b.caps.Has(oms.NilHeaders) {
		msgs = append(msgs, &oms.Message{ID: "no value", Headers: oms.Headers{{Name: "n"}, {Name: "e", Value: []byte{}}, {Name: "m"}}})
	}
	if b.caps.Has(oms.RepeatedHeaders) {
		msgs = append(msgs, &oms.Message{ID: "repeated", Headers: oms.Headers{
			{Name: "r", Value: []byte("2")}, {Name: "R", Value: []byte("x")}, {Name: "r", Value: []byte("1")}, {Name: "s", Value: []byte("y")}, {Name: "r", Value: []byte("2")},
		}})
	}
	if b.caps.Has(oms.BinaryHeaders) {
		var binary oms.Headers
		for i := range 256 {
			binary = append(binary, oms.Header{Name: fmt.Sprintf("b%d", i), Value: []byte{byte(i)}})
		}
		binary = append(binary, oms.Header{Name: "all", Value: pattern(251)})
		msgs = append(msgs, &oms.Message{ID: "binary", Headers: binary})
	}
	for _, msg := range msgs {
		msg.Body = []byte(msg.ID)
	}
	b.exchange(msgs...)
}

func checkNamelessHeader(b *bench) {
	topic := b.topic(1)
	m := b.reader(topic)
	p := b.producer()
	sent := numbered(topic, 0, 3)
	sent[1].Headers = oms.Headers{{Name: "good", Value: []byte("x")}, {Value: []byte("y")}}
	err := b.outcome(b.start(p.SendAsync, sent...))
	b.refused("send a header without a name", oms.FailureOf(err, 1), oms.ErrFormat)
	for _, i := range []int{0, 2} {
		b.refused("send a message beside it", oms.FailureOf(err, i), oms.ErrAborted)
	}
	b.same("what was sent", m.rest(p.SendAsync, topic), nil)
}

func checkKeys(b *bench) {
	keys := [][]byte{nil, {}, {0}, []byte("k"), {0xff, 0, 0xfe}, []byte("ünïcode"), []byte("a b.c:d/e=f;g\r\n"), pattern(251)}
	var msgs []*oms.Message
	for i, key := range keys {
		msgs = append(msgs, &oms.Message{ID: fmt.Sprintf("key %d", i), Key: key, Body: fmt.Append(nil, i)})
	}
	b.exchange(msgs...)
}

func checkProperties(b *bench) {
	const parent, state = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "congo=t61rcWkgMzE,rojo=00f067aa0ba902b7"
	born := time.UnixMilli(1_700_000_000_123)
	msgs := []*oms.Message{
		{ID: "all", BornAt: born, CorrelationID: "correlation", TraceParent: parent, TraceState: state},
		{ID: "id only"},
		{ID: "elsewhere", BornAt: born.In(time.FixedZone("far", 7*3600)).Add(345 * time.Microsecond)},
		{ID: "correlation only", CorrelationID: "c"},
		{ID: "parent only", TraceParent: parent},
	}
	for _, text := range weird {
		msgs = append(msgs, &oms.Message{ID: text, CorrelationID: text})
	}
	for i, msg := range msgs {
		msg.Body = fmt.Append(nil, i)
	}
	before := time.Now()
	got := b.exchange(msgs...)
	if at := got[1].BornAt; at.UnixMilli() < before.UnixMilli() || at.After(time.Now()) {
		b.fail("a message without a born time has %v, it was sent between %v and %v", at, before, time.Now())
	}
}

func checkIDs(b *bench) {
	n := b.h.count(500, 10_000)
	msgs := numbered("", 0, n)
	const first, last = "the first", "the last"
	msgs[0].ID, msgs[n-1].ID = first, last
	seen := make(map[string]bool)
	for i, msg := range b.exchangeAsTheyCome(msgs) {
		if msg.ID == "" || seen[msg.ID] {
			b.fail("message %d has the id %q, and is not alone with it", i, msg.ID)
		}
		seen[msg.ID] = true
	}
	if !seen[first] || !seen[last] {
		b.fail("a message that was given an id has another")
	}
}

// exchangeAsTheyCome is exchange for many messages, whose bodies are their
// numbers.
func (b *bench) exchangeAsTheyCome(msgs []*oms.Message) []*oms.Message {
	topic := b.topic(1)
	m := b.reader(topic)
	for _, msg := range msgs {
		msg.Topic = topic
	}
	b.sendCopies(b.producer(), msgs...)
	seen := make(map[string]bool)
	once := slices.DeleteFunc(m.collect(bodies(msgs)), func(msg *oms.Message) bool {
		again := seen[string(msg.Body)]
		seen[string(msg.Body)] = true
		return again
	})
	b.sameMessages(once, msgs)
	return once
}
