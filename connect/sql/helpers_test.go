package sql_test

import (
	"bytes"
	"context"
	dbsql "database/sql"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/connect/row"
	"github.com/omconnect/omconnect/connect/sql"
	"github.com/omconnect/omconnect/oms"
)

// open opens a database file as any other program would, but in a hurry.
func open(tb testing.TB, path string) *dbsql.DB {
	tb.Helper()
	db, err := dbsql.Open("sqlite", "file:"+path+"?_busy_timeout=10000&_txlock=immediate&_synchronous=OFF")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { db.Close() })
	return db
}

// create makes a database file with what the statements put into it.
func create(tb testing.TB, statements ...string) (path string, db *dbsql.DB) {
	tb.Helper()
	path = filepath.Join(tb.TempDir(), "test.db")
	db = open(tb, path)
	run(tb, db, statements...)
	return path, db
}

func run(tb testing.TB, db *dbsql.DB, statements ...string) {
	tb.Helper()
	for _, s := range statements {
		if _, err := db.Exec(s); err != nil {
			tb.Fatalf("%s: %v", s, err)
		}
	}
}

// query returns the rows of a query as text, a line each.
func query(tb testing.TB, db *dbsql.DB, q string) []string {
	tb.Helper()
	rows, err := db.Query(q)
	if err != nil {
		tb.Fatalf("%s: %v", q, err)
	}
	defer rows.Close()
	columns, _ := rows.Columns()
	var lines []string
	for rows.Next() {
		values, into := make([]any, len(columns)), make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			tb.Fatal(err)
		}
		lines = append(lines, strings.TrimSuffix(fmt.Sprintln(values...), "\n"))
	}
	if err := rows.Err(); err != nil {
		tb.Fatalf("%s: %v", q, err)
	}
	return lines
}

// config is a configuration in pairs, on top of the database's URL.
func config(path string, pairs ...string) oms.KeyValue {
	kv := oms.KeyValue{"connection.url": "sqlite://" + path}
	for i := 0; i < len(pairs); i += 2 {
		kv[pairs[i]] = pairs[i+1]
	}
	return kv
}

// start makes an instance of a plugin, checks and completes its configuration,
// and starts it, as the runtime does. It is stopped with the test.
func start(tb testing.TB, p connect.Plugin, kv oms.KeyValue, log io.Writer) (connect.Connector, error) {
	tb.Helper()
	if err := p.Def.Validate(kv); err != nil {
		return nil, err
	}
	kv = p.Def.Complete(kv)
	c, err := p.New(connect.Env{Connector: "c", Tasks: 1, Config: kv, Logger: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		return nil, err
	}
	tb.Cleanup(func() {
		if err := c.OnStop(context.Background()); err != nil {
			tb.Errorf("OnStop: %v", err)
		}
	})
	return c, c.OnStart(tb.Context(), kv)
}

// startSource starts a source at the positions, with a poll.interval.ms of 1
// unless the configuration has another.
func startSource(tb testing.TB, kv oms.KeyValue, positions ...oms.Origin) connect.Source {
	tb.Helper()
	src, err := trySource(tb, kv, positions...)
	if err != nil {
		tb.Fatal(err)
	}
	return src
}

func trySource(tb testing.TB, kv oms.KeyValue, positions ...oms.Origin) (connect.Source, error) {
	tb.Helper()
	return trySourceLogging(tb, kv, io.Discard, positions...)
}

func trySourceLogging(tb testing.TB, kv oms.KeyValue, log io.Writer, positions ...oms.Origin) (connect.Source, error) {
	tb.Helper()
	kv = kv.Clone()
	if kv["poll.interval.ms"] == "" {
		kv["poll.interval.ms"] = "1"
	}
	if kv["topic"] == "" && kv["topic.prefix"] == "" {
		kv["topic"] = "rows"
	}
	c, err := start(tb, sql.SourcePlugin(), kv, log)
	if err != nil {
		return nil, err
	}
	src := c.(connect.Source)
	return src, src.(connect.Positioned).Seek(tb.Context(), positions)
}

func startSink(tb testing.TB, kv oms.KeyValue) connect.Sink {
	tb.Helper()
	c, err := start(tb, sql.SinkPlugin(), kv, io.Discard)
	if err != nil {
		tb.Fatal(err)
	}
	return c.(connect.Sink)
}

// pollAll polls until nothing is new, or the source has ended.
func pollAll(tb testing.TB, src connect.Source) (msgs []*oms.Message, ended bool) {
	tb.Helper()
	for {
		some, err := src.Poll(tb.Context())
		msgs = append(msgs, some...)
		switch {
		case errors.Is(err, io.EOF):
			return msgs, true
		case err != nil:
			tb.Fatal(err)
		case len(some) == 0:
			return msgs, false
		}
	}
}

// positions returns the positions to go on at after the messages, as a
// committer would keep them.
func positions(msgs []*oms.Message, before ...oms.Origin) []oms.Origin {
	last := make(map[string]string)
	for _, o := range before {
		last[o.Partition] = o.Position
	}
	for _, m := range msgs {
		if m.Origin.Position != "" {
			last[m.Origin.Partition] = m.Origin.Position
		}
	}
	var all []oms.Origin
	for partition, position := range last {
		all = append(all, oms.Origin{Partition: partition, Position: position})
	}
	slices.SortFunc(all, func(a, b oms.Origin) int { return strings.Compare(a.Partition, b.Partition) })
	return all
}

// values returns the rows of the messages as text.
func values(tb testing.TB, msgs []*oms.Message) []string {
	tb.Helper()
	var lines []string
	for _, m := range msgs {
		r, err := row.Decode(m.Body)
		if err != nil {
			tb.Fatalf("%s: %v", m.Body, err)
		}
		lines = append(lines, strings.TrimSuffix(fmt.Sprintln(r.Values...), "\n"))
	}
	return lines
}

// message makes the message of a row that has these values in columns of the
// given types, as in "id int64 key".
func message(tb testing.TB, topic string, offset int64, columns []string, values ...any) *oms.Message {
	tb.Helper()
	r := row.Row{Values: values}
	for _, c := range columns {
		f := strings.Fields(c)
		r.Columns = append(r.Columns, row.Column{Name: f[0], Type: row.Type(f[1]), Key: len(f) > 2})
	}
	key, body, err := row.Encode(r)
	if err != nil {
		tb.Fatal(err)
	}
	return &oms.Message{Topic: topic, Key: key, Body: body, Offset: offset, BornAt: time.Now()}
}

func put(tb testing.TB, s connect.Sink, msgs ...*oms.Message) {
	tb.Helper()
	if err := s.Put(tb.Context(), msgs); err != nil {
		tb.Fatal(err)
	}
}

// wantError checks the code and the parts of the text of an error.
func wantError(tb testing.TB, err error, code oms.Code, parts ...string) {
	tb.Helper()
	if oms.CodeOf(err) != code {
		tb.Errorf("error %v has the code %q, want %q", err, oms.CodeOf(err), code)
	}
	for _, part := range parts {
		if !strings.Contains(fmt.Sprint(err), part) {
			tb.Errorf("error %v does not say %q", err, part)
		}
	}
}

// warnings collects a log.
type warnings struct{ bytes.Buffer }

func (w *warnings) has(parts ...string) bool {
	for line := range strings.Lines(w.String()) {
		if !slices.ContainsFunc(parts, func(p string) bool { return !strings.Contains(line, p) }) {
			return true
		}
	}
	return false
}
