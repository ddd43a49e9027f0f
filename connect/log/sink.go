package logsink

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/oms"
)

const class = "log-sink"

func init() { connect.Register(plugin()) }

func plugin() connect.Plugin {
	return connect.Plugin{
		Class: class,
		Kind:  connect.KindSink,
		Doc:   "Writes each message to the gateway's log.",
		Def: connect.ConfigDef{Keys: []connect.Key{
			{Name: "body.max.bytes", Type: connect.Int, Default: "256", Min: 0, Max: 1 << 20, Doc: "How many bytes of a body, and of a key, are shown at most."},
		}},
		New: func(env connect.Env) (connect.Connector, error) { return &sink{log: env.Logger}, nil },
	}
}

// A sink is a log-sink.
type sink struct {
	connect.Hooks
	log   *slog.Logger
	limit int
}

var (
	_ connect.Sink             = (*sink)(nil)
	_ connect.TombstoneHandler = (*sink)(nil)
)

// OnStart reads the configuration.
func (s *sink) OnStart(_ context.Context, config oms.KeyValue) error {
	r := plugin().Def.Complete(config).Reader()
	s.limit = r.Int("body.max.bytes")
	return r.Err()
}

// HandlesTombstones reports true: a tombstone is logged as such.
func (s *sink) HandlesTombstones() bool { return true }

// Put logs the messages.
func (s *sink) Put(ctx context.Context, msgs []*oms.Message) error {
	for _, m := range msgs {
		attrs := make([]slog.Attr, 0, 5)
		attrs = append(attrs, slog.String("topic", m.Topic))
		if m.Key != nil {
			attrs = append(attrs, slog.String("key", s.show(m.Key)))
		}
		if m.Body == nil {
			attrs = append(attrs, slog.Bool("tombstone", true))
		} else {
			attrs = append(attrs, slog.String("body", s.show(m.Body)))
		}
		attrs = append(attrs, slog.Int("headers", len(m.Headers)))
		s.log.LogAttrs(ctx, slog.LevelInfo, "message", attrs...)
	}
	return nil
}

// show returns the beginning of some bytes as text.
func (s *sink) show(b []byte) string {
	if len(b) <= s.limit {
		return escape(b)
	}
	shown := cut(b, s.limit)
	return fmt.Sprintf("%s… (%d bytes more)", escape(shown), len(b)-len(shown))
}
