package offsets

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/omconnect/omconnect/oms"
)

type memoryStatus struct {
	Status
	until time.Time
}

// List implements Definitions.
func (m *Memory) List(ctx context.Context) ([]Definition, error) {
	s, err := m.snapshot(ctx)
	return s.Definitions, err
}

func (m *Memory) snapshot(ctx context.Context) (Snapshot, error) {
	if err := m.enter(ctx, "list definitions"); err != nil {
		return Snapshot{}, err
	}
	defer m.mu.Unlock()
	s := Snapshot{Revision: m.revision, Definitions: make([]Definition, 0, len(m.defs))}
	for _, name := range sortedKeys(m.defs) {
		s.Definitions = append(s.Definitions, m.defs[name].clone())
	}
	return s, nil
}

// Put implements Definitions.
func (m *Memory) Put(ctx context.Context, d Definition) (int64, error) {
	const op = "put definition"
	if err := d.Valid(); err != nil {
		return 0, memoryError(op, d.Name, oms.ErrInvalid, err)
	}
	if err := m.enter(ctx, op); err != nil {
		return 0, err
	}
	defer m.mu.Unlock()
	stored, ok := m.defs[d.Name]
	if err := CompareRevision(stored.Revision, ok, d.Revision); err != nil {
		return 0, memoryError(op, d.Name, oms.CodeOf(err), err)
	}
	d = d.clone()
	d.Revision = m.advance()
	m.defs[d.Name] = d
	return d.Revision, nil
}

// CompareRevision tells whether a definition may be put: wanted is the
// revision that the caller has, 0 for a new definition; stored is the one in
// the store, if there is one. It returns nil, ErrExists or ErrAborted.
func CompareRevision(stored int64, there bool, wanted int64) error {
	switch {
	case there && wanted == 0:
		return oms.ErrExists
	case there && wanted != stored:
		return stale(stored, wanted)
	case !there && wanted != 0:
		return fmt.Errorf("%w: there is no such definition any more", oms.ErrAborted)
	}
	return nil
}

func stale(stored, wanted int64) error {
	return fmt.Errorf("%w: it was changed meanwhile: revision %d is now %d", oms.ErrAborted, wanted, stored)
}

// advance gives the next revision, and wakes those who watch.
func (m *Memory) advance() int64 {
	m.revision++
	close(m.changed)
	m.changed = make(chan struct{})
	return m.revision
}

// Remove implements Definitions.
func (m *Memory) Remove(ctx context.Context, name string, revision int64, keepPositions bool) error {
	const op = "remove definition"
	if err := m.enter(ctx, op); err != nil {
		return err
	}
	defer m.mu.Unlock()
	stored, ok := m.defs[name]
	if !ok {
		return nil
	}
	if stored.Revision != revision {
		return memoryError(op, name, oms.ErrAborted, stale(stored.Revision, revision))
	}
	delete(m.defs, name)
	if c := m.connectors[name]; c != nil && keepPositions {
		c.revoke()
	}
	if !keepPositions {
		delete(m.connectors, name)
		delete(m.brokers, name)
	}
	maps.DeleteFunc(m.statuses, func(o Owner, _ memoryStatus) bool { return o.Connector == name })
	m.advance()
	return nil
}

// Watch implements Definitions.
func (m *Memory) Watch(ctx context.Context, after int64) iter.Seq2[Definition, error] {
	return Follow(ctx, after, m.snapshot, m.wait)
}

// wait returns once the revision is another one, or the store is closed.
func (m *Memory) wait(ctx context.Context, revision int64) error {
	for {
		if err := m.enter(ctx, "watch definitions"); err != nil {
			return err
		}
		current, changed := m.revision, m.changed
		m.mu.Unlock()
		if current != revision {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Publish implements Statuses.
func (m *Memory) Publish(ctx context.Context, s Status, ttl time.Duration) error {
	if err := m.enter(ctx, "publish status"); err != nil {
		return err
	}
	defer m.mu.Unlock()
	m.statuses[Owner{s.Connector, s.Task}] = memoryStatus{s, time.Now().Add(ttl)}
	return nil
}

// Withdraw implements Statuses.
func (m *Memory) Withdraw(ctx context.Context, connector string, task int) error {
	if err := m.enter(ctx, "withdraw status"); err != nil {
		return err
	}
	defer m.mu.Unlock()
	maps.DeleteFunc(m.statuses, func(o Owner, _ memoryStatus) bool {
		return o.Connector == connector && o.Task >= task
	})
	return nil
}

// Statuses implements Statuses.
func (m *Memory) Statuses(ctx context.Context) ([]Status, error) {
	if err := m.enter(ctx, "list statuses"); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	now := time.Now()
	maps.DeleteFunc(m.statuses, func(_ Owner, s memoryStatus) bool { return !now.Before(s.until) })
	list := make([]Status, 0, len(m.statuses))
	for _, s := range m.statuses {
		list = append(list, s.Status)
	}
	SortStatuses(list)
	return list, nil
}

// SortStatuses sorts by connector and task, as Statuses has them.
func SortStatuses(list []Status) {
	slices.SortFunc(list, func(a, b Status) int {
		if a.Connector == b.Connector {
			return a.Task - b.Task
		}
		if a.Connector < b.Connector {
			return -1
		}
		return 1
	})
}

func sortedKeys[K ~string, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
