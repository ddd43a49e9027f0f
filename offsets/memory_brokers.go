package offsets

import (
	"context"

	"github.com/omconnect/omconnect/oms"
)

// Broker implements Positions.
func (m *Memory) Broker(ctx context.Context, connector string) (string, error) {
	if err := m.enter(ctx, "ask for the broker of positions"); err != nil {
		return "", err
	}
	defer m.mu.Unlock()
	return m.brokers[connector], nil
}

// Adopt implements Positions.
func (m *Memory) Adopt(ctx context.Context, connector, from, to string, forget bool) error {
	const op = "note the broker of positions"
	if err := ValidAdoption(connector, to); err != nil {
		return memoryError(op, connector, oms.ErrInvalid, err)
	}
	if err := m.enter(ctx, op); err != nil {
		return err
	}
	defer m.mu.Unlock()
	if noted := m.brokers[connector]; noted != from {
		return memoryError(op, connector, oms.ErrAborted, OtherBroker(noted))
	}
	if to == "" {
		delete(m.brokers, connector)
	} else {
		m.brokers[connector] = to
	}
	if c := m.connectors[connector]; c != nil && forget {
		clear(c.positions)
		c.revoke()
	}
	return nil
}
