package embedded

import (
	"context"
	"fmt"

	bolt "go.etcd.io/bbolt"

	"github.com/omconnect/omconnect/offsets"
)

// Broker implements offsets.Positions.
func (s *Store) Broker(ctx context.Context, name string) (id string, err error) {
	err = s.view(ctx, "ask for the broker of positions", name, func(tx *bolt.Tx) (err error) {
		if b := tx.Bucket(bucketConnectors).Bucket([]byte(name)); b != nil {
			id, err = notedBroker(b, name)
		}
		return err
	})
	return id, err
}

// notedBroker returns the broker in the bucket of a connector, "" if there is
// none.
func notedBroker(b *bolt.Bucket, name string) (string, error) {
	record := b.Get(keyBroker)
	if record == nil {
		return "", nil
	}
	id, err := offsets.UnmarshalBroker(record)
	if err != nil {
		err = fmt.Errorf("the broker of connector %s: %w", name, err)
	}
	return id, err
}

// Adopt implements offsets.Positions.
func (s *Store) Adopt(ctx context.Context, name, from, to string, forget bool) error {
	const op = "note the broker of positions"
	if err := offsets.ValidAdoption(name, to); err != nil {
		return s.fail(op, name, err)
	}
	return s.update(ctx, op, name, func(tx *bolt.Tx) error {
		b, err := tx.Bucket(bucketConnectors).CreateBucketIfNotExists([]byte(name))
		if err != nil {
			return err
		}
		switch noted, err := notedBroker(b, name); {
		case err != nil:
			return err
		case noted != from:
			return offsets.OtherBroker(noted)
		}
		if forget {
			if err := forgetPositions(tx, b, name); err != nil {
				return err
			}
		}
		if to == "" {
			return b.Delete(keyBroker)
		}
		record, err := offsets.MarshalBroker(to)
		if err != nil {
			return err
		}
		return b.Put(keyBroker, record)
	})
}

// forgetPositions empties the positions in the bucket of a connector, and
// voids its leases.
func forgetPositions(tx *bolt.Tx, b *bolt.Bucket, name string) error {
	c := openConnector(tx, name)
	if c == nil {
		return nil
	}
	if err := b.DeleteBucket(bucketPositions); err != nil {
		return err
	}
	if _, err := b.CreateBucket(bucketPositions); err != nil {
		return err
	}
	return c.revoke()
}
