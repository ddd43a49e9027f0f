package driver

import (
	"context"
	dbsql "database/sql"
	"encoding/json"
	"errors"
	"sync"

	"github.com/omconnect/omconnect/oms"
)

const schema = `
CREATE TABLE IF NOT EXISTS topics (name TEXT PRIMARY KEY);
CREATE TABLE IF NOT EXISTS messages (id INTEGER PRIMARY KEY AUTOINCREMENT, topic TEXT NOT NULL, at INTEGER NOT NULL, size INTEGER NOT NULL, content BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS by_topic ON messages (topic, at);
CREATE TABLE IF NOT EXISTS subscriptions (grp TEXT NOT NULL, topic TEXT NOT NULL, PRIMARY KEY (grp, topic));
CREATE TABLE IF NOT EXISTS waiting (grp TEXT NOT NULL, id INTEGER NOT NULL, topic TEXT NOT NULL, member TEXT, count INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (grp, id));
CREATE INDEX IF NOT EXISTS by_member ON waiting (grp, member, id);
CREATE TABLE IF NOT EXISTS members (name TEXT NOT NULL, grp TEXT NOT NULL, topic TEXT NOT NULL, until INTEGER NOT NULL, PRIMARY KEY (name, topic));`

// A conn is one gateway's handle of the file.
type conn struct {
	db   *dbsql.DB
	path string

	mu     sync.Mutex
	ready  bool          // the tables are there
	closed bool          // nothing is opened any more
	news   chan struct{} // closed, and replaced, when something was stored here
	open   map[closer]bool
}

type closer interface {
	Close(ctx context.Context) error
}

var (
	_ oms.Conn        = (*conn)(nil)
	_ oms.TopicAdmin  = (*conn)(nil)
	_ oms.GroupAdmin  = (*conn)(nil)
	_ oms.LagReporter = (*conn)(nil)
)

// do runs f in a transaction. An error of f that has no code is the
// database's; nothing is stored then.
func (c *conn) do(ctx context.Context, op, target string, f func(*dbsql.Tx) error) error {
	if err := c.prepare(ctx); err != nil {
		return coded(op, target, err)
	}
	tx, err := c.db.BeginTx(ctx, nil)
	if err != nil {
		return coded(op, target, err)
	}
	if err := f(tx); err != nil {
		_ = tx.Rollback() // the cause is err
		return coded(op, target, err)
	}
	if err := tx.Commit(); err != nil {
		return coded(op, target, err)
	}
	return nil
}

// prepare makes the tables, once. While it fails every call says so.
func (c *conn) prepare(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return oms.ErrClosed
	}
	if c.ready {
		return nil
	}
	_, err := c.db.ExecContext(ctx, schema)
	c.ready = err == nil
	return err
}

// Check implements oms.Conn.
func (c *conn) Check(ctx context.Context) error {
	return c.do(ctx, "check", c.path, func(tx *dbsql.Tx) error {
		_, err := tx.ExecContext(ctx, "SELECT 1 FROM topics")
		return err
	})
}

// Close implements oms.Conn. It closes what its caller has left open.
func (c *conn) Close(ctx context.Context) error {
	c.mu.Lock()
	var left []closer
	for o := range c.open {
		left = append(left, o)
	}
	c.mu.Unlock()
	var errs []error
	for _, o := range left {
		errs = append(errs, o.Close(ctx))
	}
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	return errors.Join(append(errs, c.db.Close())...)
}

// keep notes what Close is to close; it is ErrClosed when that has happened.
func (c *conn) keep(o closer) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return oms.ErrClosed
	}
	c.open[o] = true
	return nil
}

func (c *conn) forget(o closer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.open, o)
}

// tell wakes the receivers of this connection.
func (c *conn) tell() {
	c.mu.Lock()
	defer c.mu.Unlock()
	close(c.news)
	c.news = make(chan struct{})
}

// nextNews returns what is closed when something is stored from now on.
func (c *conn) nextNews() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.news
}

// list is the parameter of "IN (SELECT value FROM json_each(?))".
func list[T string | int64](values []T) string {
	text, err := json.Marshal(values)
	if err != nil {
		panic(err) // strings and numbers are JSON always
	}
	return string(text)
}
