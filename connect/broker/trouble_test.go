package broker_test

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/drivers/mem"
	"github.com/omconnect/omconnect/oms"
)

// A sink whose target takes nothing says so in the log before it fails for
// that reason and is tried again.
func TestATargetThatTakesNothingIsToldSoon(t *testing.T) {
	var full atomic.Bool
	full.Store(true)
	options := map[string]mem.Options{"c": {OnSend: func(*oms.Message) error {
		if full.Load() {
			return &oms.Error{Op: "send", Driver: "mem", Code: oms.ErrFull, Err: errors.New("the disk of c is full")}
		}
		return nil
	}}}
	inWorld(t, options, func(w *world) {
		w.start()
		w.create("out", "broker-sink", "topics=t", "sink.broker=c")
		w.number("a", "t", 0, 10)
		w.wait(10 * time.Second)
		if w.log.count("messages cannot be sent") == 0 || w.log.count("the disk of c is full") == 0 {
			t.Error("after ten seconds the log does not say why nothing gets through")
		}
		w.eventually("it is RETRYING with the cause", func() bool {
			s, err := w.catalog.Status(t.Context(), "out")
			return err == nil && s.State == connect.Retrying && strings.Contains(s.Cause, "the disk of c is full")
		})
		full.Store(false)
		w.has("c", "t", 10)
		same(t, w.bodies("c", "t"), numbers(10))
	})
}
