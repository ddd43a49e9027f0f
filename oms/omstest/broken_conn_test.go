package omstest_test

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/omconnect/omconnect/oms"
)

// claim has the driver say something else about a capability.
func claim(c oms.Capability, s oms.Support) func(*broken) {
	return func(d *broken) {
		ask := d.capabilities
		d.capabilities = func(ap oms.AccessPoint) oms.Capabilities {
			caps := ask(ap)
			caps.Claims = maps.Clone(caps.Claims)
			caps.Claims[c] = s
			return caps
		}
	}
}

// onEachConn spoils every connection.
func onEachConn(spoil func(*brokenConn)) func(*broken) {
	return func(d *broken) { d.onConn = spoil }
}

// dialOnOpen fails where nobody listens.
func dialOnOpen(d *broken) {
	d.open = func(ctx context.Context, ap oms.AccessPoint) (oms.Conn, error) {
		c, err := d.dial(ctx, ap)
		if err != nil {
			return nil, err
		}
		if err := c.Check(ctx); err != nil {
			return nil, err
		}
		return c, nil
	}
}

// ignoreOptions opens whatever its options say.
func ignoreOptions(d *broken) {
	d.open = func(ctx context.Context, ap oms.AccessPoint) (oms.Conn, error) {
		ap.Options = oms.KeyValue{}
		return d.dial(ctx, ap)
	}
}

// leak leaves a goroutine behind for each connection.
func leak(c *brokenConn) {
	go func() { <-c.driver.over }()
}

// stayOpen has a closed connection take calls.
func stayOpen(c *brokenConn) {
	c.close = func(context.Context) error { return nil }
}

// keepReceiving has a closed receiver still wait for messages.
func keepReceiving(d *broken) {
	d.onReceiver = func(r *brokenReceiver) {
		receive := r.receive
		r.receive = func(ctx context.Context, limit int) ([]*oms.Message, error) {
			msgs, err := receive(ctx, limit)
			if oms.CodeOf(err) != oms.ErrClosed {
				return msgs, err
			}
			select {
			case <-ctx.Done():
			case <-d.over:
			case <-time.After(10 * time.Minute):
			}
			return nil, ctx.Err()
		}
	}
}

// forgetMended denies for good what it has denied once.
func forgetMended(c *brokenConn) {
	var mu sync.Mutex
	var denied error
	check := c.check
	c.check = func(ctx context.Context) error {
		mu.Lock()
		defer mu.Unlock()
		if denied != nil {
			return denied
		}
		err := check(ctx)
		if oms.CodeOf(err) == oms.ErrDenied {
			denied = err
		}
		return err
	}
}

// overlookHeld tells a lag without what is being handled.
func overlookHeld(d *broken) {
	type place struct {
		group string
		at    oms.Partition
	}
	var mu sync.Mutex
	held := make(map[place]map[int64]bool)
	d.onReceiver = func(r *brokenReceiver) {
		receive, ack := r.receive, r.ack
		r.receive = func(ctx context.Context, limit int) ([]*oms.Message, error) {
			msgs, err := receive(ctx, limit)
			mu.Lock()
			defer mu.Unlock()
			for _, m := range msgs {
				p := place{r.cfg.Group, m.At()}
				if held[p] == nil {
					held[p] = make(map[int64]bool)
				}
				held[p][m.Offset] = true
			}
			return msgs, err
		}
		r.ack = func(ctx context.Context, msgs []*oms.Message) error {
			err := ack(ctx, msgs)
			mu.Lock()
			defer mu.Unlock()
			for _, m := range msgs {
				delete(held[place{r.cfg.Group, m.At()}], m.Offset)
			}
			return err
		}
	}
	d.onConn = func(c *brokenConn) {
		lag := c.lag
		c.lag = func(ctx context.Context, group string, topics []string) (map[oms.Partition]int64, error) {
			got, err := lag(ctx, group, topics)
			mu.Lock()
			defer mu.Unlock()
			for p := range got {
				got[p] = max(0, got[p]-int64(len(held[place{group, p}])))
			}
			return got, err
		}
	}
}

// makeUpIdentity has another identity each time.
func makeUpIdentity(c *brokenConn) {
	identity := c.identity
	c.identity = func(ctx context.Context) (string, error) {
		id, err := identity(ctx)
		c.driver.mu.Lock()
		defer c.driver.mu.Unlock()
		n, _ := c.driver.kept["identity"].(int)
		c.driver.kept["identity"] = n + 1
		return fmt.Sprint(id, n), err
	}
}

// replaceTopics finds nothing wrong with a topic that is there already.
func replaceTopics(c *brokenConn) {
	create := c.createTopic
	c.createTopic = func(ctx context.Context, spec oms.TopicSpec) error {
		err := create(ctx, spec)
		if oms.CodeOf(err) == oms.ErrExists {
			return nil
		}
		return err
	}
}
