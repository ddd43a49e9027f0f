package connect

import (
	"context"
	"errors"
	"fmt"

	"github.com/omconnect/omconnect/offsets"
	"github.com/omconnect/omconnect/oms"
)

// A BrokerChange is what becomes of a connector whose broker is another one
// than that with which it worked so far. Positions say what was moved: of a
// source, what the old broker has got; of a sink, the group on the old broker.
// A connector that was deleted and is made again under its name is the same
// one: its positions were kept.
type BrokerChange string

// The ways on from a changed broker.
const (
	// BrokerChangeFail does not start the connector, unless it is a source of
	// which there are no positions: nothing of it is the old broker's. It is
	// the default.
	BrokerChangeFail BrokerChange = ""
	// BrokerChangeContinue goes on from the positions: what came before is on
	// the old broker only.
	BrokerChangeContinue BrokerChange = "continue"
	// BrokerChangeRestart forgets the positions of a source, which sends
	// everything again. A sink begins where a new group does in either case.
	BrokerChangeRestart BrokerChange = "restart"
)

// A claim says to which broker the positions of a connector belong. It stands
// beside them in the store from the first start on, and is the same for all
// tasks, in whichever gateway: any of them may settle it, and several at once.
type claim struct {
	store     offsets.Store
	connector string
	kind      Kind
	how       BrokerChange
}

// settle returns an error if what the connector has done belongs to another
// broker than the client's, and that is not to be changed. It is called before
// a task has its lease: forgetting positions takes the leases away.
func (c *claim) settle(ctx context.Context, client *oms.Client) error {
	if !client.Capabilities().Has(oms.BrokerIdentity) {
		return nil
	}
	id, err := client.Identity(ctx)
	if err != nil {
		return err
	}
	for {
		noted, err := c.noted(ctx)
		if err != nil || noted == id {
			return err
		}
		forget, err := c.change(ctx, noted, id)
		if err != nil {
			return err
		}
		err = storeCall(ctx, "note the broker of positions", func(ctx context.Context) error {
			return c.store.Adopt(ctx, c.connector, noted, id, forget)
		})
		if !errors.Is(err, oms.ErrAborted) {
			return err
		}
		// Another task was faster, and mostly with the same broker.
	}
}

func (c *claim) noted(ctx context.Context) (id string, err error) {
	err = storeCall(ctx, "ask for the broker of positions", func(ctx context.Context) (err error) {
		id, err = c.store.Broker(ctx, c.connector)
		return err
	})
	return id, err
}

// change returns whether the positions are to be forgotten when the claim
// becomes that of another broker, or an error if it may not.
func (c *claim) change(ctx context.Context, noted, id string) (forget bool, err error) {
	switch {
	case noted == "", c.how == BrokerChangeContinue:
		return false, nil
	case c.how == BrokerChangeRestart:
		return c.kind == KindSource, nil
	}
	if c.kind == KindSource {
		var stored map[offsets.Partition]offsets.Position
		err := storeCall(ctx, "load positions", func(ctx context.Context) (err error) {
			stored, err = c.store.Load(ctx, c.connector)
			return err
		})
		if err != nil || len(stored) == 0 {
			// A task that is still with the old broker may be about to commit:
			// what it does must not pass for something that the new one has.
			return true, err
		}
	}
	return false, &oms.Error{Op: "start", Target: c.connector, Code: oms.ErrInvalid, Err: fmt.Errorf(
		"what it has done so far belongs to another broker: that was %s, its broker is %s now; name the old broker again, "+
			"or start the gateway with --broker-changed=continue to go on from its positions, or with --broker-changed=restart to begin again",
		noted, id)}
}
