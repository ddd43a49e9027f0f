package connect_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/oms"
)

// A sink may do with the list of messages what it likes: what is acknowledged
// is what was put.
func TestSinkThatRearrangesItsBatchLosesNothing(t *testing.T) {
	for name, rearrange := range map[string]func(msgs []*oms.Message){
		"sorts":   slices.Reverse[[]*oms.Message],
		"empties": func(msgs []*oms.Message) { clear(msgs) },
		"repeats": func(msgs []*oms.Message) {
			for i := range msgs {
				msgs[i] = msgs[0]
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				stored := make(map[string]int)
				broken := true
				w.start()
				w.plugins.Register(foreignPlugin(connect.KindSink, foreign{put: func(_ context.Context, _ *foreign, msgs []*oms.Message) error {
					safe := len(msgs)
					if broken {
						safe = len(msgs) / 2
					}
					for _, m := range msgs[:safe] {
						stored[string(m.Body)]++
					}
					rearrange(msgs)
					if broken {
						return &connect.PartialError{Index: safe, Err: errors.New("full")}
					}
					return nil
				}}))
				w.create("in", "test-source", "last=40", "batch=10", "every.ms=10")
				w.wait(10 * time.Second)
				w.create("bad", "foreign-sink", "topics=t", "restart.max.attempts=0")
				w.wait(time.Minute)
				w.wantState("bad", connect.Failed)
				broken = false
				w.do(w.catalog.Restart, "bad")
				w.wait(time.Minute)
				w.wantState("bad", connect.Running)
				for i := range 40 {
					if n := stored[strconv.Itoa(i+1)]; n != 1 {
						t.Errorf("record %d was stored %d times, want once", i+1, n)
					}
				}
				w.shutdown()
				w.start() // nothing is left to be put
				w.plugins.Register(foreignPlugin(connect.KindSink, foreign{put: func(_ context.Context, _ *foreign, msgs []*oms.Message) error {
					t.Errorf("%d messages come again", len(msgs))
					return nil
				}}))
				w.wait(time.Minute)
			})
		})
	}
}

// Divisions that a connector asks for all the time hold up nobody else.
func TestConnectorThatReconfiguresForEverHoldsUpNobody(t *testing.T) {
	inWorld(t, func(w *world) {
		w.start()
		w.plugins.Register(foreignPlugin(connect.KindSource, foreign{start: func(f *foreign) error { f.env.Reconfigure(); return nil }}))
		w.create("good", "test-source")
		w.create("sink", "test-sink")
		w.create("bad", "foreign-source", "topic=foreign")
		w.goesOn()
		w.do(w.catalog.Stop, "bad")
		w.wait(10 * time.Second)
		w.wantState("bad", connect.Stopped)
	})
}

// An io.EOF that is not Poll's own is the loss of a connection, not the end.
func TestOnlyPollsOwnEOFEndsASource(t *testing.T) {
	for name, c := range map[string]struct {
		kind  connect.Kind
		model foreign
	}{
		"wrapped by Poll": {connect.KindSource, foreign{poll: func(context.Context, *foreign) ([]*oms.Message, error) {
			return nil, fmt.Errorf("read from the socket: %w", io.EOF)
		}}},
		"from OnStart": {connect.KindSource, foreign{start: func(*foreign) error { return io.EOF }}},
		"from Put":     {connect.KindSink, foreign{put: func(context.Context, *foreign, []*oms.Message) error { return io.EOF }}},
		"in a PartialError": {connect.KindSink, foreign{put: func(context.Context, *foreign, []*oms.Message) error {
			return &connect.PartialError{Err: io.EOF}
		}}},
	} {
		t.Run(name, func(t *testing.T) { amongOthers(t, foreignPlugin(c.kind, c.model), "EOF") })
	}
}
