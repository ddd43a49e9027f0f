package broker

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/oms"
)

// SinkPlugin returns the plugin of broker-sink.
func SinkPlugin() connect.Plugin {
	return connect.Plugin{
		Class:  "broker-sink",
		Kind:   connect.KindSink,
		Doc:    "Sends each message to another broker.",
		Def:    sinkDef,
		Beside: besideSink,
		New:    func(env connect.Env) (connect.Connector, error) { return &sink{env: env, log: env.Logger}, nil },
	}
}

// sink is a running broker-sink.
type sink struct {
	connect.Hooks
	env    connect.Env
	log    *slog.Logger
	cfg    sinkConfig
	client *oms.Client // of the broker that is sent to
	bridge *bridge
	out    *outflow
	topics map[string]bool // those that are known to exist
}

var (
	_ connect.Sink             = (*sink)(nil)
	_ connect.Flusher          = (*sink)(nil)
	_ connect.TombstoneHandler = (*sink)(nil)
)

// HandlesTombstones reports true: what a nil body becomes is a matter of
// fidelity.
func (s *sink) HandlesTombstones() bool { return true }

// OnStart reaches the brokers.
func (s *sink) OnStart(ctx context.Context, config oms.KeyValue) (err error) {
	if s.cfg, err = readSinkConfig(config); err != nil {
		return err
	}
	if s.client, err = s.env.Broker(ctx, s.cfg.broker); err != nil {
		return err
	}
	if err := answers(ctx, s.client); err != nil {
		return err
	}
	own, err := s.env.Broker(ctx, connect.DefaultBroker)
	if err != nil {
		return err
	}
	producer, err := s.client.NewProducer(ctx, oms.SenderConfig{})
	if err != nil {
		return err
	}
	producer.OnTrouble(func(trouble oms.Trouble) { trouble.Log(s.log) })
	s.bridge = newBridge(s.env.Connector, s.cfg.fidelity, s.cfg.loop, own, s.client, s.log)
	s.out = newOutflow(producer, s.client.Capabilities().DurableAfter)
	s.topics = make(map[string]bool)
	return nil
}

// answers makes one round trip: a broker that is away is better told of at the
// start than by a Put that waits.
func answers(ctx context.Context, client *oms.Client) error {
	ctx, cancel := context.WithTimeout(ctx, answerWait)
	defer cancel()
	return client.Check(ctx)
}

const answerWait = 10 * time.Second

// Put sends messages. They are safe once Flush has returned.
func (s *sink) Put(ctx context.Context, msgs []*oms.Message) error {
	if err := s.out.failed(); err != nil {
		return err
	}
	batch := make([]*oms.Message, 0, len(msgs))
	for i, m := range msgs {
		to, err := s.bridge.carry(m, render(s.cfg.topic, m.Topic))
		if err == nil {
			err = s.ensureTopic(ctx, m, to.Topic)
		}
		if err != nil {
			if serr := s.out.send(ctx, batch, msgs[:i]); serr != nil {
				return serr
			}
			return &connect.PartialError{Index: i, Err: err}
		}
		batch = append(batch, to)
	}
	return s.out.send(ctx, batch, msgs)
}

// Flush waits until everything that was put is confirmed and durable.
func (s *sink) Flush(ctx context.Context) error { return s.out.flush(ctx) }

// ensureTopic makes a topic that is missing and the groups that read it, once.
func (s *sink) ensureTopic(ctx context.Context, m *oms.Message, topic string) error {
	if s.topics[topic] {
		return nil
	}
	if s.cfg.create && s.client.Capabilities().Has(oms.CreateTopic) {
		spec := oms.TopicSpec{Name: topic, Partitions: s.cfg.partitions, ReplicationFactor: s.cfg.replication}
		if err := s.client.EnsureTopic(ctx, spec); err != nil {
			return refuse(m, oms.CodeOf(err), err)
		}
	}
	if err := s.env.EnsureReaders(ctx, s.cfg.broker, topic); err != nil {
		return refuse(m, oms.CodeOf(err), err)
	}
	s.topics[topic] = true
	return nil
}

// OnStop gives up what was not flushed: it comes again.
func (s *sink) OnStop(ctx context.Context) error {
	if s.bridge != nil {
		s.bridge.losses.report()
	}
	if s.out == nil {
		return nil
	}
	out := s.out
	s.out = nil
	if err := out.close(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) && !oms.IsTemporary(err) {
		return err
	}
	return nil
}
