package connect

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/omconnect/omconnect/offsets"
	"github.com/omconnect/omconnect/oms"
)

// A BrokerChange is what becomes of a connector whose broker is another one
// than that with which it worked so far. Positions say what was moved: of a
// source, what the old broker has got; of a sink, the group on the old broker.
type BrokerChange string

// The ways on from a changed broker.
const (
	// BrokerChangeFail does not start the connector. It is the default.
	BrokerChangeFail BrokerChange = ""
	// BrokerChangeContinue goes on from the positions: what came before is on
	// the old broker only.
	BrokerChangeContinue BrokerChange = "continue"
	// BrokerChangeRestart forgets the positions of a source, which sends
	// everything again. A sink begins where a new group does in either case.
	BrokerChangeRestart BrokerChange = "restart"
)

// A claim is which broker a connector works with, for all of its tasks here.
// It stands in the definition from the first start on.
type claim struct {
	rt *Runtime

	mu  sync.Mutex
	def offsets.Definition // as it was when the tasks were made, or later
}

// settle returns an error if what the connector has done belongs to another
// broker than the client's, and that is not to be changed. It is called before
// a task has its lease: forgetting positions takes the leases away.
func (c *claim) settle(ctx context.Context, client *oms.Client) error {
	if !client.Capabilities().Has(oms.BrokerIdentity) {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	id, err := client.Identity(ctx)
	if err != nil {
		return err
	}
	for c.def.BrokerID != id {
		if err := c.change(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

// change makes the claim that of another broker. A definition that somebody
// else has changed meanwhile is only read again.
func (c *claim) change(ctx context.Context, id string) error {
	store, how := c.rt.opts.Store, c.rt.opts.BrokerChange
	switch {
	case c.def.BrokerID == "":
	case how == BrokerChangeFail:
		return &oms.Error{Op: "start", Target: c.def.Name, Code: oms.ErrInvalid, Err: fmt.Errorf(
			"what it has done so far belongs to another broker: that was %s, its broker is %s now; name the old broker again, "+
				"or start the gateway with --broker-changed=continue to go on from its positions, or with --broker-changed=restart to begin again",
			c.def.BrokerID, id)}
	case how == BrokerChangeRestart:
		positions, err := store.Load(ctx, c.def.Name)
		if err != nil {
			return err
		}
		del := make([]offsets.Partition, 0, len(positions))
		for p := range positions {
			del = append(del, p)
		}
		if err := store.Alter(ctx, c.def.Name, nil, del); err != nil {
			return err
		}
	}
	next := c.def
	next.BrokerID = id
	revision, err := store.Put(ctx, next)
	if errors.Is(err, oms.ErrAborted) {
		return c.reload(ctx)
	}
	if err == nil {
		c.def, c.def.Revision = next, revision
	}
	return err
}

// reload reads the definition again.
func (c *claim) reload(ctx context.Context) error {
	defs, err := c.rt.opts.Store.List(ctx)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(defs, func(d offsets.Definition) bool { return d.Name == c.def.Name && !d.Deleted })
	if i < 0 {
		return notFound(c.def.Name)
	}
	c.def = defs[i]
	return nil
}
