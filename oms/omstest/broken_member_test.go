package omstest_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/omconnect/omconnect/oms"
)

// join has every receiver opened with another configuration.
func join(change func(d *broken, cfg *oms.ReceiverConfig)) func(*broken) {
	return func(d *broken) {
		d.onConn = func(c *brokenConn) {
			open := c.openReceiver
			c.openReceiver = func(ctx context.Context, cfg oms.ReceiverConfig) (oms.Receiver, error) {
				change(d, &cfg)
				return open(ctx, cfg)
			}
		}
	}
}

// share has all groups be one.
func share(c *brokenConn) {
	const one = "everybody"
	open, ensure, lag, positions, members := c.openReceiver, c.ensureGroup, c.lag, c.positions, c.members
	c.openReceiver = func(ctx context.Context, cfg oms.ReceiverConfig) (oms.Receiver, error) {
		cfg.Group = one
		return open(ctx, cfg)
	}
	c.ensureGroup = func(ctx context.Context, _ string, topics []string, start oms.Start) error {
		return ensure(ctx, one, topics, start)
	}
	c.deleteGroup = func(ctx context.Context, _ string, _ []string) error { return c.check(ctx) }
	c.lag = func(ctx context.Context, _ string, topics []string) (map[oms.Partition]int64, error) {
		return lag(ctx, one, topics)
	}
	c.positions = func(ctx context.Context, _ string, topics []string) (map[oms.Partition]int64, error) {
		return positions(ctx, one, topics)
	}
	c.members = func(ctx context.Context, _ string, topics []string) ([]oms.Member, error) {
		return members(ctx, one, topics)
	}
}

// doNotShare has every member that joins others be a group of its own.
func doNotShare(d *broken) {
	members := make(map[string]int)
	join(func(d *broken, cfg *oms.ReceiverConfig) {
		d.mu.Lock()
		defer d.mu.Unlock()
		if n := members[cfg.Group]; n > 0 {
			cfg.Group = fmt.Sprintf("%s %d", cfg.Group, n)
		}
	})(d)
	d.onReceiver = func(r *brokenReceiver) {
		group, _, joiner := strings.Cut(r.cfg.Group, " ")
		if joiner { // behind the first member, so that it is clear who gets what when
			receive := r.receive
			r.receive = func(ctx context.Context, limit int) ([]*oms.Message, error) {
				d.wait(time.Second)
				return receive(ctx, limit)
			}
		}
		d.mu.Lock()
		defer d.mu.Unlock()
		members[group]++
		closing := r.close
		gone := sync.OnceFunc(func() {
			d.mu.Lock()
			defer d.mu.Unlock()
			members[group]--
		})
		r.close = func(ctx context.Context) error {
			gone()
			return closing(ctx)
		}
	}
}

// readMore reads a topic more than it was asked to, where there is one whose
// name begins the same.
func readMore(c *brokenConn) {
	open := c.openReceiver
	c.openReceiver = func(ctx context.Context, cfg oms.ReceiverConfig) (oms.Receiver, error) {
		infos, _ := c.memConn.Topics(ctx) // without them it reads what it should
		for _, topic := range slices.Clone(cfg.Topics) {
			for _, info := range infos {
				if strings.HasPrefix(info.Name, topic+"-") {
					cfg.Topics = append(slices.Clip(cfg.Topics), info.Name)
				}
			}
		}
		return open(ctx, cfg)
	}
}

// loseTopic never reads again once one of its topics was not there.
func loseTopic(d *broken) {
	var deleted sync.Map
	d.onConn = func(c *brokenConn) {
		remove := c.deleteTopic
		c.deleteTopic = func(ctx context.Context, name string) error {
			deleted.Store(name, true)
			return remove(ctx, name)
		}
	}
	d.onReceiver = func(r *brokenReceiver) {
		receive := r.receive
		r.receive = func(ctx context.Context, limit int) ([]*oms.Message, error) {
			for _, topic := range r.cfg.Topics {
				if _, ok := deleted.Load(topic); ok {
					<-ctx.Done()
					return nil, ctx.Err()
				}
			}
			return receive(ctx, limit)
		}
	}
}

// dieWithTheSession hands out nothing once a session has ended.
func dieWithTheSession(d *broken) {
	d.onReceiver = func(r *brokenReceiver) {
		receive, session := r.receive, d.sessions.Load()
		r.receive = func(ctx context.Context, limit int) ([]*oms.Message, error) {
			if d.sessions.Load() != session {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			return receive(ctx, limit)
		}
	}
}

// ignorePositions begins where the broker thinks best.
func ignorePositions(_ *broken, cfg *oms.ReceiverConfig) {
	assigned := cfg.OnAssigned
	if assigned == nil {
		return
	}
	cfg.OnAssigned = func(ctx context.Context, ps []oms.Partition) (map[oms.Partition]int64, error) {
		_, err := assigned(ctx, ps)
		return nil, err
	}
}

// tellOnce tells a receiver of its first partitions only.
func tellOnce(d *broken, cfg *oms.ReceiverConfig) {
	assigned := cfg.OnAssigned
	told := false // callbacks are made one at a time
	cfg.OnAssigned = func(ctx context.Context, ps []oms.Partition) (map[oms.Partition]int64, error) {
		if assigned == nil || told && d.sessions.Load() == 0 {
			return nil, nil
		}
		told = true
		return assigned(ctx, ps)
	}
}

// beginAt has every new group begin at one place.
func beginAt(start oms.Start) func(*broken) {
	return onEachConn(func(c *brokenConn) {
		open, ensure := c.openReceiver, c.ensureGroup
		c.openReceiver = func(ctx context.Context, cfg oms.ReceiverConfig) (oms.Receiver, error) {
			cfg.Start = start
			return open(ctx, cfg)
		}
		c.ensureGroup = func(ctx context.Context, group string, topics []string, _ oms.Start) error {
			return ensure(ctx, group, topics, start)
		}
	})
}

// beginWithMember makes groups when their first member comes, where the topic
// ends then.
func beginWithMember(c *brokenConn) {
	open := c.openReceiver
	c.openReceiver = func(ctx context.Context, cfg oms.ReceiverConfig) (oms.Receiver, error) {
		cfg.Start = oms.Start{From: oms.StartLatest}
		return open(ctx, cfg)
	}
	c.ensureGroup = func(ctx context.Context, _ string, _ []string, _ oms.Start) error { return c.check(ctx) }
}

// changeMembers lists every member changed.
func changeMembers(change func(*oms.Member)) func(*brokenConn) {
	return func(c *brokenConn) {
		list := c.members
		c.members = func(ctx context.Context, group string, topics []string) ([]oms.Member, error) {
			members, err := list(ctx, group, topics)
			for i := range members {
				change(&members[i])
			}
			return members, err
		}
	}
}
