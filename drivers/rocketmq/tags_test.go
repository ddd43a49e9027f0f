package rocketmq_test

import (
	"testing"

	"github.com/apache/rocketmq-client-go/v2/primitive"
	"github.com/google/go-cmp/cmp"

	"github.com/omconnect/omconnect/drivers/rocketmq"
	"github.com/omconnect/omconnect/oms"
)

// tagsForFilters sends with tags, in batches and delayed, to somebody who wants
// one of them.
func tagsForFilters(t *testing.T, b *broker, _ *bare) {
	t.Helper()
	c := b.open(t, "?tag.header=colour&delay=timer")
	makeTopic(t, c, "tagged", 1)
	coloured := func(colour string) *oms.Message {
		m := &oms.Message{Topic: "tagged", Body: []byte(colour)}
		if colour != "" {
			m.Headers = oms.Headers{{Name: "colour", Value: []byte(colour)}}
		}
		return m
	}
	late := coloured("red")
	late.Body, late.Delay = []byte("late"), 1
	must(t, sendAll(t, c, coloured("red"), coloured("blue"), coloured(""), coloured("Grün 2"), coloured("red"), late))
	if diff := cmp.Diff([]string{"red", "red", "late"}, tagged(t, c, "tagged", "red", 3)); diff != "" {
		t.Errorf("with the tag red (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"blue", "Grün 2"}, tagged(t, c, "tagged", "blue || Grün 2", 2)); diff != "" {
		t.Errorf("with the tag blue or Grün 2 (-want +got):\n%s", diff)
	}
	// Whoever receives has the header, with the option or without.
	for group, at := range map[string]oms.Conn{"with": c, "without": b.open(t, "")} {
		got := receiveAll(t, at, group, "tagged", 6)
		if diff := cmp.Diff(coloured("red").Headers, got[0].Headers); diff != "" {
			t.Errorf("%s the option (-sent +received):\n%s", group, diff)
		}
	}
}

// tagged returns n bodies of a topic's first queue, of messages with tags.
func tagged(t *testing.T, c oms.Conn, topic, tags string, n int) (all []string) {
	t.Helper()
	ctx := within(t)
	for next := int64(0); len(all) < n; {
		var bodies []string
		var err error
		bodies, next, err = rocketmq.Tagged(ctx, c, topic, tags, next)
		must(t, err)
		all = append(all, bodies...)
	}
	return all
}

func receivesTags(t *testing.T, b *broker, native *bare) {
	t.Helper()
	c := b.open(t, "?tag.header=colour")
	makeTopic(t, c, "foreign-tags", 1)
	m := primitive.NewMessage("foreign-tags", []byte("x")).WithTag("red")
	m.WithProperty("shop", "7")
	must(t, native.send(within(t), m))
	must(t, native.send(within(t), primitive.NewMessage("foreign-tags", []byte("y"))))
	got := receiveAll(t, c, "foreign-tags", "foreign-tags", 2)
	want := oms.Headers{{Name: "colour", Value: []byte("red")}, {Name: "shop", Value: []byte("7")}}
	if diff := cmp.Diff(want, got[0].Headers); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
	if len(got[1].Headers) != 0 {
		t.Errorf("one without a tag has %v", got[1].Headers)
	}
}
