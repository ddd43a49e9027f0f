package connecttest

import (
	"context"
	"fmt"
	"slices"

	"github.com/omconnect/omconnect/oms"
)

var deliveryRules = []rule{
	{"Backlog", "what is there before the source starts is delivered, each record once", always, checkBacklog},
	{"Live", "what is written while the source runs is delivered, each record once", live, checkLive},
	{"End", "a source that ends does so by io.EOF itself after its last record, and each time it is polled again; another never does", always, checkEnd},
	{"Origins", "every message carries its origin: a partition and a position, or none, which are JSON objects with sorted keys and no white space", always, checkOrigins},
	{"PositionsDiffer", "no two records of a partition have the same position, but for neighbours of one Poll", always, checkPositionsDiffer},
	{"Topics", "a message has no topic, and goes to the connector's, or a valid one", always, checkTopics},
	{"Unchanged", "what Poll has returned is not changed any more: neither the list, nor a message, nor what its key and body point to", always, checkUnchanged},
}

// live reports whether records can be written while the source runs.
func live(b *bench) bool { return b.source.Write != nil && !b.source.Finite }

func checkBacklog(ctx context.Context, b *bench) {
	b.writeAll()
	r := b.open(ctx)
	r.rest(ctx, b.written)
	r.want(b.written)
}

func checkLive(ctx context.Context, b *bench) {
	r := b.open(ctx)
	r.poll(ctx) // while nothing is there
	for n := range 4 {
		b.write(n + 1)
		r.until(ctx, b.written)
	}
	r.rest(ctx, b.written)
	r.want(b.written)
}

func checkEnd(ctx context.Context, b *bench) {
	b.writeAll()
	r := b.open(ctx)
	r.until(ctx, b.written)
	for range 5 {
		if !r.ended {
			r.poll(ctx)
		}
	}
	if r.ended != b.source.Finite {
		fail("io.EOF came: %v, and the harness says that the source is finite: %v; %s", r.ended, b.source.Finite, r)
	}
	for range 2 {
		before := r.ended
		r.ended = false
		if n := r.poll(ctx); before && (n > 0 || !r.ended) {
			fail("a Poll after io.EOF returned %d messages, io.EOF again: %v", n, r.ended)
		}
	}
}

func checkOrigins(ctx context.Context, b *bench) {
	b.writeAll()
	r := b.open(ctx)
	r.until(ctx, b.written)
	for _, rec := range r.got {
		if rec.Origin == nil {
			fail("record %d has no Origin; oms.NewOrigin makes one", rec.number)
		}
		ok(fmt.Sprintf("the partition of record %d", rec.number), canonical(rec.origin.Partition))
		if rec.origin.Position != "" {
			ok(fmt.Sprintf("the position of record %d", rec.number), canonical(rec.origin.Position))
		}
	}
}

// canonical returns nil, or why a text is not a canonical JSON object.
func canonical(text string) error {
	again, err := oms.CanonicalObject(jsonText(text))
	switch {
	case err != nil:
		return fmt.Errorf("%.200q is not a JSON object; oms.NewOrigin makes one", text)
	case again != text:
		return fmt.Errorf("%.200q is not canonical, which would be %.200q; oms.NewOrigin makes it so", text, again)
	}
	return nil
}

// A jsonText is JSON as it stands there.
type jsonText string

// MarshalJSON returns the text.
func (t jsonText) MarshalJSON() ([]byte, error) { return []byte(t), nil }

func checkPositionsDiffer(ctx context.Context, b *bench) {
	b.writeAll()
	r := b.open(ctx)
	r.until(ctx, b.written)
	last := make(map[oms.Origin]int) // index of the last record there
	for i, rec := range r.got {
		if rec.origin.Position == "" {
			continue
		}
		before, again := last[rec.origin]
		if again && (before != i-1 || r.got[before].poll != rec.poll) {
			fail("records %d and %d of partition %s have the same position %s", r.got[before].number, rec.number, rec.origin.Partition, rec.origin.Position)
		}
		last[rec.origin] = i
	}
}

func checkTopics(ctx context.Context, b *bench) {
	b.writeAll()
	r := b.open(ctx)
	r.until(ctx, b.written)
	for _, rec := range r.got {
		if rec.Topic != "" {
			ok(fmt.Sprintf("record %d", rec.number), oms.ValidTopic(rec.Topic))
		}
	}
}

func checkUnchanged(ctx context.Context, b *bench) {
	b.writeAll()
	r := b.open(ctx)
	r.rest(ctx, b.written)
	r.stop(ctx)
	var listed []*oms.Message
	for _, list := range r.lists {
		listed = append(listed, list...)
	}
	for i, rec := range r.got {
		if listed[i] != rec.Message {
			fail("the list that Poll had returned was changed: where record %d stood is another message; each Poll needs a list of its own", rec.number)
		}
		if part := rec.before.changed(rec.Message); part != "" {
			fail("the %s of record %d was changed after Poll had returned it: the broker may still be reading it", part, rec.number)
		}
	}
}

// listed writes numbers, not too many.
func listed(numbers []int) string {
	const most = 40
	if len(numbers) > most {
		return fmt.Sprintf("%v and %d more", numbers[:most], len(numbers)-most)
	}
	return fmt.Sprint(slices.Clip(numbers))
}
