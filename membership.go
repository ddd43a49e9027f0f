package omconnect

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/omconnect/omconnect/internal/redact"
	"github.com/omconnect/omconnect/offsets"
	"github.com/omconnect/omconnect/offsets/redis"
	"github.com/omconnect/omconnect/oms"
)

// A members is a store that several gateways can share, and that knows them.
type members interface {
	Join(ctx context.Context, m redis.Member, ttl time.Duration) ([]redis.Member, error)
	Leave(ctx context.Context, id string) error
}

const (
	memberTTL   = 30 * time.Second // after which a gateway that has died is forgotten
	memberEvery = 5 * time.Second
)

// A membership is the place of this gateway among those that share its store.
// A broker that only one of them reaches and another gateway do not go
// together: each would have its own messages, and take the other's for read.
type membership struct {
	store  members // nil when no other process can open the store
	me     redis.Member
	shown  string // the store's URL, without its secrets
	logger *slog.Logger
	others atomic.Pointer[[]redis.Member] // as of the last Join; nil before the first
	guards atomic.Bool                    // admit refuses from now on
}

// newMembership returns the place of a gateway that has not joined yet.
func (g *gateway) newMembership(store offsets.Store, id, address string) *membership {
	m := &membership{
		me:    redis.Member{ID: id, Address: address, Version: Version, Local: g.settings.local()},
		shown: redact.Text(g.settings.state), logger: g.logger,
	}
	m.store, _ = store.(members)
	return m
}

// local returns the driver of a broker that only this gateway reaches; "" when
// others reach all of them.
func (s *settings) local() string {
	for _, name := range s.opened {
		ap, err := oms.ParseAccessPoint(s.brokers[name])
		caps, cerr := oms.Default.Capabilities(s.brokers[name])
		if err == nil && cerr == nil && caps.Local { // loadSettings has refused wrong ones
			return ap.Driver
		}
	}
	return ""
}

// join notes that the gateway is there. It returns a usageError when it may
// not be.
func (m *membership) join(ctx context.Context) error {
	if m.store == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, statePatience)
	defer cancel()
	others, err := m.store.Join(ctx, m.me, memberTTL)
	switch {
	case errors.Is(err, oms.ErrHeld):
		return usageError{fmt.Errorf("state %s: %w", m.shown, m.refusal(others))}
	case err != nil:
		return fmt.Errorf("state %s: %w", m.shown, err)
	}
	m.others.Store(&others)
	return nil
}

// refusal says why the gateway may not be beside the others.
func (m *membership) refusal(others []redis.Member) error {
	text := fmt.Sprintf("shared with gateway %s, and this gateway's broker %s is its own: the other one would not get its messages", listed(others), m.me.Local)
	if m.me.Local == "" {
		text = fmt.Sprintf("shared with gateway %s, which has a broker of its own: this gateway would not get its messages", listed(others))
	}
	return fmt.Errorf("%s; give both the same broker that both reach, such as oms:nats://host:4222/, "+
		"or give this gateway a place of its own in the store with another prefix, as in redis://host/0?prefix=other "+
		"(a gateway that has died is forgotten after %s)", text, memberTTL)
}

func listed(others []redis.Member) string {
	names := make([]string, len(others))
	for i, o := range others {
		names[i] = fmt.Sprintf("%s (%s", o.ID, o.Address)
		if o.Local != "" {
			names[i] += ", broker " + o.Local
		}
		names[i] += ")"
	}
	return strings.Join(names, ", ")
}

// keep keeps the gateway's place until ctx is done. It returns an error when
// the gateway may not be there any more: while the store was away another one
// has come.
func (m *membership) keep(ctx context.Context) error {
	if m.store == nil {
		<-ctx.Done()
		return nil
	}
	again := time.NewTicker(memberEvery)
	defer again.Stop()
	for away := false; ; {
		select {
		case <-again.C:
		case <-ctx.Done():
			return nil
		}
		err := m.join(ctx)
		if _, refused := errors.AsType[usageError](err); refused {
			return err
		}
		if failed := err != nil && ctx.Err() == nil; failed != away {
			away = failed
			if away {
				m.logger.Warn("the gateway cannot tell the others that it is there; trying again", "error", err)
			}
		}
	}
}

// leave gives the place back, if the gateway has one. One that is not given
// back is free after its time.
func (m *membership) leave(ctx context.Context) {
	if m.others.Load() == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), statePatience)
	defer cancel()
	if err := m.store.Leave(ctx, m.me.ID); err != nil {
		m.logger.Warn("the gateway could not tell the others that it is gone; they forget it by themselves", "error", err)
	}
}

// alone reports whether no other gateway was there when the store answered
// last.
func (m *membership) alone() bool {
	others := m.others.Load()
	return m.store == nil || others != nil && len(*others) == 0
}

// admit returns why a broker that a connector names by its access point may
// not be used; nil if it may. It refuses nothing before the connectors of the
// file are defined: one that stands there fails alone, and the gateway runs.
// Whether another gateway is there is asked of the store each time: one that
// came since the last Join must not find this one with a broker of its own.
func (m *membership) admit(caps oms.Capabilities) error {
	if !caps.Local || m.me.Local != "" || !m.guards.Load() {
		return nil
	}
	// What cannot be asked now is as it was; keep tells of it.
	_ = m.join(context.Background())
	others := m.others.Load()
	if others == nil || len(*others) == 0 {
		return nil
	}
	return &oms.Error{Op: "open broker", Code: oms.ErrUnsupported, Err: fmt.Errorf(
		"it is this gateway's own, and the state store is shared with gateway %s: they would not get its messages; name a broker that all of them reach", listed(*others))}
}
