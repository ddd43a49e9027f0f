package connect

import (
	"context"
	"errors"
	"time"
)

// failureOf returns why ctx was ended, nil if it was merely told to end or was
// not ended.
func failureOf(ctx context.Context) error {
	if cause := context.Cause(ctx); cause != context.Canceled { //nolint:errorlint // a failure may well wrap it
		return cause
	}
	return nil
}

// tellCommitted tells the source what has become durable.
func (r *sourceRun) tellCommitted(ctx context.Context) error {
	source, ok := r.inst.conn.(Committed)
	if !ok {
		return nil
	}
	news := r.committer.news()
	if len(news) == 0 {
		return nil
	}
	err := r.inst.call(ctx, "Committed", hookBound, func(ctx context.Context) error { return source.Committed(ctx, news) })
	if err != nil {
		return &Outcome{Stage: StageCommit, Err: err}
	}
	return nil
}

// settle waits, at the end of the source, until the broker has everything, or
// something ends that: nothing presses, however long the broker is away.
func (r *sourceRun) settle(reading context.Context) {
	for wait := time.Millisecond; ; wait = min(2*wait, time.Second) {
		if unconfirmed, _, _ := r.tracker.load(); unconfirmed == 0 {
			return
		}
		select {
		case <-reading.Done():
			return
		case <-time.After(wait):
		}
	}
}

// drain finishes what was read: it waits for the broker, commits, and tells
// the source. After a failure it does so briefly, to repeat little.
func (r *sourceRun) drain(hard, failed context.Context, err error, stopCommitter func()) error {
	first := func(next error) { // EOF is no failure
		if ignoreEOF(err) == nil && next != nil {
			err = next
		}
	}
	first(failureOf(failed))
	patience := r.t.rt.opts.Grace
	if ignoreEOF(err) != nil {
		patience = abandonAfter
	}
	ctx, cancel := bounded(hard, patience)
	defer cancel()
	cerr := r.producer.Close(ctx)
	first(failureOf(failed)) // a record failed at the very end
	if cerr != nil {
		first(&Outcome{Stage: StageSend, Err: cerr})
	}
	stopCommitter()
	if isEOF(err) {
		ctx = hard // the store may be away as long; a stop that comes is bounded by its own grace
	}
	first(r.committer.finish(ctx))
	first(failureOf(failed))
	if !errors.Is(err, errStuck) {
		first(r.tellCommitted(ctx))
	}
	return err
}
