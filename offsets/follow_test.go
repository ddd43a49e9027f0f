package offsets_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/omconnect/omconnect/offsets"
	"github.com/omconnect/omconnect/oms"
)

// A script is what a store's read returns, one after the other; the last one
// closes the store.
type script []func() (offsets.Snapshot, error)

func (s *script) read(context.Context) (offsets.Snapshot, error) {
	if len(*s) == 0 {
		return offsets.Snapshot{}, oms.ErrClosed
	}
	step := (*s)[0]
	*s = (*s)[1:]
	return step()
}

// has returns a step with the definitions named name@revision.
func has(revision int64, broken map[string]error, names ...string) func() (offsets.Snapshot, error) {
	s := offsets.Snapshot{Revision: revision, Broken: broken}
	for _, text := range names {
		var d offsets.Definition
		fmt.Sscanf(text, "%1s@%d", &d.Name, &d.Revision)
		s.Definitions = append(s.Definitions, d)
	}
	return func() (offsets.Snapshot, error) { return s, nil }
}

func fails(err error) func() (offsets.Snapshot, error) {
	return func() (offsets.Snapshot, error) { return offsets.Snapshot{}, err }
}

func TestFollowTellsWhatIsDifferent(t *testing.T) {
	damaged := errors.New("b is damaged")
	for _, c := range []struct {
		name  string
		after int64
		steps script
		want  []string
	}{
		{"changes", 0, script{has(2, nil, "a@1", "b@2"), has(3, nil, "a@3", "b@2")}, []string{"a@1", "b@2", "a@3"}},
		{"above a revision", 2, script{has(3, nil, "a@1", "b@3"), has(4, nil, "a@4", "b@3")}, []string{"b@3", "a@4"}},
		{"removals", 1, script{has(1, nil, "a@1", "b@1"), has(5, nil)}, []string{"a@5 REMOVED", "b@5 REMOVED"}},
		{"made anew unseen", 0, script{has(1, nil, "a@1"), has(3, nil, "a@3")}, []string{"a@1", "a@3"}},
		{"errors remove nothing", 0, script{has(1, nil, "a@1"), fails(oms.ErrUnavailable), fails(offsets.ErrStateLost), has(1, nil, "a@1")}, []string{
			"a@1", "unavailable", "state lost",
		}},
		{"a damaged one is told once, and is not removed", 0, script{
			has(2, nil, "a@1", "b@2"), has(3, map[string]error{"b": damaged}, "a@3"), has(4, map[string]error{"b": damaged}, "a@4"), has(5, nil, "a@4", "b@5"),
		}, []string{"a@1", "b@2", "a@3", "b is damaged", "a@4", "b@5"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var got []string
				unchanging := func(context.Context, int64) error { return nil }
				for d, err := range offsets.Follow(t.Context(), c.after, c.steps.read, unchanging) {
					switch {
					case err != nil:
						got = append(got, err.Error())
					case d.Target != "":
						got = append(got, fmt.Sprintf("%s@%d %s", d.Name, d.Revision, d.Target))
					default:
						got = append(got, fmt.Sprintf("%s@%d", d.Name, d.Revision))
					}
				}
				if want := slices.Concat(c.want, []string{"closed"}); !slices.Equal(got, want) {
					t.Errorf("told %q, want %q", got, want)
				}
			})
		})
	}
}

func TestFollowWaitsBetweenErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		n := 0
		read := func(context.Context) (offsets.Snapshot, error) { return offsets.Snapshot{}, oms.ErrUnavailable }
		for range offsets.Follow(ctx, 0, read, nil) {
			n++
		}
		if n < 9 || n > 11 {
			t.Errorf("%d errors in ten seconds, want one a second", n)
		}
	})
}
