package broker

import (
	"context"
	"log/slog"
	"time"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/oms"
)

func init() {
	connect.Register(SourcePlugin())
	connect.Register(SinkPlugin())
}

// SourcePlugin returns the plugin of broker-source.
func SourcePlugin() connect.Plugin {
	return connect.Plugin{
		Class:  "broker-source",
		Kind:   connect.KindSource,
		Doc:    "Reads topics of another broker, as the member of a group there.",
		Def:    sourceDef,
		Beside: besideSource,
		Reads: func(name string, config oms.KeyValue) []connect.Reading {
			c, err := readSourceConfig(name, config)
			if err != nil {
				return nil
			}
			return []connect.Reading{{Broker: c.broker, Group: c.group, Topics: c.topics, Pattern: c.pattern, Start: c.start}}
		},
		New: func(env connect.Env) (connect.Connector, error) { return &source{env: env, log: env.Logger}, nil },
	}
}

// source is a running broker-source. The instance's goroutine owns it, but for
// what the intake and the gaps guard.
type source struct {
	connect.Hooks
	env    connect.Env
	log    *slog.Logger
	cfg    sourceConfig
	client *oms.Client // of the broker that is read
	bridge *bridge

	subscription
	intake *intake
	gaps   *connect.Gaps
	more   bool // there may be more to read than the last Poll returned
}

var (
	_ connect.Source     = (*source)(nil)
	_ connect.Committed  = (*source)(nil)
	_ connect.Splitter   = (*source)(nil)
	_ connect.Backlogged = (*source)(nil)
)

// pollWait is how long a Poll waits for records.
const pollWait = 500 * time.Millisecond

// OnStart reaches the brokers and joins the group.
func (s *source) OnStart(ctx context.Context, config oms.KeyValue) (err error) {
	if s.cfg, err = readSourceConfig(s.env.Connector, config); err != nil {
		return err
	}
	if s.client, err = s.env.Broker(ctx, s.cfg.broker); err != nil {
		return err
	}
	own, err := s.env.Broker(ctx, connect.DefaultBroker)
	if err != nil {
		return err
	}
	s.bridge = newBridge(s.env.Connector, s.cfg.fidelity, s.cfg.loop, s.client, own, s.log)
	s.intake = newIntake(s.client.Capabilities().Has(oms.Partitioned), own.Capabilities().DurableAfter)
	s.gaps = connect.NewGaps(s.cfg.outOfRange)
	return s.subscribe(ctx)
}

// Poll returns the next records. None is acknowledged before Committed.
func (s *source) Poll(ctx context.Context) ([]*oms.Message, error) {
	if ready, err := s.ready(ctx); err != nil || !ready {
		return nil, unlessOver(ctx, err)
	}
	if err := s.gaps.Resolve(ctx, s.client, s.log, s.consumer.Seek); err != nil {
		return nil, unlessOver(ctx, err)
	}
	msgs, err := s.consumer.Receive(ctx, s.cfg.polled, pollWait)
	switch {
	case oms.CodeOf(err) == oms.ErrNotFound && len(msgs) == 0:
		return nil, s.unsubscribe(ctx) // the topic has gone: that is no failure, it may come again
	case err != nil && len(msgs) == 0:
		return nil, unlessOver(ctx, err)
	}
	out, wrong := s.take(msgs)
	if wrong != nil {
		err = wrong
	}
	s.more = s.more || len(msgs) > 0
	return out, unlessOver(ctx, err)
}

// take notes what was received, and returns what it becomes at the target. At
// a record that cannot go on it ends: that one and those behind it are not
// acknowledged.
func (s *source) take(msgs []*oms.Message) (out []*oms.Message, err error) {
	s.intake.mu.Lock() // nothing is revoked between the question and the note
	defer s.intake.mu.Unlock()
	owned := s.consumer.Owned(msgs)
	out = make([]*oms.Message, 0, len(owned))
	for _, m := range owned {
		if s.gaps.Hold(m.At()) {
			continue // the next Poll deals with the gap before it
		}
		to, err := s.bridge.carry(m, render(s.cfg.topic, m.Topic))
		if err != nil {
			return out, err
		}
		to.Origin = s.intake.note(m)
		out = append(out, to)
	}
	return out, nil
}

// unlessOver returns err, or nil when it follows from the end of a Poll.
func unlessOver(ctx context.Context, err error) error {
	if ctx.Err() != nil && oms.CodeOf(err) == "" {
		return nil
	}
	return err
}

// Committed acknowledges what is safe at the target. An acknowledgement that
// is not through yet goes with the next: what the broker does not get comes
// again.
func (s *source) Committed(ctx context.Context, positions []oms.Origin) error {
	if s.consumer == nil {
		return nil
	}
	bounded, cancel := context.WithTimeout(ctx, ackWait)
	defer cancel()
	err := s.intake.acknowledge(bounded, positions, s.consumer)
	if oms.IsTemporary(err) || err != nil && bounded.Err() != nil {
		s.log.Warn("the broker that is read takes no acknowledgements; what it does not get comes again", "error", err)
		return nil
	}
	return err
}

// ackWait bounds an acknowledgement.
const ackWait = 10 * time.Second

// HasBacklog reports whether the group has not read everything. Once it has,
// that is so until the next record comes.
func (s *source) HasBacklog(ctx context.Context) (bool, error) {
	if !s.more || len(s.topics) == 0 {
		return false, nil
	}
	if !s.client.Capabilities().Has(oms.ReportLag) {
		s.more = !s.intake.begun()
		return s.more, nil
	}
	lag, err := s.client.Lag(ctx, s.cfg.group, s.topics)
	s.more = err != nil || lag > 0
	return s.more, err
}

// Split makes as many tasks as are allowed: members of one group, which share
// its partitions.
func (s *source) Split(_ context.Context, config oms.KeyValue, limit int) ([]oms.KeyValue, error) {
	parts := make([]oms.KeyValue, limit)
	for i := range parts {
		parts[i] = config.Clone()
	}
	return parts, nil
}

// OnPause leaves the group: what was not acknowledged, others may have.
func (s *source) OnPause(ctx context.Context) error { return s.OnStop(ctx) }

// OnStop leaves the group.
func (s *source) OnStop(ctx context.Context) error {
	if s.bridge != nil {
		s.bridge.losses.report()
	}
	return s.unsubscribe(ctx)
}

// OnDestroyed deletes the group if the configuration says so.
func (s *source) OnDestroyed(ctx context.Context) error {
	cfg, err := readSourceConfig(s.env.Connector, s.env.Config)
	if err != nil || !cfg.deleteGroup {
		return err
	}
	return deleteGroup(ctx, s.env, cfg)
}
