package driver

import (
	"context"
	"crypto/rand"
	dbsql "database/sql"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/omconnect/omconnect/oms"
)

const (
	lease     = 10 * time.Second // of a member that is not heard of
	heartbeat = time.Second
	look      = 100 * time.Millisecond // for what other processes have sent
)

// A receiver is a member of a group.
type receiver struct {
	conn     *conn
	cfg      oms.ReceiverConfig
	stop     context.CancelFunc
	closing  chan struct{} // closed: nothing is handed out any more
	finished chan struct{} // closed when run has ended

	mu       sync.Mutex // of what is done at the database, too
	closed   bool
	assigned bool          // OnAssigned knows of the topics
	name     string        // of the session, which ends with the lease
	held     map[int64]int // sizes of what is handed out
	bytes    int
	failure  error // of OnAssigned, for the next Receive
}

// A receipt names a delivery: what is of another session is stale.
type receipt struct {
	id     int64
	member string
	count  int
}

// OpenReceiver implements oms.Conn.
func (c *conn) OpenReceiver(ctx context.Context, cfg oms.ReceiverConfig) (oms.Receiver, error) {
	r := &receiver{conn: c, cfg: cfg.WithDefaults(), closing: make(chan struct{}), finished: make(chan struct{})}
	r.cfg.Topics = slices.Compact(slices.Sorted(slices.Values(cfg.Topics)))
	if err := c.keep(r); err != nil {
		return nil, coded("open receiver", cfg.Group, err)
	}
	if err := r.join(ctx); err != nil {
		c.forget(r)
		return nil, err
	}
	own, stop := context.WithCancel(context.WithoutCancel(ctx))
	r.stop = stop
	go r.run(own)
	return r, nil
}

// join begins a session.
func (r *receiver) join(ctx context.Context) error {
	r.name, r.held, r.bytes, r.assigned = rand.Text(), make(map[int64]int), 0, false
	return r.conn.do(ctx, "join group", r.cfg.Group, func(tx *dbsql.Tx) error {
		if err := subscribe(ctx, tx, r.cfg.Group, r.cfg.Topics, r.cfg.Start); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, "INSERT INTO members SELECT ?, ?, value, ? FROM json_each(?)",
			r.name, r.cfg.Group, time.Now().Add(lease).UnixMilli(), list(r.cfg.Topics))
		return err
	})
}

// run keeps the lease and makes the callbacks, until the receiver closes. A
// topic is one partition, which all members have at once.
func (r *receiver) run(ctx context.Context) {
	defer close(r.finished)
	tick := time.NewTicker(heartbeat)
	defer tick.Stop()
	var all []oms.Partition
	for _, topic := range r.cfg.Topics {
		all = append(all, oms.Partition{Topic: topic})
	}
	for {
		r.assign(ctx, all)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		if lost := r.renew(ctx); lost && r.cfg.OnRevoked != nil {
			r.cfg.OnRevoked(ctx, all)
		}
	}
}

// assign tells OnAssigned of the topics, until it takes them. The offsets that
// it may name mean nothing here.
func (r *receiver) assign(ctx context.Context, all []oms.Partition) {
	r.mu.Lock()
	assigned := r.assigned
	r.mu.Unlock()
	if assigned {
		return
	}
	var err error
	if r.cfg.OnAssigned != nil {
		_, err = r.cfg.OnAssigned(ctx, all)
	}
	r.mu.Lock()
	r.assigned, r.failure = err == nil, err
	r.mu.Unlock()
	r.conn.tell()
}

// renew renews the lease, and takes from members without one what they had. It
// reports whether this one's was over; a new session has begun then. A failure
// passes, or the lease does.
func (r *receiver) renew(ctx context.Context) (lost bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return false
	}
	now := time.Now()
	err := r.conn.do(ctx, "renew lease", r.cfg.Group, func(tx *dbsql.Tx) error {
		err := changes(tx.ExecContext(ctx, "UPDATE members SET until = ? WHERE name = ?", now.Add(lease).UnixMilli(), r.name))(oms.ErrFenced)
		if err != nil {
			return err
		}
		return exec(ctx, tx, []any{now.UnixMilli()},
			"UPDATE waiting SET member = NULL WHERE member IN (SELECT name FROM members WHERE until < ?)",
			"DELETE FROM members WHERE until < ?")
	})
	return errors.Is(err, oms.ErrFenced) && r.join(ctx) == nil
}

// Receive implements oms.Receiver. Its context bounds the waiting only: what
// was taken is returned.
func (r *receiver) Receive(ctx context.Context, limit int) ([]*oms.Message, error) {
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		news := r.conn.nextNews()
		msgs, err := r.take(context.WithoutCancel(ctx), limit)
		if len(msgs) > 0 || (err != nil && !oms.IsTemporary(err)) {
			return msgs, err
		}
		select {
		case <-news:
		case <-time.After(look):
		case <-r.closing:
		case <-ctx.Done():
		}
	}
}

// take takes the oldest messages that nobody has, within the bounds. One may be
// out always, however large.
func (r *receiver) take(ctx context.Context, limit int) (msgs []*oms.Message, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, failure("receive", r.cfg.Group, oms.ErrClosed, nil)
	}
	if !r.assigned {
		err, r.failure = r.failure, nil
		return nil, err
	}
	limit = min(limit, r.cfg.MaxUnacked-len(r.held))
	if limit <= 0 {
		return nil, nil
	}
	var ids []int64
	var sizes []int
	room := r.cfg.MaxUnackedBytes - r.bytes
	err = r.conn.do(ctx, "receive", r.cfg.Group, func(tx *dbsql.Tx) error {
		err := scan(ctx, tx, func(rows *dbsql.Rows) error {
			rc := receipt{member: r.name}
			var topic string
			var size int
			var text []byte
			if err := rows.Scan(&rc.id, &rc.count, &topic, &size, &text); err != nil {
				return err
			}
			if room -= size; room < 0 && len(r.held)+len(msgs) > 0 {
				return nil // and nothing behind it
			}
			m, err := decode(topic, text)
			if err != nil {
				return err
			}
			rc.count++
			m.Deliveries, m.Receipt = rc.count, rc
			msgs, ids, sizes = append(msgs, m), append(ids, rc.id), append(sizes, size)
			return nil
		}, `SELECT id, count, waiting.topic, size, content FROM waiting JOIN messages USING (id)
			WHERE grp = ? AND member IS NULL AND waiting.topic IN (SELECT value FROM json_each(?)) ORDER BY id LIMIT ?`,
			r.cfg.Group, list(r.cfg.Topics), limit)
		if err != nil || len(ids) == 0 {
			return err
		}
		return exec(ctx, tx, []any{r.name, r.cfg.Group, list(ids)},
			"UPDATE waiting SET member = ?, count = count + 1 WHERE grp = ? AND id IN (SELECT value FROM json_each(?))")
	})
	if err != nil {
		return nil, err
	}
	for i, id := range ids {
		r.held[id] = sizes[i]
		r.bytes += sizes[i]
	}
	return msgs, nil
}

// Ack implements oms.Receiver. It is durable when it returns.
func (r *receiver) Ack(ctx context.Context, msgs []*oms.Message) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return failure("ack", r.cfg.Group, oms.ErrClosed, nil)
	}
	stale := false
	var ids []int64 // those that are out
	for _, m := range msgs {
		rc, ours := m.Receipt.(receipt)
		if !ours {
			return failure("ack", m.Topic, oms.ErrInvalid, fmt.Errorf("message %q was not received from a file", m.ID))
		}
		_, out := r.held[rc.id]
		switch {
		case rc.member != r.name:
			stale = true
		case out: // else it was acknowledged before, which is no error
			ids = append(ids, rc.id)
		}
	}
	settled := make(map[int64]bool)
	err := r.conn.each(ctx, "ack", r.cfg.Group, func(rows *dbsql.Rows) error {
		var id int64
		err := rows.Scan(&id)
		settled[id] = true
		return err
	}, "DELETE FROM waiting WHERE grp = ? AND member = ? AND id IN (SELECT value FROM json_each(?)) RETURNING id", r.cfg.Group, r.name, list(ids))
	if err != nil {
		return err
	}
	for _, id := range ids {
		stale = stale || !settled[id] // the lease is over, or the topic gone
		r.bytes -= r.held[id]
		delete(r.held, id)
	}
	if stale {
		return failure("ack", r.cfg.Group, oms.ErrStaleDelivery, nil)
	}
	return nil
}

// Flush implements oms.Receiver.
func (r *receiver) Flush(context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return failure("flush", r.cfg.Group, oms.ErrClosed, nil)
	}
	return nil // every Ack is durable
}

// Close implements oms.Receiver. It gives back what is out, for which there is
// a second even when ctx is done; failing that, the lease runs out.
func (r *receiver) Close(ctx context.Context) error {
	r.stop()
	select {
	case <-r.finished:
	case <-ctx.Done(): // a callback may not look at its context
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil
	}
	r.closed = true
	close(r.closing)
	r.conn.forget(r)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	err := r.conn.do(ctx, "close receiver", r.cfg.Group, func(tx *dbsql.Tx) error {
		return exec(ctx, tx, []any{r.name}, "UPDATE waiting SET member = NULL WHERE member = ?", "DELETE FROM members WHERE name = ?")
	})
	r.conn.tell()
	return err
}
