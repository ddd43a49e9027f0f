package oms

import (
	"log/slog"
	"time"
)

// A Trouble is a time in which a producer sends messages again and again,
// since each attempt has failed for a reason that is to pass by itself.
type Trouble struct {
	Cause  error // why messages failed last
	Since  time.Time
	Lasted time.Duration
	Over   bool // nothing waits to be sent again any more
}

// TroubleAfter is how long messages are sent again before anybody is told.
// Shorter interruptions, such as a partition that moves, are part of the work
// of a broker.
const TroubleAfter = 5 * time.Second

// tellMost is the longest time between two reports of one trouble. Until then
// each comes after twice the time of the one before.
const tellMost = 10 * time.Minute

// Log writes the trouble to a log: a warning, or that it is over.
func (t Trouble) Log(log *slog.Logger) {
	if t.Over {
		log.Info("no message waits to be sent again any more", "after", t.Lasted, "cause", t.Cause)
		return
	}
	log.Warn("messages cannot be sent, and are tried again until they can", "for", t.Lasted, "cause", t.Cause)
}

// OnTrouble has f told of trouble: once it has lasted for TroubleAfter, again
// after 10 s, 20 s and so on, at least every ten minutes, and when it is over.
// Of one that Close ends, or that was too short, nothing is told. f is called
// on goroutines of the producer's, one call at a time, and never after Close
// has returned; it does not block, and does not close the producer. A nil f
// tells nobody. Before OnTrouble is called the default logger of slog is told.
func (p *Producer) OnTrouble(f func(Trouble)) {
	p.out.mu.Lock()
	defer p.out.mu.Unlock()
	if f == nil {
		f = func(Trouble) {}
	}
	p.out.tell = f
}

// Trouble returns the trouble that there is now, if it has lasted for
// TroubleAfter.
func (p *Producer) Trouble() (Trouble, bool) {
	p.out.mu.Lock()
	defer p.out.mu.Unlock()
	t := p.out.now()
	return t, !t.Since.IsZero() && t.Lasted >= TroubleAfter
}

// logTrouble is what is told of trouble where nobody else wants to know.
func (c *Client) logTrouble(t Trouble) {
	t.Log(slog.Default().With("driver", c.ap.Driver, "broker", c.ap))
}

// trouble is the part of an outbox that knows how long it has been resending.
// The lock of the outbox guards it, except telling.
type trouble struct {
	telling chan struct{} // of one: held while tell is called
	tell    func(Trouble)
	since   time.Time // of the first failure; zero while there is no trouble
	told    bool
	alarm   *time.Timer // the next report
	over    *Trouble    // to be told; nil when nothing is
}

// noteTrouble takes a failure. The caller holds mu.
func (o *outbox) noteTrouble(err error) {
	if o.cause == nil && IsTemporary(err) {
		o.cause = err // until all outcomes are in
	}
	if !o.since.IsZero() {
		return
	}
	since := time.Now()
	o.since = since
	o.alarm = time.AfterFunc(TroubleAfter, func() { o.report(since) })
}

// now is the trouble at this moment. The caller holds mu.
func (o *outbox) now() Trouble {
	t := Trouble{Cause: o.cause, Since: o.since}
	if t.Cause == nil {
		t.Cause = errWithdrawn // the failure itself has not come in yet
	}
	if !t.Since.IsZero() {
		t.Lasted = time.Since(t.Since)
	}
	return t
}

// report tells of the trouble that began at a time, if it is still there.
func (o *outbox) report(since time.Time) {
	o.telling <- struct{}{}
	defer func() { <-o.telling }()
	o.mu.Lock()
	if !o.since.Equal(since) {
		o.mu.Unlock()
		return
	}
	t, tell := o.now(), o.tell
	o.told = true
	o.alarm = time.AfterFunc(min(t.Lasted, tellMost), func() { o.report(since) })
	o.mu.Unlock()
	tell(t)
}

// endTrouble notes that there is none any more. The caller holds mu, and calls
// tellOver later without it.
func (o *outbox) endTrouble() {
	if o.told {
		t := o.now()
		t.Over = true
		o.over = &t
	}
	o.quiet()
}

// quiet ends the trouble and tells nobody. The caller holds mu.
func (o *outbox) quiet() {
	if o.alarm != nil {
		o.alarm.Stop()
	}
	o.since, o.told, o.alarm = time.Time{}, false, nil
}

// tellOver tells that trouble is over, if that is so and was not told yet.
func (o *outbox) tellOver() {
	o.telling <- struct{}{}
	defer func() { <-o.telling }()
	o.mu.Lock()
	t, tell := o.over, o.tell
	o.over = nil
	o.mu.Unlock()
	if t != nil {
		tell(*t)
	}
}
