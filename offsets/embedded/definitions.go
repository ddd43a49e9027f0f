package embedded

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/omconnect/omconnect/offsets"
	"github.com/omconnect/omconnect/oms"
)

// List implements offsets.Definitions.
func (s *Store) List(ctx context.Context) ([]offsets.Definition, error) {
	snapshot, err := s.snapshot(ctx)
	if err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(snapshot.Broken)) {
		return nil, snapshot.Broken[name]
	}
	return snapshot.Definitions, nil
}

func (s *Store) snapshot(ctx context.Context) (offsets.Snapshot, error) {
	const op = "list definitions"
	snapshot := offsets.Snapshot{Broken: make(map[string]error)}
	err := s.view(ctx, op, "", func(tx *bolt.Tx) error {
		b := tx.Bucket(bucketDefinitions)
		snapshot.Revision = int64(b.Sequence()) //nolint:gosec // counts up from 0
		return b.ForEach(func(key, data []byte) error {
			name := string(key)
			d, err := offsets.UnmarshalDefinition(name, data)
			if err != nil {
				snapshot.Broken[name] = s.fail(op, name, err)
				return nil
			}
			snapshot.Definitions = append(snapshot.Definitions, d)
			return nil
		})
	})
	return snapshot, err
}

// Put implements offsets.Definitions.
func (s *Store) Put(ctx context.Context, d offsets.Definition) (int64, error) {
	const op = "put definition"
	if err := d.Valid(); err != nil {
		return 0, s.fail(op, d.Name, err)
	}
	err := s.update(ctx, op, d.Name, func(tx *bolt.Tx) error {
		b := tx.Bucket(bucketDefinitions)
		var stored offsets.Definition
		data := b.Get([]byte(d.Name))
		if data != nil {
			var err error
			if stored, err = offsets.UnmarshalDefinition(d.Name, data); err != nil {
				return err
			}
		}
		if err := offsets.CompareRevision(stored.Revision, data != nil, d.Revision); err != nil {
			return err
		}
		revision, err := b.NextSequence()
		if err != nil {
			return err
		}
		d.Revision = int64(revision) //nolint:gosec // counts up from 1
		if data, err = offsets.MarshalDefinition(d); err != nil {
			return err
		}
		return b.Put([]byte(d.Name), data)
	})
	if err != nil {
		return 0, err
	}
	s.notify()
	return d.Revision, nil
}

// Remove implements offsets.Definitions.
func (s *Store) Remove(ctx context.Context, name string, revision int64, keepPositions bool) error {
	removed := false
	err := s.update(ctx, "remove definition", name, func(tx *bolt.Tx) error {
		b := tx.Bucket(bucketDefinitions)
		data := b.Get([]byte(name))
		if data == nil {
			return nil
		}
		stored, err := offsets.UnmarshalDefinition(name, data)
		if err != nil {
			return err
		}
		if stored.Revision != revision {
			return fmt.Errorf("%w: it was changed meanwhile: revision %d is now %d", oms.ErrAborted, revision, stored.Revision)
		}
		removed = true
		if _, err := b.NextSequence(); err != nil {
			return err
		}
		if err := b.Delete([]byte(name)); err != nil {
			return err
		}
		return forget(tx, name, keepPositions)
	})
	if err != nil || !removed {
		return err
	}
	s.notify()
	return s.statuses.Withdraw(context.WithoutCancel(ctx), name, offsets.ConnectorTask)
}

func forget(tx *bolt.Tx, name string, keepPositions bool) error {
	if !keepPositions {
		err := tx.Bucket(bucketConnectors).DeleteBucket([]byte(name))
		if errors.Is(err, bolterrors.ErrBucketNotFound) {
			err = nil // it never ran
		}
		return err
	}
	if c := openConnector(tx, name); c != nil {
		return c.revoke()
	}
	return nil
}

// Watch implements offsets.Definitions.
func (s *Store) Watch(ctx context.Context, after int64) iter.Seq2[offsets.Definition, error] {
	return offsets.Follow(ctx, after, s.snapshot, s.wait)
}

// notify wakes those who watch. Nobody but this process changes the file.
func (s *Store) notify() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		close(s.changed)
		s.changed = make(chan struct{})
	}
}

// wait returns once the revision is another one.
func (s *Store) wait(ctx context.Context, revision int64) error {
	for {
		s.mu.Lock()
		changed := s.changed
		s.mu.Unlock()
		var current int64
		err := s.view(ctx, "watch definitions", "", func(tx *bolt.Tx) error {
			current = int64(tx.Bucket(bucketDefinitions).Sequence()) //nolint:gosec // counts up from 0
			return nil
		})
		if err != nil || current != revision {
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Publish implements offsets.Statuses.
func (s *Store) Publish(ctx context.Context, st offsets.Status, ttl time.Duration) error {
	return s.statuses.Publish(ctx, st, ttl)
}

// Withdraw implements offsets.Statuses.
func (s *Store) Withdraw(ctx context.Context, connector string, task int) error {
	return s.statuses.Withdraw(ctx, connector, task)
}

// Statuses implements offsets.Statuses.
func (s *Store) Statuses(ctx context.Context) ([]offsets.Status, error) {
	return s.statuses.Statuses(ctx)
}
