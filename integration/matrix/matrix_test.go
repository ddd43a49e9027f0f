package matrix

import (
	"crypto/rand"
	"net/http"
	"testing"

	"github.com/omconnect/omconnect/integration"
	"github.com/omconnect/omconnect/oms"
)

// unique keeps topics and groups apart from those of an earlier run, on a
// broker that stands longer than the tests run.
var unique = rand.Text()[:8]

// TestMatrix runs each cell: some of the whole in which any two values meet,
// or all of them.
func TestMatrix(t *testing.T) {
	cells, total := pairwise(), integration.Count(20_000, 200_000)
	if total > 20_000 {
		cells = whole()
	}
	for _, c := range cells {
		t.Run(c.String(), func(t *testing.T) {
			t.Parallel()
			running <- struct{}{}
			defer func() { <-running }()
			runCell(t, c, total)
		})
	}
}

// running has room for the cells that may run at the same time.
var running = make(chan struct{}, 2)

func runCell(t *testing.T, c cell, total int) {
	t.Helper()
	r := newRun(t, c, total)
	defer r.report()
	r.feed("at first")
	r.g.Start()
	r.define()
	r.pauseSink()
	r.pauseSource()
	r.stop()
	r.deleteSink()
	if c.kill {
		r.kill()
	} else {
		r.restart()
	}
	r.feedUpTo(r.fed+1, total, "at last")
	for i := range r.outlets {
		r.whole(i)
	}
	r.g.Term()
	for i := range r.outlets {
		r.look(i)
		l := r.ledger(i)
		if err := l.check(); err != nil {
			t.Error(err)
		}
		if n := l.repeats(); n > 0 {
			t.Logf("%s has repeated %d of %d records, after kill -9", l.sink, n, total)
		}
	}
	if p, ok := r.plant.(interface{ same() error }); ok {
		if err := p.same(); err != nil {
			t.Error(err)
		}
	}
	r.g.wantQuiet()
}

// pauseSink pauses the first sink under load. It finishes what it has, and the
// others go on.
func (r *run) pauseSink() {
	r.t.Helper()
	r.flowing("before the sink was paused")
	r.g.pause(r.sink())
	r.t.Logf("%s has moved so far: %+v", r.sink(), r.g.Detail(r.sink()).Tasks)
	paused, moved := r.look(0), r.g.Detail(r.source()).Records()
	r.feed("while the sink was paused")
	r.g.Until("the source to go on", func() bool { return r.g.Detail(r.source()).Records() >= moved+r.total/portions/2 })
	for i := 1; i < len(r.outlets); i++ {
		r.whole(i)
	}
	if now := r.look(0); now != paused {
		r.t.Errorf("%s wrote %d records while it was paused", r.sink(), now-paused)
	}
	r.g.resume(r.sink())
}

// pauseSource pauses the source under load.
func (r *run) pauseSource() {
	r.t.Helper()
	r.flowing("before the source was paused")
	r.g.pause(r.source())
	r.feed("while the source was paused")
	r.g.resume(r.source())
}

// stop stops the gateway under load, and starts it again.
func (r *run) stop() {
	r.t.Helper()
	r.flowing("before the gateway was stopped")
	r.g.Term()
	r.ended(false)
	r.feed("while the gateway was stopped")
	r.g.Start()
}

// deleteSink deletes the first sink under load and creates it again: its group
// goes on. What is sent meanwhile is also kept for it where the broker keeps a
// backlog; a queue may be unbound.
func (r *run) deleteSink() {
	r.t.Helper()
	r.flowing("before the sink was deleted")
	backlog := brokers[r.cell.broker].has(r.t, oms.Backlog)
	if !backlog {
		r.g.pause(r.source())
	}
	r.g.Want(http.StatusNoContent, http.MethodDelete, "/connectors/"+r.sink(), "")
	r.feed("while the sink was deleted")
	r.create(r.connectors[0], "RUNNING")
	r.g.Is(r.sink(), "RUNNING")
	if !backlog {
		r.g.resume(r.source())
	}
}

// kill ends the gateway under load as kill -9 does, and starts it again.
func (r *run) kill() {
	r.t.Helper()
	r.settle()
	r.flowing("before the gateway was killed")
	r.g.Kill()
	r.ended(true)
	r.feed("while the gateway was gone")
	r.g.Start()
}

// restart restarts all connectors under load.
func (r *run) restart() {
	r.t.Helper()
	r.flowing("before the connectors were restarted")
	for _, c := range r.connectors {
		r.g.Want(http.StatusAccepted, http.MethodPost, "/connectors/"+c.name+"/restart?includeTasks=true", "")
	}
	r.feed("while the connectors were restarted")
}
