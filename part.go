package omconnect

import "context"

// A part of the gateway runs beside the others until it is stopped. Parts are
// stopped one after the other, so the context that stops the gateway is not
// theirs.
type part struct {
	cancel context.CancelFunc
	ended  chan struct{}
	err    error // once ended is closed
}

// start runs a part.
func start(ctx context.Context, run func(context.Context) error) *part {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	p := &part{cancel: cancel, ended: make(chan struct{})}
	go func() {
		defer close(p.ended)
		p.err = run(ctx)
	}()
	return p
}

// stop has the part stop, and returns its error when it has.
func (p *part) stop() error {
	p.cancel()
	<-p.ended
	return p.err
}
