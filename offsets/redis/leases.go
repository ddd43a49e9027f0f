package redis

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/omconnect/omconnect/offsets"
)

func (s *Store) leaseKeys(o offsets.Owner) []string {
	return []string{s.keys.positions(o.Connector), s.keys.lease(o)}
}

// Acquire implements offsets.Leases.
func (s *Store) Acquire(ctx context.Context, o offsets.Owner, holder string, ttl time.Duration) (offsets.Lease, error) {
	const op = "acquire lease"
	if err := offsets.ValidGrant(o, holder, ttl); err != nil {
		return offsets.Lease{}, s.fail(ctx, op, o.String(), err)
	}
	if err := s.enter(ctx, op, o.String()); err != nil {
		return offsets.Lease{}, err
	}
	token, err := s.run(ctx, scriptAcquire, s.leaseKeys(o), o.Task, holder, uuid.NewString(), ttl.Milliseconds())
	if err != nil {
		return offsets.Lease{}, s.fail(ctx, op, o.String(), err)
	}
	return offsets.Lease{Owner: o, Holder: holder, Token: token, TTL: ttl}, nil
}

// Renew implements offsets.Leases.
func (s *Store) Renew(ctx context.Context, l offsets.Lease, ttl time.Duration) (offsets.Lease, error) {
	const op = "renew lease"
	if err := offsets.ValidGrant(l.Owner, l.Holder, ttl); err != nil {
		return offsets.Lease{}, s.fail(ctx, op, l.Owner.String(), err)
	}
	if err := s.enter(ctx, op, l.Owner.String()); err != nil {
		return offsets.Lease{}, err
	}
	_, err := s.run(ctx, scriptRenew, s.leaseKeys(l.Owner), l.Owner.Task, l.Token, ttl.Milliseconds())
	if err != nil {
		return offsets.Lease{}, s.fail(ctx, op, l.Owner.String(), err)
	}
	l.TTL = ttl
	return l, nil
}

// Release implements offsets.Leases.
func (s *Store) Release(ctx context.Context, l offsets.Lease) error {
	const op = "release lease"
	if err := s.enter(ctx, op, l.Owner.String()); err != nil {
		return err
	}
	_, err := s.run(ctx, scriptRelease, s.leaseKeys(l.Owner), l.Owner.Task, l.Token)
	return s.fail(ctx, op, l.Owner.String(), err)
}
