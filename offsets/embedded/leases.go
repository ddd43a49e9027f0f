package embedded

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"
	bolt "go.etcd.io/bbolt"

	"github.com/omconnect/omconnect/offsets"
	"github.com/omconnect/omconnect/oms"
)

// A lease is the record of a task's lease. That of a task that nobody owns
// stays, without a token, so that the next epoch is a later one.
type lease struct {
	Version int       `json:"v"`
	Epoch   int64     `json:"epoch"`
	Token   string    `json:"token,omitempty"`
	Holder  string    `json:"holder,omitempty"`
	From    time.Time `json:"from,omitzero"` // by the wall clock
	Until   time.Time `json:"until,omitzero"`
}

// heldBy reports whether another one than holder has the lease now. A clock
// that was set back does not make it longer than it was granted for.
func (l *lease) heldByAnother(holder string, now time.Time) bool {
	return l.Token != "" && l.Holder != holder && now.Before(l.Until) && !now.Before(l.From)
}

func (l *lease) revoke() {
	*l = lease{Epoch: l.Epoch + 1}
}

func (l *lease) store(leases *bolt.Bucket, task int) error {
	l.Version = offsets.FormatVersion
	data, err := json.Marshal(l)
	if err != nil {
		return err
	}
	return leases.Put(taskKey(task), data)
}

// loadLease returns the record of a task; one that never had any gets a new
// one.
func loadLease(leases *bolt.Bucket, task int) (*lease, error) {
	data := leases.Get(taskKey(task))
	if data == nil {
		return new(lease), nil
	}
	return decodeLease(data)
}

func decodeLease(data []byte) (*lease, error) {
	l := new(lease)
	if err := json.Unmarshal(data, l); err != nil {
		return nil, fmt.Errorf("%w: the record of the lease is damaged", oms.ErrFormat)
	}
	return l, offsets.CheckFormat(l.Version)
}

func taskKey(task int) []byte { return []byte(strconv.Itoa(task)) }

// A connector is what the file has of one, as far as a transaction goes.
type connector struct {
	positions, leases *bolt.Bucket
}

// openConnector returns nil for a connector that the file does not know, or
// knows the broker of only.
func openConnector(tx *bolt.Tx, name string) *connector {
	b := tx.Bucket(bucketConnectors).Bucket([]byte(name))
	if b == nil || b.Bucket(bucketPositions) == nil {
		return nil
	}
	return &connector{b.Bucket(bucketPositions), b.Bucket(bucketLeases)}
}

func ensureConnector(tx *bolt.Tx, name string) (*connector, error) {
	b, err := tx.Bucket(bucketConnectors).CreateBucketIfNotExists([]byte(name))
	if err != nil {
		return nil, err
	}
	c := new(connector)
	if c.positions, err = b.CreateBucketIfNotExists(bucketPositions); err != nil {
		return nil, err
	}
	c.leases, err = b.CreateBucketIfNotExists(bucketLeases)
	return c, err
}

// revoke voids all leases of the connector.
func (c *connector) revoke() error {
	tasks := make(map[int]*lease)
	err := c.leases.ForEach(func(key, data []byte) error {
		task, err := strconv.Atoi(string(key))
		if err == nil {
			tasks[task], err = decodeLease(data)
		}
		return err
	})
	if err != nil {
		return err
	}
	for task, l := range tasks {
		l.revoke()
		if err := l.store(c.leases, task); err != nil {
			return err
		}
	}
	return nil
}

// owned returns the connector and the record of a lease that is still its
// owner's.
func owned(tx *bolt.Tx, l offsets.Lease) (*connector, *lease, error) {
	c := openConnector(tx, l.Owner.Connector)
	if c == nil {
		return nil, nil, fmt.Errorf("%w: the store does not know the connector", offsets.ErrStateLost)
	}
	stored, err := loadLease(c.leases, l.Owner.Task)
	if err != nil {
		return nil, nil, err
	}
	if stored.Token == "" || stored.Token != l.Token {
		return nil, nil, oms.ErrFenced
	}
	return c, stored, nil
}

// Acquire implements offsets.Leases.
func (s *Store) Acquire(ctx context.Context, o offsets.Owner, holder string, ttl time.Duration) (offsets.Lease, error) {
	const op = "acquire lease"
	if err := offsets.ValidGrant(o, holder, ttl); err != nil {
		return offsets.Lease{}, s.fail(op, o.String(), err)
	}
	granted := offsets.Lease{Owner: o, Holder: holder, TTL: ttl}
	err := s.update(ctx, op, o.String(), func(tx *bolt.Tx) error {
		c, err := ensureConnector(tx, o.Connector)
		if err != nil {
			return err
		}
		l, err := loadLease(c.leases, o.Task)
		if err != nil {
			return err
		}
		now := time.Now()
		if l.heldByAnother(holder, now) {
			return fmt.Errorf("%w: by %s", oms.ErrHeld, l.Holder)
		}
		l.Epoch++
		l.Token = fmt.Sprintf("%d:%s", l.Epoch, uuid.NewString())
		l.Holder, l.From, l.Until = holder, now, now.Add(ttl)
		granted.Token = l.Token
		return l.store(c.leases, o.Task)
	})
	if err != nil {
		return offsets.Lease{}, err
	}
	return granted, nil
}

// Renew implements offsets.Leases.
func (s *Store) Renew(ctx context.Context, l offsets.Lease, ttl time.Duration) (offsets.Lease, error) {
	const op = "renew lease"
	if err := offsets.ValidGrant(l.Owner, l.Holder, ttl); err != nil {
		return offsets.Lease{}, s.fail(op, l.Owner.String(), err)
	}
	err := s.update(ctx, op, l.Owner.String(), func(tx *bolt.Tx) error {
		c, stored, err := owned(tx, l)
		if err != nil {
			return err
		}
		stored.From = time.Now()
		stored.Until = stored.From.Add(ttl)
		return stored.store(c.leases, l.Owner.Task)
	})
	if err != nil {
		return offsets.Lease{}, err
	}
	l.TTL = ttl
	return l, nil
}

// Release implements offsets.Leases.
func (s *Store) Release(ctx context.Context, l offsets.Lease) error {
	return s.update(ctx, "release lease", l.Owner.String(), func(tx *bolt.Tx) error {
		c, stored, err := owned(tx, l)
		if errors.Is(err, oms.ErrFenced) || errors.Is(err, offsets.ErrStateLost) {
			return nil
		}
		if err != nil {
			return err
		}
		stored.revoke()
		return stored.store(c.leases, l.Owner.Task)
	})
}
