package connecttest_test

import (
	"context"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/omconnect/omconnect/connect/connecttest"
)

func TestUpstreamForgetsWhatWasAcknowledgedAndNothingElse(t *testing.T) {
	u := new(connecttest.Upstream)
	u.Append("a", "b", "c", "d")
	for _, step := range []struct {
		ack, from int64
		limit     int
		want      []string
		before    int64
	}{
		{0, 0, 10, []string{"a", "b", "c", "d"}, 0},
		{0, 1, 2, []string{"b", "c"}, 1},
		{2, 3, 10, []string{"d"}, 3},
		{0, 0, 10, []string{"c", "d"}, 2},   // the first two are gone
		{1, 1, 1, []string{"c"}, 2},         // acknowledging less takes nothing back
		{3, 0, 10, []string{"d"}, 3},        //
		{100, 0, 10, []string{"e", "f"}, 4}, // nor does more than there is take what comes later
	} {
		u.Ack(step.ack)
		if step.ack == 100 {
			if n := u.Len(); n != 0 {
				t.Errorf("everything is acknowledged, and %d records are there", n)
			}
			u.Append("e", "f")
		}
		records, before := u.Read(t.Context(), step.from, step.limit)
		if !slices.Equal(records, step.want) || before != step.before {
			t.Errorf("after Ack(%d), Read(%d, %d) = %v, %d, want %v, %d", step.ack, step.from, step.limit, records, before, step.want, step.before)
		}
	}
}

func TestUpstreamIsWaitedForUntilThereIsSomethingOrTheContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := new(connecttest.Upstream)
		began := time.Now()
		short, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if records, before := u.Read(short, 0, 10); len(records) > 0 || before != 0 || time.Since(began) != time.Minute {
			t.Errorf("Read of nothing returns %v, %d after %v", records, before, time.Since(began))
		}
		time.AfterFunc(time.Hour, func() { u.Append("a") })
		records, _ := u.Read(t.Context(), 0, 10)
		if !slices.Equal(records, []string{"a"}) || time.Since(began) != time.Minute+time.Hour {
			t.Errorf("Read returns %v after %v", records, time.Since(began))
		}
	})
}

func TestUpstreamMayBeUsedConcurrently(t *testing.T) {
	u := new(connecttest.Upstream)
	const count = 500
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := range count {
			u.Append(strconv.Itoa(i))
		}
	})
	var got []string
	for len(got) < count {
		records, before := u.Read(t.Context(), int64(len(got)), 7)
		if before != int64(len(got)) {
			t.Fatalf("%d records come before the next, want %d", before, len(got))
		}
		got = append(got, records...)
		u.Ack(int64(len(got)))
	}
	wg.Wait()
	for i, text := range got {
		if text != strconv.Itoa(i) {
			t.Fatalf("record %d is %s", i, text)
		}
	}
}
