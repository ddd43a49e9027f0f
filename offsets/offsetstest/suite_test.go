package offsetstest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
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

func unreadable(c string, p offsets.Partition, err error) error {
	return &oms.Error{Op: "load", Target: c, Code: oms.ErrFormat, Err: fmt.Errorf("partition %s: %w", p, err)}
}

// A fault breaks a store in one way, which must break these rules and no
// others.
type fault struct {
	name   string
	breaks []string
	spoil  func(*broken)
}

var faults = []fault{
	{"nothing", nil, func(*broken) {}},
	{"commits of former owners go through", []string{
		"AdoptForgets", "AdoptUnknown", "AlterFences", "AlterOddPartitions", "CommitFenced", "CommitForgotten", "EmptyCommit", "LeaseEnds",
		"ReleaseFrees", "Remove", "RemoveKeeps", "SameHolderRetakes", "TokenPerTask",
	}, func(s *broken) {
		s.commit = func(ctx context.Context, l offsets.Lease, ps map[offsets.Partition]offsets.Position) error {
			err := s.Memory.Commit(ctx, l, ps)
			if oms.CodeOf(err) == oms.ErrFenced || oms.CodeOf(err) == offsets.ErrStateLost {
				if _, err := s.Memory.Acquire(ctx, l.Owner, s.last(l.Owner).Holder+"?", time.Millisecond); err != nil {
					return s.Memory.Commit(ctx, s.last(l.Owner), ps)
				}
				return nil
			}
			return err
		}
	}},
	{"a held lease is stolen", []string{
		"AdoptKeeps", "HeldIsRefused", "OneWinner", "ReleaseFormer", "RenewExpired", "RenewExtends", "TasksApart", "WeirdNames",
	}, func(s *broken) {
		s.acquire = func(ctx context.Context, o offsets.Owner, holder string, ttl time.Duration) (offsets.Lease, error) {
			l, err := s.Memory.Acquire(ctx, o, holder, ttl)
			for errors.Is(err, oms.ErrHeld) {
				if err := s.Memory.Release(ctx, s.last(o)); err != nil {
					return l, err
				}
				l, err = s.Memory.Acquire(ctx, o, holder, ttl)
			}
			return l, err
		}
	}},
	{"a holder's second lease has the first one's token", []string{"EmptyCommit", "SameHolderRetakes"}, func(s *broken) {
		s.acquire = func(ctx context.Context, o offsets.Owner, holder string, ttl time.Duration) (offsets.Lease, error) {
			if l := s.last(o); l.Holder == holder {
				if l, err := s.Memory.Renew(ctx, l, ttl); err == nil {
					return l, nil
				}
			}
			return s.Memory.Acquire(ctx, o, holder, ttl)
		}
	}},
	{"leases never end", []string{"LeaseEnds", "RenewExpired", "RenewExtends", "RenewFenced"}, func(s *broken) {
		s.acquire = func(ctx context.Context, o offsets.Owner, holder string, ttl time.Duration) (offsets.Lease, error) {
			l, err := s.Memory.Acquire(ctx, o, holder, 1000*max(ttl, -1))
			l.TTL = ttl
			return l, err
		}
	}},
	{"renewing does not extend", []string{"RenewExtends"}, func(s *broken) {
		s.renew = func(ctx context.Context, l offsets.Lease, ttl time.Duration) (offsets.Lease, error) {
			_, err := s.Memory.Renew(ctx, l, min(ttl, time.Millisecond))
			l.TTL = ttl
			return l, err
		}
	}},
	{"renewed leases never end", []string{"RenewedEnds"}, func(s *broken) {
		s.renew = func(ctx context.Context, l offsets.Lease, ttl time.Duration) (offsets.Lease, error) {
			_, err := s.Memory.Renew(ctx, l, 1000*ttl)
			l.TTL = ttl
			return l, err
		}
	}},
	{"releasing is forgotten", []string{"CommitFenced", "ReleaseFormer", "ReleaseFrees", "TasksApart"}, func(s *broken) {
		s.release = func(ctx context.Context, _ offsets.Lease) error { return s.Check(ctx) }
	}},
	{"a commit is stored in part", []string{"CommitInvalid"}, func(s *broken) {
		s.commit = func(ctx context.Context, l offsets.Lease, ps map[offsets.Partition]offsets.Position) error {
			good := maps.Clone(ps)
			maps.DeleteFunc(good, func(p offsets.Partition, pos offsets.Position) bool { return p.Valid() != nil || pos.Valid() != nil })
			return errors.Join(s.Memory.Commit(ctx, l, ps), s.Memory.Commit(ctx, l, good))
		}
	}},
	{"positions are rewritten", []string{"Verbatim"}, func(s *broken) {
		s.load = func(ctx context.Context, c string) (map[offsets.Partition]offsets.Position, error) {
			ps, err := s.loadChecked(ctx, c)
			for p, pos := range ps {
				var b bytes.Buffer
				json.HTMLEscape(&b, []byte(pos))
				ps[p] = offsets.Position(b.String())
			}
			return ps, err
		}
	}},
	{"Load knows the last partitions only", []string{"AllTasks", "AlterSetsAndDeletes", "AlterUnknown", "CommitLoads", "Concurrent", "Large"}, func(s *broken) {
		last := make(map[string]map[offsets.Partition]offsets.Position)
		s.commit = func(ctx context.Context, l offsets.Lease, ps map[offsets.Partition]offsets.Position) error {
			s.mu.Lock()
			defer s.mu.Unlock()
			last[l.Owner.Connector] = maps.Clone(ps)
			return s.Memory.Commit(ctx, l, ps)
		}
		s.load = func(ctx context.Context, c string) (map[offsets.Partition]offsets.Position, error) {
			ps, err := s.loadChecked(ctx, c)
			s.mu.Lock()
			defer s.mu.Unlock()
			if len(last[c]) > 0 {
				maps.DeleteFunc(ps, func(p offsets.Partition, _ offsets.Position) bool { return last[c][p] == "" })
			}
			return ps, err
		}
	}},
	{"damaged positions are left out", []string{"CorruptPosition", "NewerPosition"}, func(s *broken) {
		s.load = s.Memory.Load
	}},
	{"a forgotten connector is made up", []string{"AdoptUnknown", "CommitForgotten"}, func(s *broken) {
		s.commit = func(ctx context.Context, l offsets.Lease, ps map[offsets.Partition]offsets.Position) error {
			err := s.Memory.Commit(ctx, l, ps)
			if oms.CodeOf(err) != offsets.ErrStateLost {
				return err
			}
			if l, err = s.Memory.Acquire(ctx, l.Owner, l.Holder, time.Hour); err != nil {
				return err
			}
			return s.Memory.Commit(ctx, l, ps)
		}
	}},
	{"only defined connectors are listed", []string{"Connectors"}, func(s *broken) {
		s.list = func(ctx context.Context) ([]string, error) {
			defs, err := s.List(ctx)
			var names []string
			for _, d := range defs {
				names = append(names, d.Name)
			}
			return names, err
		}
	}},
	{"deleting is forgotten", []string{"AlterSetsAndDeletes", "MendCorrupt"}, func(s *broken) {
		s.alter = func(ctx context.Context, c string, set map[offsets.Partition]offsets.Position, _ []offsets.Partition) error {
			return s.Memory.Alter(ctx, c, set, nil)
		}
	}},
	{"a second creation replaces the first", []string{"CreateOnce", "StalePut"}, func(s *broken) {
		s.put = func(ctx context.Context, d offsets.Definition) (int64, error) {
			revision, err := s.Memory.Put(ctx, d)
			for errors.Is(err, oms.ErrExists) {
				d.Revision = storedRevision(ctx, s, d.Name)
				revision, err = s.Memory.Put(ctx, d)
			}
			return revision, err
		}
	}},
	{"a stale change replaces the last one", []string{"ChangeOnce", "StalePut"}, func(s *broken) {
		s.put = func(ctx context.Context, d offsets.Definition) (int64, error) {
			revision, err := s.Memory.Put(ctx, d)
			for errors.Is(err, oms.ErrAborted) && storedRevision(ctx, s, d.Name) > 0 {
				d.Revision = storedRevision(ctx, s, d.Name)
				revision, err = s.Memory.Put(ctx, d)
			}
			return revision, err
		}
	}},
	{"positions are always kept", []string{"AdoptUnknown", "CommitForgotten", "Remove", "RemoveForgetsBroker"}, func(s *broken) {
		s.remove = func(ctx context.Context, name string, revision int64, _ bool) error {
			return s.Memory.Remove(ctx, name, revision, true)
		}
	}},
	{"positions are never kept", []string{"RemoveKeeps", "RemoveKeepsBroker"}, func(s *broken) {
		s.remove = func(ctx context.Context, name string, revision int64, _ bool) error {
			return s.Memory.Remove(ctx, name, revision, false)
		}
	}},
	{"any revision is removed", []string{"StaleRemove"}, func(s *broken) {
		s.remove = func(ctx context.Context, name string, _ int64, keep bool) error {
			return s.Memory.Remove(ctx, name, storedRevision(ctx, s, name), keep)
		}
	}},
	{"watching begins at the beginning", []string{"WatchChanges", "WatchInitial", "WatchRemoval"}, func(s *broken) {
		s.watch = func(ctx context.Context, _ int64) iter.Seq2[offsets.Definition, error] { return s.Memory.Watch(ctx, 0) }
	}},
	{"removals are not told", []string{"WatchRecreated", "WatchRemoval"}, func(s *broken) {
		s.watch = func(ctx context.Context, after int64) iter.Seq2[offsets.Definition, error] {
			return func(yield func(offsets.Definition, error) bool) {
				for d, err := range s.Memory.Watch(ctx, after) {
					if d.Target != offsets.TargetRemoved && !yield(d, err) {
						return
					}
				}
			}
		}
	}},
	{"statuses never end", []string{"StatusEnds"}, func(s *broken) {
		s.publish = func(ctx context.Context, st offsets.Status, ttl time.Duration) error {
			return s.Memory.Publish(ctx, st, 1000*ttl)
		}
	}},
	{"names have no case", []string{"WeirdNames"}, func(s *broken) {
		s.publish = func(ctx context.Context, st offsets.Status, ttl time.Duration) error {
			st.Connector = strings.ToLower(st.Connector)
			return s.Memory.Publish(ctx, st, ttl)
		}
	}},
	{"the id is made up each time", []string{"ID"}, func(s *broken) {
		n := 0
		s.id = func(ctx context.Context) (string, error) {
			s.mu.Lock()
			defer s.mu.Unlock()
			n++
			return fmt.Sprint(n), s.Check(ctx)
		}
	}},
	{"Close does nothing", []string{"Closed", "WatchClosed"}, func(s *broken) {
		s.closeAll = func() error { return nil }
	}},
	{"the context is ignored", []string{"ContextDone"}, func(s *broken) {
		s.commit = func(ctx context.Context, l offsets.Lease, ps map[offsets.Partition]offsets.Position) error {
			return s.Memory.Commit(context.WithoutCancel(ctx), l, ps)
		}
	}},
}

func storedRevision(ctx context.Context, s *broken, name string) int64 {
	list, _ := s.List(ctx)
	for _, d := range list {
		if d.Name == name {
			return d.Revision
		}
	}
	return 0
}

func TestBrokenStoresBreakTheirRules(t *testing.T) {
	for _, fault := range slices.Concat(faults, adoptFaults) {
		t.Run(fault.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				failures := offsetstest.Check(t.Context(), harness(fault.spoil))
				got := slices.Sorted(maps.Keys(failures))
				if diff := cmp.Diff(fault.breaks, got); diff != "" {
					t.Errorf("rules broken (-want +got):\n%s", diff)
					for name, err := range failures {
						if !slices.Contains(fault.breaks, name) {
							t.Logf("%s: %v", name, err)
						}
					}
				}
			})
		})
	}
}

func TestStoreThatForgetsBreaksReopen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		failures := offsetstest.Check(t.Context(), func() offsetstest.Harness {
			return offsetstest.Harness{
				Open:    func() (offsets.Store, error) { return offsets.NewMemory(), nil },
				Reopens: true,
				Advance: time.Sleep,
			}
		})
		if diff := cmp.Diff([]string{"Reopen", "ReopenKeepsBroker"}, slices.Sorted(maps.Keys(failures))); diff != "" {
			t.Errorf("rules broken (-want +got):\n%s", diff)
		}
	})
}
