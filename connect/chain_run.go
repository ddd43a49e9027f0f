package connect

import (
	"context"
	"errors"
	"time"

	"github.com/omconnect/omconnect/oms"
)

// chainBound is how long the transforms may take for one batch.
const chainBound = time.Minute

// A chainRun applies the chain of a task, on a goroutine of its own: a
// transform that hangs is abandoned as a hook is, and the connector is still
// told to stop. A nil one passes everything.
type chainRun struct {
	runner *instance // without a connector
	chain  *Chain
	stuck  bool // a transform may still be running
}

// newChainRun returns nil when the task's chain changes nothing.
func (t *task) newChainRun() (*chainRun, error) {
	chain, err := NewChain(t.rt.opts.Plugins, t.plugin.Kind, t.set.chain)
	if err != nil {
		return nil, &Outcome{Stage: StageStart, Err: err}
	}
	if chain.Passes() {
		chain.Close()
		return nil, nil
	}
	in := &instance{logger: t.logger, calls: make(chan *call), stopped: make(chan struct{}), abandoned: make(chan struct{})}
	go in.work()
	return &chainRun{runner: in, chain: chain}, nil
}

// close ends the goroutine and closes the chain, unless a transform may still
// be running: then both are left to themselves.
func (c *chainRun) close() {
	if c == nil {
		return
	}
	c.runner.release()
	if !c.stuck {
		c.chain.Close()
	}
}

// apply returns what the messages before the first failure have become, nil
// for one that was dropped, and the failure.
func (c *chainRun) apply(ctx context.Context, msgs []*oms.Message) ([]*oms.Message, error) {
	if c == nil {
		return msgs, nil
	}
	var out []*oms.Message // not looked at after an abandoned call
	var failure error
	err := c.runner.call(ctx, "transform", chainBound, func(ctx context.Context) error {
		done := make([]*oms.Message, 0, len(msgs))
		for _, m := range msgs {
			if err := ctx.Err(); err != nil {
				return err
			}
			changed, err := c.chain.Apply(m)
			if err != nil {
				failure = err
				break
			}
			done = append(done, changed)
		}
		out = done
		return nil
	})
	if err != nil {
		c.stuck = errors.Is(err, errStuck)
		return nil, &Outcome{Stage: StageTransform, Err: err}
	}
	return out, failure
}

// kept returns the messages that were not dropped, and the index of each.
func kept(msgs []*oms.Message) (left []*oms.Message, at []int) {
	for i, m := range msgs {
		if m != nil {
			left, at = append(left, m), append(at, i)
		}
	}
	return left, at
}
