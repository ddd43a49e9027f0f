package sql

import (
	"context"
	dbsql "database/sql"
	"fmt"
	"strings"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/connect/row"
	"github.com/omconnect/omconnect/oms"
)

func init() { connect.Register(SinkPlugin()) }

// SinkPlugin returns the plugin of sql-sink.
func SinkPlugin() connect.Plugin {
	return connect.Plugin{
		Class: "sql-sink",
		Kind:  connect.KindSink,
		Doc:   "Writes rows into tables of a database, added or replaced by their key, one transaction for each batch.",
		Def:   sinkDef,
		New: func(env connect.Env) (connect.Connector, error) {
			// Whether it takes tombstones is asked before OnStart.
			return &sink{cfg: sinkConfig{deletes: strings.EqualFold(env.Config[keyDelete], "true")}}, nil
		},
	}
}

// sink is a running sql-sink.
type sink struct {
	connect.Hooks
	cfg     sinkConfig
	db      *Database
	decoder row.Decoder
	targets map[string]*target // by topic
}

var (
	_ connect.Sink             = (*sink)(nil)
	_ connect.TombstoneHandler = (*sink)(nil)
)

// HandlesTombstones reports whether messages without a body delete rows.
func (s *sink) HandlesTombstones() bool { return s.cfg.deletes }

// OnStart opens the database.
func (s *sink) OnStart(ctx context.Context, config oms.KeyValue) (err error) {
	if s.cfg, err = readSinkConfig(config); err != nil {
		return err
	}
	access := ReadWrite
	if s.cfg.create {
		access = ReadWriteOrNew
	}
	s.targets = make(map[string]*target)
	s.db, err = open(ctx, s.cfg.url, access)
	return err
}

// OnStop closes the database.
func (s *sink) OnStop(context.Context) error {
	if s.db == nil {
		return nil
	}
	s.forget()
	return s.db.Close()
}

// forget drops what is known of the tables, which may have changed.
func (s *sink) forget() {
	for topic, t := range s.targets {
		t.close()
		delete(s.targets, topic)
	}
}

// Put writes the messages in one transaction. When one of them is refused, it
// writes those before it in another, and tells its index.
func (s *sink) Put(ctx context.Context, msgs []*oms.Message) error {
	ops, refused, err := s.prepare(ctx, msgs)
	if err != nil {
		return err
	}
	at, err := s.write(ctx, ops)
	if err != nil && at >= 0 && oms.CodeOf(err) == oms.ErrNotFound {
		// The table was changed under us. Nothing of the batch is written yet.
		s.forget()
		if ops, refused, err = s.prepare(ctx, msgs); err != nil {
			return err
		}
		at, err = s.write(ctx, ops)
	}
	switch {
	case err != nil && at < 0:
		return err
	case err != nil:
		refused = fmt.Errorf("%s: %w", whence(msgs[at]), err)
		if _, err := s.write(ctx, ops[:at]); err != nil {
			return err
		}
		return &connect.PartialError{Index: at, Err: refused}
	case refused != nil:
		return &connect.PartialError{Index: len(ops), Err: refused}
	}
	return nil
}

// prepare turns messages into operations, up to the first that is refused. An
// error says that the database cannot be asked now.
func (s *sink) prepare(ctx context.Context, msgs []*oms.Message) (ops []operation, refused, err error) {
	fresh := len(s.targets) == 0
	for _, m := range msgs {
		op, err := s.operation(ctx, m)
		switch {
		case err == nil:
			ops = append(ops, op)
		case ctx.Err() != nil || oms.IsTemporary(err):
			return nil, nil, err
		case oms.CodeOf(err) == oms.ErrNotFound && !fresh:
			// A table or column may have come since it was looked up.
			s.forget()
			return s.prepare(ctx, msgs)
		default:
			return ops, fmt.Errorf("%s: %w", whence(m), err), nil
		}
	}
	return ops, nil, nil
}

// whence says where a message was received, for whoever has to look at it.
func whence(m *oms.Message) string {
	return fmt.Sprintf("message of topic %s, partition %d, offset %d", m.Topic, m.Partition, m.Offset)
}

// An operation is a statement for one message.
type operation struct {
	statement *dbsql.Stmt
	args      []any
	target    string
}

// write runs the operations in one transaction. With an error nothing is
// written; at is the index of the operation that is refused, or -1 when the
// error is not about one.
func (s *sink) write(ctx context.Context, ops []operation) (at int, err error) {
	if len(ops) == 0 {
		return -1, nil
	}
	if err := s.db.Moved(); err != nil {
		return -1, err
	}
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return -1, s.db.fail("begin", "", err)
	}
	at = -1
	defer func() {
		if err != nil {
			_ = tx.Rollback() // the first error counts
		}
	}()
	statements := make(map[*dbsql.Stmt]*dbsql.Stmt)
	for i, op := range ops {
		if op.statement == nil {
			continue
		}
		bound, ok := statements[op.statement]
		if !ok {
			bound = tx.StmtContext(ctx, op.statement)
			statements[op.statement] = bound
		}
		if _, err := bound.ExecContext(ctx, op.args...); err != nil {
			if err = s.db.fail("write", "table "+op.target, err); ctx.Err() != nil || oms.IsTemporary(err) {
				return -1, err
			}
			return i, err
		}
	}
	if err := tx.Commit(); err != nil {
		return -1, s.db.fail("commit", "", err)
	}
	// A file that was deleted takes every write, and loses it.
	return -1, s.db.Moved()
}

// operation prepares one message.
func (s *sink) operation(ctx context.Context, m *oms.Message) (operation, error) {
	if m.Body == nil {
		return s.deletion(ctx, m)
	}
	r, err := s.decoder.Decode(m.Body)
	if err != nil {
		return operation{}, err
	}
	t, err := s.target(ctx, m.Topic, &r)
	if err != nil {
		return operation{}, err
	}
	st, err := t.insert(ctx, s, r.Columns)
	if err != nil {
		return operation{}, err
	}
	for _, i := range st.key {
		if r.Values[i] == nil {
			return operation{}, s.refuse(t.table.Name, oms.ErrInvalid, "key column %q is NULL: such a row cannot be found again", r.Columns[i].Name)
		}
	}
	args, err := s.bind(t.table.Name, r.Values, func(i int) string { return r.Columns[i].Name })
	return operation{st.Stmt, args, t.table.Name}, err
}

// deletion prepares a message without a body.
func (s *sink) deletion(ctx context.Context, m *oms.Message) (operation, error) {
	if !s.cfg.deletes {
		return operation{}, &oms.Error{
			Op: "delete", Code: oms.ErrUnsupported, Err: fmt.Errorf("it has no body, which means to delete a row: set %s=true to do so", keyDelete),
		}
	}
	names, values, err := row.DecodeKey(m.Key)
	if err != nil {
		return operation{}, err
	}
	t, err := s.target(ctx, m.Topic, nil)
	if err != nil {
		return operation{}, err
	}
	if t == nil {
		return operation{}, nil // the table comes with its first row, and nothing is there to delete
	}
	for i, v := range values {
		if v == nil {
			return operation{}, s.refuse(t.table.Name, oms.ErrInvalid, "key column %q is NULL: no row has that key", names[i])
		}
	}
	st, err := t.deletion(ctx, s, names)
	if err != nil {
		return operation{}, err
	}
	args, err := s.bind(t.table.Name, values, func(i int) string { return names[i] })
	return operation{st, args, t.table.Name}, err
}

func (s *sink) bind(table string, values []any, name func(int) string) ([]any, error) {
	args := make([]any, len(values))
	for i, v := range values {
		var err error
		if args[i], err = s.db.Dialect.Bind(v); err != nil {
			return nil, s.refuse(table, oms.ErrInvalid, "column %q: %v", name(i), err)
		}
	}
	return args, nil
}

// refuse returns an error about a message, or the table it is for.
func (s *sink) refuse(table string, code oms.Code, format string, args ...any) error {
	return &oms.Error{Op: "write", Driver: s.db.Name, Target: "table " + table, Code: code, Err: fmt.Errorf(format, args...)}
}
