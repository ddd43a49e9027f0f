package connect

import (
	"context"
	"fmt"
	"time"

	"github.com/omconnect/omconnect/offsets"
	"github.com/omconnect/omconnect/oms"
)

// plan divides the work into tasks and starts them.
func (s *supervisor) plan(ctx context.Context) {
	s.retry = nil
	select {
	case <-s.replans: // it asked for what happens now
	default:
	}
	s.enter(Unassigned, "definition", nil) // dividing may take long
	p, set, configs, err := s.divide(ctx)
	if err != nil {
		s.unplanned(p, set, err)
		return
	}
	s.failures = failures{}
	limiter := newLimiter(set.rateRecords, set.rateBytes)
	claim := &claim{store: s.rt.opts.Store, connector: s.name, kind: p.Kind, how: s.rt.opts.BrokerChange}
	for i, config := range configs {
		owner := offsets.Owner{Connector: s.name, Task: i}
		t := newTask(s.rt, p, set, owner, len(configs), config, s.def, limiter)
		t.claim, t.watch = claim, s.watch.Load()
		t.replan = func() {
			select {
			case s.replans <- struct{}{}:
			default: // one request is waiting already
			}
		}
		running, end := context.WithCancel(context.WithoutCancel(ctx))
		s.running = append(s.running, &runningTask{task: t, end: end})
		go t.run(running)
	}
	s.withdraw(len(configs)) // what an earlier division left
	s.show(p.Kind, set)
	s.enter(s.targetState(), "definition", nil)
}

// unplanned deals with a connector whose work cannot be divided. One that is
// paused is not tried again before it is resumed.
func (s *supervisor) unplanned(p Plugin, set settings, err error) {
	state := Failed
	wait, again := s.failures.next(set.restart, err)
	switch {
	case s.def.Target == offsets.TargetPaused:
		state = Paused
	case again:
		state, s.retry, s.retryAt = Retrying, time.After(wait), time.Now().Add(wait)
	}
	s.logger.Error("the connector cannot be started", "error", err, "attempts", s.failures.all, "state", state)
	s.show(p.Kind, set)
	s.enter(state, "failure", err)
}

// divide returns the configuration of each task.
func (s *supervisor) divide(ctx context.Context) (p Plugin, set settings, configs []oms.KeyValue, err error) {
	err = safely(ctx, "validate", func(ctx context.Context) (err error) {
		p, set, configs, err = s.tryDivide(ctx)
		return err
	})
	return p, set, configs, err
}

func (s *supervisor) tryDivide(ctx context.Context) (Plugin, settings, []oms.KeyValue, error) {
	p, err := s.rt.opts.Plugins.Lookup(s.def.Config["connector.class"])
	if err != nil {
		return p, settings{}, nil, err
	}
	config, _, refused := foreign(s.def.Config)
	if err := refused.OrNil(); err != nil {
		return p, settings{}, nil, err
	}
	rest, _, wrong := checkChain(s.rt.opts.Plugins, p.Kind, config)
	if err := wrong.OrNil(); err != nil {
		return p, settings{}, nil, err
	}
	if err := definition(p).Validate(rest); err != nil {
		return p, settings{}, nil, err
	}
	set, err := readSettings(s.name, p, config)
	if err != nil {
		return p, set, nil, err
	}
	if p.Kind == KindSink {
		configs := make([]oms.KeyValue, set.tasksMax)
		for i := range configs {
			configs[i] = set.connectorOptions
		}
		return p, set, configs, nil
	}
	configs, err := s.split(ctx, p, set)
	return p, set, configs, err
}

// split asks a source how its work is divided, if it can say so.
func (s *supervisor) split(ctx context.Context, p Plugin, set settings) ([]oms.KeyValue, error) {
	whole := []oms.KeyValue{set.connectorOptions}
	in, err := newInstance(ctx, p, s.env(set))
	if err != nil {
		return nil, err
	}
	defer in.release()
	splitter, ok := in.conn.(Splitter)
	if !ok {
		return whole, nil
	}
	var parts []oms.KeyValue
	err = in.call(ctx, "Split", startBound, func(ctx context.Context) error {
		got, err := splitter.Split(ctx, set.connectorOptions.Clone(), set.tasksMax)
		parts = got
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("divide the work into tasks: %w", err)
	}
	if len(parts) == 0 || len(parts) > set.tasksMax {
		return nil, fmt.Errorf("the connector divided its work into %d tasks, with tasks.max=%d", len(parts), set.tasksMax)
	}
	return completed(p, parts)
}

// completed returns the configurations of tasks as OnStart gets them: checked
// and with their defaults. What is wrong with them is the connector's mistake,
// since its user's configuration has been checked before.
func completed(p Plugin, parts []oms.KeyValue) ([]oms.KeyValue, error) {
	whole := make([]oms.KeyValue, len(parts))
	for i, part := range parts {
		if err := p.Def.Validate(part); err != nil {
			return nil, fmt.Errorf("a mistake of class %s, not of its configuration: it gave task %d of %d keys that its own definition refuses: %w", p.Class, i, len(parts), err)
		}
		whole[i] = p.Def.Complete(part)
	}
	return whole, nil
}

// env is what an instance gets that runs no task.
func (s *supervisor) env(set settings) Env {
	return Env{
		Connector: s.name, Tasks: 1, Config: set.connectorOptions.Clone(), Logger: s.logger,
		Broker: func(ctx context.Context, name string) (*oms.Client, error) {
			if name == DefaultBroker {
				name = set.broker
			}
			return s.rt.opts.Brokers.Client(ctx, name)
		},
		Fail: func(error) {}, Reconfigure: func() {},
	}
}
