package sql

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/internal/sleep"
	"github.com/omconnect/omconnect/oms"
)

func init() { connect.Register(SourcePlugin()) }

// SourcePlugin returns the plugin of sql-source.
func SourcePlugin() connect.Plugin {
	return connect.Plugin{
		Class: "sql-source",
		Kind:  connect.KindSource,
		Doc:   "Reads tables, views or a query of a database, all rows once or new and changed ones as they come.",
		Def:   sourceDef,
		New: func(env connect.Env) (connect.Connector, error) {
			return &source{log: env.Logger}, nil
		},
	}
}

// source is a running sql-source.
type source struct {
	connect.Hooks
	log    *slog.Logger
	cfg    sourceConfig
	db     *Database
	inputs []*input
	next   int       // the input whose turn it is
	due    time.Time // when to look again, after nothing was found
}

var (
	_ connect.Source     = (*source)(nil)
	_ connect.Positioned = (*source)(nil)
	_ connect.Splitter   = (*source)(nil)
)

// OnStart opens the database, and finds tables and columns.
func (s *source) OnStart(ctx context.Context, config oms.KeyValue) (err error) {
	if s.cfg, err = readSourceConfig(config); err != nil {
		return err
	}
	if s.db, err = open(ctx, s.cfg.url, ReadOnly); err != nil {
		return err
	}
	names := s.cfg.tables
	if s.cfg.query != "" {
		names = []string{""}
	}
	for _, name := range names {
		in := &input{db: s.db, cfg: &s.cfg, log: s.log, name: name}
		if err := in.describe(ctx); err != nil {
			return err
		}
		s.inputs = append(s.inputs, in)
	}
	return nil
}

// OnStop closes the database.
func (s *source) OnStop(context.Context) error {
	var errs []error
	for _, in := range s.inputs {
		in.closeCursor()
	}
	if s.db != nil {
		errs = append(errs, s.db.Close())
	}
	return errors.Join(errs...)
}

// Seek goes on behind the positions. Those of tables that this task does not
// read are not looked at.
func (s *source) Seek(_ context.Context, positions []oms.Origin) error {
	for _, p := range positions {
		if err := checkPartition(p.Partition); err != nil {
			return err
		}
		for _, in := range s.inputs {
			if in.partition != p.Partition {
				continue
			}
			if err := in.seek(p.Position); err != nil {
				return err
			}
		}
	}
	return nil
}

// Split gives each task some of the tables.
func (s *source) Split(_ context.Context, config oms.KeyValue, limit int) ([]oms.KeyValue, error) {
	tables := oms.SplitList(config[keyTables])
	n := max(1, min(limit, len(tables)))
	tasks := make([]oms.KeyValue, n)
	for i := range tasks {
		tasks[i] = config.Clone()
		var own []string
		for j := i; j < len(tables); j += n {
			own = append(own, tables[j])
		}
		if len(own) > 0 {
			tasks[i][keyTables] = strings.Join(own, ",")
		}
	}
	return tasks, nil
}

// maxWait keeps Poll within its bound of about a second.
const maxWait = time.Second

// Poll returns the rows of one page of one table. With none, it has looked at
// all of them: nil means that nothing was new the last time.
func (s *source) Poll(ctx context.Context) ([]*oms.Message, error) {
	if wait := time.Until(s.due); wait > 0 {
		if err := sleep.For(ctx, min(wait, maxWait)); err != nil || wait > maxWait {
			return nil, err
		}
	}
	if err := s.db.Moved(); err != nil {
		return nil, err
	}
	msgs, held, err := s.round(ctx)
	if len(msgs) == 0 && err == nil && held > 0 && held <= maxWait {
		// What is too young now will not be in a moment: that is not nothing.
		if err := sleep.For(ctx, held); err != nil {
			return nil, err
		}
		msgs, held, err = s.round(ctx)
	}
	if len(msgs) > 0 || err != nil {
		return msgs, err
	}
	if s.cfg.bulk {
		return nil, io.EOF
	}
	for _, in := range s.inputs {
		if err := in.watchNulls(ctx); err != nil {
			return nil, err
		}
	}
	wait := s.cfg.poll
	if held > 0 {
		wait = min(wait, held)
	}
	s.due = time.Now().Add(wait)
	return nil, nil
}

// round asks the inputs in turn, until one has rows. Without rows it returns
// how long it takes until those are ready that are too young, 0 for none.
func (s *source) round(ctx context.Context) (msgs []*oms.Message, held time.Duration, err error) {
	for range s.inputs {
		in := s.inputs[s.next]
		msgs, wait, err := in.read(ctx)
		if wait > 0 && (held == 0 || wait < held) {
			held = wait
		}
		if !s.cfg.bulk || len(msgs) == 0 {
			// In bulk a table is finished before the next one.
			s.next = (s.next + 1) % len(s.inputs)
		}
		if len(msgs) > 0 || err != nil {
			return msgs, 0, err
		}
	}
	return nil, held, nil
}
