package mem_test

import (
	"context"
	"fmt"
	"slices"
	"testing/synctest"

	"github.com/omconnect/omconnect/oms"
)

// member is a receiver that writes down what it is told.
type member struct {
	oms.Receiver

	events []string // read them only after synctest.Wait
	owned  map[oms.Partition]bool
}

func (b *bench) join(group string, topics ...string) *member {
	b.Helper()
	return b.joinAs(oms.ReceiverConfig{Topics: topics, Group: group})
}

// joinAs opens a receiver whose callbacks are recorded and then made.
func (b *bench) joinAs(cfg oms.ReceiverConfig) *member {
	b.Helper()
	m := &member{owned: make(map[oms.Partition]bool)}
	assigned, revoked := cfg.OnAssigned, cfg.OnRevoked
	cfg.OnAssigned = func(ctx context.Context, ps []oms.Partition) (map[oms.Partition]int64, error) {
		m.events = append(m.events, fmt.Sprint("+", ps))
		for _, p := range ps {
			m.owned[p] = true
		}
		if assigned == nil {
			return nil, nil
		}
		return assigned(ctx, ps)
	}
	cfg.OnRevoked = func(ctx context.Context, ps []oms.Partition) {
		m.events = append(m.events, fmt.Sprint("-", ps))
		for _, p := range ps {
			delete(m.owned, p)
		}
		if revoked != nil {
			revoked(ctx, ps)
		}
	}
	cfg.OnGap = func(g oms.Gap) {
		m.events = append(m.events, fmt.Sprintf("gap %s %d-%d", g.Partition, g.From, g.To))
	}
	m.Receiver = b.receiver(cfg)
	synctest.Wait()
	return m
}

// wantEvents compares what the member was told since the last call.
func (b *bench) wantEvents(m *member, want ...string) {
	b.Helper()
	synctest.Wait()
	if !slices.Equal(m.events, want) {
		b.Errorf("the member was told %q, want %q", m.events, want)
	}
	m.events = nil
}
