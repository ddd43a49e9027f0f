package embedded

import (
	"context"
	"errors"
	"fmt"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/omconnect/omconnect/offsets"
	"github.com/omconnect/omconnect/oms"
)

// Load implements offsets.Positions.
func (s *Store) Load(ctx context.Context, name string) (map[offsets.Partition]offsets.Position, error) {
	ps := make(map[offsets.Partition]offsets.Position)
	err := s.view(ctx, "load positions", name, func(tx *bolt.Tx) error {
		c := openConnector(tx, name)
		if c == nil {
			return nil
		}
		return c.positions.ForEach(func(partition, data []byte) error {
			p, err := offsets.UnmarshalPosition(data)
			if err != nil {
				return fmt.Errorf("connector %s, partition %s: %w", name, partition, err)
			}
			ps[offsets.Partition(partition)] = p
			return nil
		})
	})
	if err != nil {
		return nil, err
	}
	return ps, nil
}

// Connectors implements offsets.Positions.
func (s *Store) Connectors(ctx context.Context) ([]string, error) {
	var names []string // in order, as buckets are
	err := s.view(ctx, "list connectors with positions", "", func(tx *bolt.Tx) error {
		return tx.Bucket(bucketConnectors).ForEachBucket(func(name []byte) error {
			c := openConnector(tx, string(name))
			if c == nil {
				return nil
			}
			if first, _ := c.positions.Cursor().First(); first != nil {
				names = append(names, string(name))
			}
			return nil
		})
	})
	if err != nil {
		return nil, err
	}
	return names, nil
}

// Commit implements offsets.Positions. What is committed is on the disk.
func (s *Store) Commit(ctx context.Context, l offsets.Lease, ps map[offsets.Partition]offsets.Position) error {
	const op = "commit positions"
	if err := offsets.ValidPositions(l.Owner.Connector, ps); err != nil {
		return s.fail(op, l.Owner.String(), err)
	}
	return s.update(ctx, op, l.Owner.String(), func(tx *bolt.Tx) error {
		c, _, err := owned(tx, l)
		if err != nil {
			return err
		}
		return c.set(ps)
	})
}

func (c *connector) set(ps map[offsets.Partition]offsets.Position) error {
	now := time.Now()
	for partition, p := range ps {
		if err := c.positions.Put([]byte(partition), offsets.MarshalPosition(p, now)); err != nil {
			return err
		}
	}
	return nil
}

// Alter implements offsets.Positions.
func (s *Store) Alter(ctx context.Context, name string, set map[offsets.Partition]offsets.Position, del []offsets.Partition) error {
	const op = "alter positions"
	if name == "" {
		return s.fail(op, name, fmt.Errorf("%w: the connector has no name", oms.ErrInvalid))
	}
	if err := offsets.ValidPositions(name, set); err != nil {
		return s.fail(op, name, err)
	}
	return s.update(ctx, op, name, func(tx *bolt.Tx) error {
		c, err := ensureConnector(tx, name)
		if err != nil {
			return err
		}
		for _, partition := range del {
			err = errors.Join(err, c.positions.Delete([]byte(partition)))
		}
		return errors.Join(err, c.set(set), c.revoke())
	})
}
