package offsets

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/omconnect/omconnect/oms"
)

// Memory is a store that lives as long as the process. Its zero value is
// ready to use. Leases and statuses end by the clock of package time, so that
// it can be used with the fake clock of testing/synctest; it has no goroutine
// of its own.
type Memory struct {
	mu         sync.Mutex
	id         string
	closed     bool
	revision   int64
	changed    chan struct{} // closed at the next change of definitions
	defs       map[string]Definition
	connectors map[string]*memoryConnector
	brokers    map[string]string // by connector, known or not
	statuses   map[Owner]memoryStatus
}

// memoryConnector is what is remembered of a connector. Each task that was
// ever granted stays, so that a later grant has a later epoch.
type memoryConnector struct {
	tasks     map[int]*memoryTask
	positions map[Partition]Position
}

type memoryTask struct {
	epoch  int64
	token  string // "" when it is nobody's
	holder string
	until  time.Time
}

var _ Store = (*Memory)(nil)

// NewMemory returns an empty store.
func NewMemory() *Memory { return new(Memory) }

// enter locks the store for a call, unless the call is in vain.
func (m *Memory) enter(ctx context.Context, op string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	if m.closed {
		m.mu.Unlock()
		return memoryError(op, "", oms.ErrClosed, nil)
	}
	if m.id == "" {
		m.id = uuid.NewString()
		m.changed = make(chan struct{})
		m.defs = make(map[string]Definition)
		m.connectors = make(map[string]*memoryConnector)
		m.brokers = make(map[string]string)
		m.statuses = make(map[Owner]memoryStatus)
	}
	return nil
}

func memoryError(op, target string, code oms.Code, err error) error {
	return &oms.Error{Op: op, Driver: "memory", Target: target, Code: code, Err: err}
}

// ID implements Store.
func (m *Memory) ID(ctx context.Context) (string, error) {
	if err := m.enter(ctx, "identify"); err != nil {
		return "", err
	}
	defer m.mu.Unlock()
	return m.id, nil
}

// Check implements Store.
func (m *Memory) Check(ctx context.Context) error {
	if err := m.enter(ctx, "check"); err != nil {
		return err
	}
	m.mu.Unlock()
	return nil
}

// Close implements Store. What was stored is forgotten.
func (m *Memory) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.closed && m.changed != nil {
		close(m.changed)
	}
	m.closed = true
	m.defs, m.connectors, m.brokers, m.statuses = nil, nil, nil, nil
	return nil
}

// connector returns what is remembered of a connector, and remembers it from
// now on.
func (m *Memory) connector(name string) *memoryConnector {
	c := m.connectors[name]
	if c == nil {
		c = &memoryConnector{tasks: make(map[int]*memoryTask), positions: make(map[Partition]Position)}
		m.connectors[name] = c
	}
	return c
}

// Acquire implements Leases.
func (m *Memory) Acquire(ctx context.Context, o Owner, holder string, ttl time.Duration) (Lease, error) {
	const op = "acquire lease"
	if err := ValidGrant(o, holder, ttl); err != nil {
		return Lease{}, memoryError(op, o.String(), oms.ErrInvalid, err)
	}
	if err := m.enter(ctx, op); err != nil {
		return Lease{}, err
	}
	defer m.mu.Unlock()
	c := m.connector(o.Connector)
	t := c.tasks[o.Task]
	if t == nil {
		t = new(memoryTask)
		c.tasks[o.Task] = t
	}
	now := time.Now()
	if t.token != "" && t.holder != holder && now.Before(t.until) {
		return Lease{}, memoryError(op, o.String(), oms.ErrHeld, fmt.Errorf("%w: by %s", oms.ErrHeld, t.holder))
	}
	t.epoch++
	t.token = fmt.Sprintf("%d:%s", t.epoch, uuid.NewString())
	t.holder, t.until = holder, now.Add(ttl)
	return Lease{Owner: o, Holder: holder, Token: t.token, TTL: ttl}, nil
}

// owned returns the task of a lease that is still its owner's.
func (m *Memory) owned(op string, l Lease) (*memoryConnector, *memoryTask, error) {
	c := m.connectors[l.Owner.Connector]
	if c == nil {
		return nil, nil, memoryError(op, l.Owner.String(), ErrStateLost,
			fmt.Errorf("%w: the store does not know the connector", ErrStateLost))
	}
	t := c.tasks[l.Owner.Task]
	if t == nil || t.token == "" || t.token != l.Token {
		return nil, nil, memoryError(op, l.Owner.String(), oms.ErrFenced, nil)
	}
	return c, t, nil
}

// Renew implements Leases.
func (m *Memory) Renew(ctx context.Context, l Lease, ttl time.Duration) (Lease, error) {
	const op = "renew lease"
	if err := ValidGrant(l.Owner, l.Holder, ttl); err != nil {
		return Lease{}, memoryError(op, l.Owner.String(), oms.ErrInvalid, err)
	}
	if err := m.enter(ctx, op); err != nil {
		return Lease{}, err
	}
	defer m.mu.Unlock()
	_, t, err := m.owned(op, l)
	if err != nil {
		return Lease{}, err
	}
	t.until = time.Now().Add(ttl)
	l.TTL = ttl
	return l, nil
}

// Release implements Leases.
func (m *Memory) Release(ctx context.Context, l Lease) error {
	const op = "release lease"
	if err := m.enter(ctx, op); err != nil {
		return err
	}
	defer m.mu.Unlock()
	if _, t, err := m.owned(op, l); err == nil {
		t.revoke()
	}
	return nil
}

func (t *memoryTask) revoke() {
	*t = memoryTask{epoch: t.epoch + 1}
}

// Load implements Positions.
func (m *Memory) Load(ctx context.Context, connector string) (map[Partition]Position, error) {
	if err := m.enter(ctx, "load positions"); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	ps := make(map[Partition]Position)
	if c := m.connectors[connector]; c != nil {
		maps.Copy(ps, c.positions)
	}
	return ps, nil
}

// Connectors implements Positions.
func (m *Memory) Connectors(ctx context.Context) ([]string, error) {
	if err := m.enter(ctx, "list connectors with positions"); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	var names []string
	for name, c := range m.connectors {
		if len(c.positions) > 0 {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// Commit implements Positions.
func (m *Memory) Commit(ctx context.Context, l Lease, ps map[Partition]Position) error {
	const op = "commit positions"
	if err := ValidPositions(l.Owner.Connector, ps); err != nil {
		return memoryError(op, l.Owner.String(), oms.ErrFormat, err)
	}
	if err := m.enter(ctx, op); err != nil {
		return err
	}
	defer m.mu.Unlock()
	c, _, err := m.owned(op, l)
	if err != nil {
		return err
	}
	maps.Copy(c.positions, ps)
	return nil
}

// Alter implements Positions.
func (m *Memory) Alter(ctx context.Context, connector string, set map[Partition]Position, del []Partition) error {
	const op = "alter positions"
	if err := validName(connector); err != nil {
		return memoryError(op, connector, oms.ErrInvalid, err)
	}
	if err := ValidPositions(connector, set); err != nil {
		return memoryError(op, connector, oms.ErrFormat, err)
	}
	if err := m.enter(ctx, op); err != nil {
		return err
	}
	defer m.mu.Unlock()
	c := m.connector(connector)
	for _, p := range del {
		delete(c.positions, p)
	}
	maps.Copy(c.positions, set)
	c.revoke()
	return nil
}

func (c *memoryConnector) revoke() {
	for _, t := range c.tasks {
		t.revoke()
	}
}
