package kafka_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/omconnect/omconnect/oms"
)

func TestSeekGoesBackAndForth(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	topic, conn := c.topic(t, 1), c.open(t, "")
	send(t, conn, topic, "a", "b", "c", "d", "e")
	r, p := receiver(t, conn, oms.ReceiverConfig{Group: "g", Topics: []string{topic}}), oms.Partition{Topic: topic}
	before, _ := get(t, r, 3)
	for _, step := range []struct {
		to   int64
		want []string
	}{{1, []string{"b", "c", "d", "e"}}, {4, []string{"e"}}, {0, []string{"a"}}} {
		if err := r.(oms.Seeker).Seek(t.Context(), map[oms.Partition]int64{p: step.to}); err != nil {
			t.Fatal(err)
		}
		if _, got := get(t, r, len(step.want)); !cmp.Equal(got, step.want) {
			t.Errorf("from %d on received %q, want %q", step.to, got, step.want)
		}
	}
	if err := r.Ack(t.Context(), before); !errors.Is(err, oms.ErrStaleDelivery) {
		t.Errorf("acknowledge what was received before: %v, want %v", err, oms.ErrStaleDelivery)
	}
	if err := r.Flush(t.Context()); err != nil {
		t.Error(err)
	}
	if at, ok := stands(t, conn, "g", topic); !ok || at != 0 {
		t.Errorf("the group stands at %d, %v; want 0, where it has been moved to", at, ok)
	}
}

func TestSeekMovesAllOrNone(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	topic, conn := c.topic(t, 2), c.open(t, "")
	one := oms.Partition{Topic: topic, Number: 1}
	zero := oms.Partition{Topic: topic}
	r, l := member(t, conn, topic)
	l.await(t, 2)
	send(t, conn, topic, "0", "1")
	get(t, r, 2)
	for what, c := range map[string]struct {
		to   map[oms.Partition]int64
		want oms.Code
	}{
		"behind the end":          {map[oms.Partition]int64{zero: 0, one: 2}, oms.ErrInvalid},
		"before the beginning":    {map[oms.Partition]int64{zero: 0, one: -1}, oms.ErrInvalid},
		"a partition of nobody's": {map[oms.Partition]int64{zero: 0, {Topic: topic, Number: 7}: 0}, oms.ErrNotFound},
	} {
		if err := r.(oms.Seeker).Seek(t.Context(), c.to); !errors.Is(err, c.want) {
			t.Errorf("seek %s: %v, want %v", what, err, c.want)
		}
	}
	send(t, conn, topic, "2", "3")
	if _, got := get(t, r, 2); !cmp.Equal(len(got), 2) || got[0] == "0" || got[1] == "0" {
		t.Errorf("received %q after seeks that were refused, want 2 and 3", got)
	}
}

func TestAPausedPartitionHoldsNoOtherUp(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	topic, conn := c.topic(t, 2), c.open(t, "")
	r, l := member(t, conn, topic)
	l.await(t, 2)
	zero, one := 0, 1
	s := sender(t, conn)
	paused := []oms.Partition{{Topic: topic}}
	if err := r.(oms.Pauser).Pause(t.Context(), paused); err != nil {
		t.Fatal(err)
	}
	for _, m := range []*oms.Message{
		{Topic: topic, ToPartition: &zero, Body: []byte("held 1")},
		{Topic: topic, ToPartition: &one, Body: []byte("free")},
		{Topic: topic, ToPartition: &zero, Body: []byte("held 2")},
	} {
		if err := outcome(t, s, m); err != nil {
			t.Fatal(err)
		}
	}
	if _, got := get(t, r, 1); !cmp.Equal(got, []string{"free"}) {
		t.Errorf("received %q, want what is not paused", got)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if msgs, err := r.Receive(ctx, 1); len(msgs) > 0 || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("received %d messages of a paused partition, %v", len(msgs), err)
	}
	for range 2 { // twice is once
		if err := r.(oms.Pauser).Resume(t.Context(), paused); err != nil {
			t.Fatal(err)
		}
	}
	if _, got := get(t, r, 2); !cmp.Equal(got, []string{"held 1", "held 2"}) {
		t.Errorf("received %q, want what was held, in order", got)
	}
	nobodys := []oms.Partition{{Topic: topic, Number: 9}}
	for what, err := range map[string]error{"pause": r.(oms.Pauser).Pause(t.Context(), nobodys), "resume": r.(oms.Pauser).Resume(t.Context(), nobodys)} {
		if !errors.Is(err, oms.ErrNotFound) {
			t.Errorf("%s a partition of nobody's: %v, want %v", what, err, oms.ErrNotFound)
		}
	}
}

func TestOffsetsOfATimeAreThoseOfTheFirstMessageThen(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	topic, conn := c.topic(t, 1), c.open(t, "")
	send(t, conn, topic, "a", "b", "c")
	r := receiver(t, conn, oms.ReceiverConfig{Group: "g", Topics: []string{topic}})
	msgs, _ := get(t, r, 3)
	find := func(start oms.Start) int64 {
		t.Helper()
		at, err := conn.(oms.OffsetFinder).Offsets(t.Context(), []string{topic}, start)
		if err != nil {
			t.Fatal(err)
		}
		return at[oms.Partition{Topic: topic}]
	}
	hour := time.Hour
	for what, c := range map[string]struct {
		start oms.Start
		want  int64
	}{
		"earliest":        {oms.Start{}, 0},
		"latest":          {oms.Start{From: oms.StartLatest}, 3},
		"long ago":        {oms.Start{From: oms.StartAtTime, At: msgs[0].BornAt.Add(-hour)}, 0},
		"not yet":         {oms.Start{From: oms.StartAtTime, At: msgs[2].BornAt.Add(hour)}, 3},
		"before any time": {oms.Start{From: oms.StartAtTime, At: time.Unix(-5, 0)}, 0},
	} {
		if got := find(c.start); got != c.want {
			t.Errorf("%s is offset %d, want %d", what, got, c.want)
		}
	}
	_, err := conn.(oms.OffsetFinder).Offsets(t.Context(), []string{"missing"}, oms.Start{})
	if !errors.Is(err, oms.ErrNotFound) {
		t.Errorf("offsets of a missing topic: %v, want %v", err, oms.ErrNotFound)
	}
	if _, err := conn.(oms.OffsetFinder).Offsets(t.Context(), []string{topic}, oms.Start{From: 99}); !errors.Is(err, oms.ErrInvalid) {
		t.Errorf("offsets of a start that there is not: %v, want %v", err, oms.ErrInvalid)
	}
}
