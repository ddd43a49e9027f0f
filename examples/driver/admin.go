package driver

import (
	"context"
	dbsql "database/sql"
	"errors"
	"math"
	"time"

	"github.com/omconnect/omconnect/oms"
)

// CreateTopic implements oms.TopicAdmin.
func (c *conn) CreateTopic(ctx context.Context, spec oms.TopicSpec) error {
	if err := oms.ValidTopic(spec.Name); err != nil {
		return failure("create topic", spec.Name, oms.ErrInvalid, err)
	}
	return c.do(ctx, "create topic", spec.Name, func(tx *dbsql.Tx) error {
		return changes(tx.ExecContext(ctx, "INSERT OR IGNORE INTO topics VALUES (?)", spec.Name))(oms.ErrExists)
	})
}

// changes returns the given code when a statement has changed nothing.
func changes(result dbsql.Result, err error) func(oms.Code) error {
	return func(none oms.Code) error {
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil || n > 0 {
			return err
		}
		return none
	}
}

// DeleteTopic implements oms.TopicAdmin. Groups stay subscribed, for the day
// when the topic is made again.
func (c *conn) DeleteTopic(ctx context.Context, name string) error {
	return c.do(ctx, "delete topic", name, func(tx *dbsql.Tx) error {
		if err := changes(tx.ExecContext(ctx, "DELETE FROM topics WHERE name = ?", name))(oms.ErrNotFound); err != nil {
			return err
		}
		return exec(ctx, tx, []any{name}, "DELETE FROM messages WHERE topic = ?", "DELETE FROM waiting WHERE topic = ?")
	})
}

// exec runs statements that have the same parameters.
func exec(ctx context.Context, tx *dbsql.Tx, args []any, statements ...string) error {
	for _, s := range statements {
		if _, err := tx.ExecContext(ctx, s, args...); err != nil {
			return err
		}
	}
	return nil
}

// Topics implements oms.TopicAdmin.
func (c *conn) Topics(ctx context.Context) (infos []oms.TopicInfo, err error) {
	err = c.each(ctx, "list topics", "", func(rows *dbsql.Rows) error {
		info := oms.TopicInfo{Partitions: 1}
		err := rows.Scan(&info.Name)
		infos = append(infos, info)
		return err
	}, "SELECT name FROM topics ORDER BY name")
	return infos, err
}

// each calls f for every row that a query returns.
func (c *conn) each(ctx context.Context, op, target string, f func(*dbsql.Rows) error, query string, args ...any) error {
	return c.do(ctx, op, target, func(tx *dbsql.Tx) error { return scan(ctx, tx, f, query, args...) })
}

func scan(ctx context.Context, tx *dbsql.Tx, f func(*dbsql.Rows) error, query string, args ...any) error {
	rows, err := tx.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }() // rows.Err tells
	for rows.Next() {
		if err := f(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// EnsureGroup implements oms.GroupAdmin.
func (c *conn) EnsureGroup(ctx context.Context, group string, topics []string, start oms.Start) error {
	return c.do(ctx, "make group", group, func(tx *dbsql.Tx) error { return subscribe(ctx, tx, group, topics, start) })
}

// subscribe has the group get what is sent to the topics from now on and, of
// what is there, what its start says.
func subscribe(ctx context.Context, tx *dbsql.Tx, group string, topics []string, start oms.Start) error {
	from := int64(0)
	switch start.From {
	case oms.StartLatest:
		from = math.MaxInt64
	case oms.StartAtTime:
		from = start.At.UnixMilli()
	default: // the oldest message
	}
	for _, topic := range topics {
		err := changes(tx.ExecContext(ctx, "INSERT OR IGNORE INTO subscriptions VALUES (?, ?)", group, topic))(oms.ErrExists)
		if errors.Is(err, oms.ErrExists) {
			continue // it goes on where it is
		}
		if err == nil {
			_, err = tx.ExecContext(ctx, "INSERT INTO waiting (grp, id, topic) SELECT ?, id, topic FROM messages WHERE topic = ? AND at >= ?", group, topic, from)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// DeleteGroup implements oms.GroupAdmin.
func (c *conn) DeleteGroup(ctx context.Context, group string, topics []string) error {
	return c.do(ctx, "delete group", group, func(tx *dbsql.Tx) error {
		var live int
		row := tx.QueryRowContext(ctx, "SELECT count(*) FROM members WHERE grp = ? AND until > ?", group, time.Now().UnixMilli())
		if err := row.Scan(&live); err != nil {
			return err
		}
		if live > 0 {
			return failure("delete group", group, oms.ErrBusy, errors.New("it has members"))
		}
		return exec(ctx, tx, []any{group, list(topics)},
			"DELETE FROM subscriptions WHERE grp = ? AND topic IN (SELECT value FROM json_each(?))",
			"DELETE FROM waiting WHERE grp = ? AND topic IN (SELECT value FROM json_each(?))")
	})
}

// Members implements oms.GroupAdmin.
func (c *conn) Members(ctx context.Context, group string, topics []string) (members []oms.Member, err error) {
	err = c.each(ctx, "list members", group, func(rows *dbsql.Rows) error {
		var m oms.Member
		err := rows.Scan(&m.Name)
		members = append(members, m)
		return err
	}, "SELECT DISTINCT name FROM members WHERE grp = ? AND topic IN (SELECT value FROM json_each(?)) AND until > ?",
		group, list(topics), time.Now().UnixMilli())
	return members, err
}

// Lag implements oms.LagReporter.
func (c *conn) Lag(ctx context.Context, group string, topics []string) (map[oms.Partition]int64, error) {
	lag := make(map[oms.Partition]int64)
	err := c.each(ctx, "report lag", group, func(rows *dbsql.Rows) error {
		var topic string
		var n int64
		err := rows.Scan(&topic, &n)
		lag[oms.Partition{Topic: topic}] = n
		return err
	}, "SELECT topic, count(*) FROM waiting WHERE grp = ? AND topic IN (SELECT value FROM json_each(?)) GROUP BY topic", group, list(topics))
	return lag, err
}
