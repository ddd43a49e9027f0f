package offsetstest_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/omconnect/omconnect/offsets"
	"github.com/omconnect/omconnect/offsets/offsetstest"
	"github.com/omconnect/omconnect/oms"
)

// renote notes a broker in place of whichever is noted.
func (s *broken) renote(ctx context.Context, c, to string) error {
	for {
		noted, err := s.Memory.Broker(ctx, c)
		if err == nil {
			err = s.Memory.Adopt(ctx, c, noted, to, false)
		}
		if !errors.Is(err, oms.ErrAborted) {
			return err
		}
	}
}

// wipe deletes all positions, and voids the leases.
func (s *broken) wipe(ctx context.Context, c string) error {
	ps, err := s.Memory.Load(ctx, c)
	if err != nil || len(ps) == 0 {
		return err
	}
	return s.Memory.Alter(ctx, c, nil, slices.Collect(maps.Keys(ps)))
}

// stale returns why a broker cannot be adopted from another one.
func (s *broken) stale(ctx context.Context, c, from string) error {
	noted, err := s.Memory.Broker(ctx, c)
	if err == nil && noted != from {
		err = &oms.Error{Op: "adopt", Target: c, Code: oms.ErrAborted}
	}
	return err
}

var adoptFaults = []fault{
	{"identities have no case", []string{"AdoptNotes"}, func(s *broken) {
		s.broker = func(ctx context.Context, c string) (string, error) {
			id, err := s.Memory.Broker(ctx, c)
			if id == "First" {
				id = strings.ToLower(id)
			}
			return id, err
		}
	}},
	{"a stale adoption is carried out", []string{"AdoptOnce", "AdoptStale"}, func(s *broken) {
		s.adopt = func(ctx context.Context, c, from, to string, forget bool) error {
			err := s.Memory.Adopt(ctx, c, from, to, forget)
			if errors.Is(err, oms.ErrAborted) {
				return s.renote(ctx, c, to)
			}
			return err
		}
	}},
	{"a stale adoption forgets all the same", []string{"AdoptStale"}, func(s *broken) {
		s.adopt = func(ctx context.Context, c, from, to string, forget bool) error {
			err := s.Memory.Adopt(ctx, c, from, to, forget)
			if errors.Is(err, oms.ErrAborted) && forget {
				err = errors.Join(err, s.wipe(ctx, c))
			}
			return err
		}
	}},
	{"the noted broker is looked at some time before", []string{"AdoptOnce"}, func(s *broken) {
		s.adopt = func(ctx context.Context, c, from, to string, forget bool) error {
			if err := s.stale(ctx, c, from); forget || to == "" || !offsetsValid(c, to) || err != nil {
				return errors.Join(err, s.Memory.Adopt(ctx, c, from, to, forget))
			}
			time.Sleep(time.Millisecond) // of the bubble's clock
			return s.renote(ctx, c, to)
		}
	}},
	{"adopting always forgets", []string{"AdoptKeeps"}, func(s *broken) {
		s.adopt = func(ctx context.Context, c, from, to string, _ bool) error {
			return s.Memory.Adopt(ctx, c, from, to, true)
		}
	}},
	{"adopting always fences", []string{"AdoptKeeps"}, func(s *broken) {
		s.adopt = func(ctx context.Context, c, from, to string, forget bool) error {
			err := s.Memory.Adopt(ctx, c, from, to, forget)
			if ps, _ := s.Memory.Load(ctx, c); err == nil && len(ps) > 0 {
				err = s.Memory.Alter(ctx, c, nil, nil)
			}
			return err
		}
	}},
	{"forgetting fences nobody", []string{"AdoptForgets"}, func(s *broken) {
		forgotten := make(map[string]bool)
		s.adopt = func(ctx context.Context, c, from, to string, forget bool) error {
			s.mu.Lock()
			defer s.mu.Unlock()
			err := s.Memory.Adopt(ctx, c, from, to, false)
			forgotten[c] = forgotten[c] || err == nil && forget
			return err
		}
		s.commit = func(ctx context.Context, l offsets.Lease, ps map[offsets.Partition]offsets.Position) error {
			s.mu.Lock()
			defer s.mu.Unlock()
			forgotten[l.Owner.Connector] = false
			return s.Memory.Commit(ctx, l, ps)
		}
		s.load = func(ctx context.Context, c string) (map[offsets.Partition]offsets.Position, error) {
			ps, err := s.loadChecked(ctx, c)
			s.mu.Lock()
			defer s.mu.Unlock()
			if forgotten[c] {
				clear(ps)
			}
			return ps, err
		}
	}},
	{"one position is not forgotten", []string{"AdoptForgets"}, func(s *broken) {
		s.adopt = func(ctx context.Context, c, from, to string, forget bool) error {
			before, _ := s.Memory.Load(ctx, c)
			err := s.Memory.Adopt(ctx, c, from, to, forget)
			if last := slices.Sorted(maps.Keys(before)); err == nil && forget && len(last) > 2 {
				p := last[len(last)-1]
				err = s.Memory.Alter(ctx, c, map[offsets.Partition]offsets.Position{p: before[p]}, nil)
			}
			return err
		}
	}},
	{"what is damaged is not forgotten", []string{"AdoptForgetsCorrupt"}, func(s *broken) { s.sparing = true }},
	{"positions are forgotten before the broker is noted", []string{"AdoptOneStep"}, func(s *broken) {
		s.adopt = func(ctx context.Context, c, from, to string, forget bool) error {
			err := s.stale(ctx, c, from)
			if err == nil && forget && offsetsValid(c, to) && ctx.Err() == nil {
				err = s.wipe(ctx, c)
				time.Sleep(time.Millisecond) // of the bubble's clock
			}
			return errors.Join(err, s.Memory.Adopt(ctx, c, from, to, forget))
		}
	}},
	{"the broker is noted before positions are forgotten", []string{"AdoptOneStep"}, func(s *broken) {
		s.adopt = func(ctx context.Context, c, from, to string, forget bool) error {
			err := s.Memory.Adopt(ctx, c, from, to, false)
			if err == nil && forget {
				time.Sleep(time.Millisecond) // of the bubble's clock
				err = s.Memory.Adopt(ctx, c, to, to, true)
			}
			return err
		}
	}},
	{"a connector is known by its broker", []string{"AdoptUnknown"}, func(s *broken) {
		s.adopt = func(ctx context.Context, c, from, to string, forget bool) error {
			err := s.Memory.Adopt(ctx, c, from, to, forget)
			if ps, _ := s.Memory.Load(ctx, c); err == nil && len(ps) == 0 && forget {
				err = s.Memory.Alter(ctx, c, nil, nil)
			}
			return err
		}
	}},
	{"a connector is listed for its broker", []string{"AdoptUnknown"}, func(s *broken) {
		s.list = func(ctx context.Context) ([]string, error) {
			names, err := s.Memory.Connectors(ctx)
			for _, c := range []string{"gone", "new"} {
				if id, _ := s.Memory.Broker(ctx, c); id != "" {
					names = append(names, c)
				}
			}
			return names, err
		}
	}},
	{"any broker is noted", []string{"AdoptTerms"}, func(s *broken) {
		s.adopt = func(ctx context.Context, c, from, to string, forget bool) error {
			return s.Memory.Adopt(ctx, c, from, strings.ToValidUTF8(to, "?"), forget)
		}
	}},
	{"altering forgets the broker", []string{"AlterKeepsBroker"}, func(s *broken) {
		s.alter = func(ctx context.Context, c string, set map[offsets.Partition]offsets.Position, del []offsets.Partition) error {
			err := s.Memory.Alter(ctx, c, set, del)
			if err == nil {
				err = s.renote(ctx, c, "")
			}
			return err
		}
	}},
	{"removing always forgets the broker", []string{"RemoveKeepsBroker"}, func(s *broken) {
		s.remove = func(ctx context.Context, name string, revision int64, keep bool) error {
			err := s.Memory.Remove(ctx, name, revision, keep)
			if err == nil {
				err = s.renote(ctx, name, "")
			}
			return err
		}
	}},
	{"removing never forgets the broker", []string{"RemoveForgetsBroker"}, func(s *broken) {
		s.remove = func(ctx context.Context, name string, revision int64, keep bool) error {
			noted, _ := s.Memory.Broker(ctx, name)
			err := s.Memory.Remove(ctx, name, revision, keep)
			if err == nil {
				err = s.renote(ctx, name, noted)
			}
			return err
		}
	}},
}

func offsetsValid(c, broker string) bool { return offsets.ValidAdoption(c, broker) == nil }

func TestStoreThatForgetsBrokersBreaksReopenKeepsBroker(t *testing.T) {
	for _, forgets := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			failures := offsetstest.Check(t.Context(), func() offsetstest.Harness {
				s := newBroken(offsets.NewMemory())
				s.closeAll = func() error {
					if forgets {
						return errors.Join(s.renote(t.Context(), "c", ""), s.renote(t.Context(), "only noted", ""))
					}
					return nil
				}
				return offsetstest.Harness{
					Open:    func() (offsets.Store, error) { return s, nil },
					Reopens: true,
					Advance: time.Sleep, // of the bubble's clock
				}
			})
			want := []string{"Closed", "WatchClosed"} // it cannot be closed
			if forgets {
				want = []string{"Closed", "ReopenKeepsBroker", "WatchClosed"}
			}
			if diff := cmp.Diff(want, slices.Sorted(maps.Keys(failures))); diff != "" {
				t.Errorf("rules broken (-want +got):\n%s", diff)
			}
		})
	}
}
