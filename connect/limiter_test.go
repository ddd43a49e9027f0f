package connect

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/omconnect/omconnect/oms"
)

func TestLimiterLetsOneSecondsWorthThroughAtOnceAndTheRestInTime(t *testing.T) {
	messages := func(n int) []*oms.Message {
		msgs := make([]*oms.Message, n)
		for i := range msgs {
			msgs[i] = &oms.Message{Body: make([]byte, 1000-(&oms.Message{}).Size())}
		}
		return msgs
	}
	for name, c := range map[string]struct {
		records, bytes int64
		send           int
		want           time.Duration
	}{
		"no limit":              {0, 0, 1_000_000 / 1000, 0},
		"a burst":               {100, 0, 100, 0},
		"records":               {100, 0, 1100, 10 * time.Second},
		"bytes":                 {0, 100_000, 300, 2 * time.Second},
		"larger than a burst":   {0, 500, 1, time.Second},
		"the slower of the two": {100, 10_000, 200, 19 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLimiter(c.records, c.bytes)
				began := time.Now()
				l.wait(t.Context(), messages(c.send))
				if took := time.Since(began); took < c.want-time.Millisecond || took > c.want+time.Second {
					t.Errorf("%d messages took %v, want %v", c.send, took, c.want)
				}
			})
		})
	}
}

func TestLimiterLetsGoWhenTheTaskIsStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		newLimiter(1, 0).wait(ctx, make([]*oms.Message, 1000))
		if took := time.Since(began); took > time.Second {
			t.Errorf("it waited %v, want no longer than its context", took)
		}
	})
}
