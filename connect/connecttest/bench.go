package connecttest

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"runtime/pprof"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/oms"
)

// The bounds. What the contract asks for is much shorter; these are for
// machines that do everything slowly.
const (
	hookBound   = 30 * time.Second // the context of a hook, and of Poll and Put
	returnBound = 20 * time.Second // from the end of a context to the return
	quietBound  = 20 * time.Second // without a record that is to come, or with a goroutine that is to end
	pause       = 10 * time.Millisecond
)

// A bench is a connector on trial for one rule. Its methods end the check when
// they find the contract broken; they are for the goroutine of the test only.
type bench struct {
	plugin      connect.Plugin
	kind        connect.Kind
	config      oms.KeyValue // as the harness gives it
	unstartable oms.KeyValue
	source      *Source // either this
	sink        *Sink   // or that
	label       string  // of the goroutines that belong to the connector
	sample      connect.Connector
	lives       []*life
	said        transcript
	written     int // records of a source
}

var benches atomic.Int64

func newBench(p connect.Plugin, kind connect.Kind, config, unstartable oms.KeyValue) *bench {
	return &bench{
		plugin: p, kind: kind, config: config, unstartable: unstartable,
		label: strconv.FormatInt(benches.Add(1), 10),
	}
}

// probe makes an instance that is looked at only, for the needs of rules.
func (b *bench) probe(ctx context.Context) {
	_ = b.bounded(ctx, "New", hookBound, func(context.Context) (err error) {
		b.sample, err = b.plugin.New(new(life).env(b, b.complete(), 0, 1))
		return err
	}) // a rule of its own is for that
}

// complete returns the configuration as OnStart gets it.
func (b *bench) complete() oms.KeyValue { return b.plugin.Def.Complete(b.config) }

// errStuck is how bounded ends when a call does not return.
var errStuck = errors.New("it does not return")

// labelKey is the label that goroutines of connectors have.
const labelKey = "connecttest"

// bounded calls f with a context that ends after a while. What it starts has
// the label of the bench. A panic is an error.
func (b *bench) bounded(ctx context.Context, what string, bound time.Duration, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, bound)
	defer cancel()
	out := make(chan error, 1)
	go pprof.Do(ctx, pprof.Labels(labelKey, b.label), func(ctx context.Context) {
		defer func() {
			if v := recover(); v != nil {
				out <- &panicked{fmt.Sprint(v), debug.Stack()}
			}
		}()
		out <- f(ctx)
	})
	var err error
	select {
	case err = <-out:
	case <-ctx.Done():
		select {
		case err = <-out:
		case <-time.After(returnBound):
			return fmt.Errorf("%s: %w, %v after the end of its context", what, errStuck, returnBound)
		}
	}
	if err != nil {
		b.said.note(what, err.Error())
	}
	return err
}

// A panicked is a panic of the connector.
type panicked struct {
	value string
	stack []byte
}

func (p *panicked) Error() string { return fmt.Sprintf("panic: %s\n%s", p.value, p.stack) }

// close stops what is still running.
func (b *bench) close(ctx context.Context) {
	for _, l := range b.lives {
		if l.running && !l.stuck {
			l.running = false
			_ = b.bounded(ctx, "OnStop", hookBound, l.conn.OnStop) // the rule has been decided
		}
	}
}

// wait lets a moment pass.
func wait(ctx context.Context) { rest(ctx, pause) }

// rest lets d pass.
func rest(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
		fail("the test has ended: %w", ctx.Err())
	}
}
