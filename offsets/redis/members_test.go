package redis_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/omconnect/omconnect/integration"
	"github.com/omconnect/omconnect/offsets/redis"
	"github.com/omconnect/omconnect/oms"
)

const memberTTL = 30 * time.Second

// wantOthers joins, and compares who else is there.
func wantOthers(t *testing.T, s *redis.Store, m redis.Member, want ...redis.Member) {
	t.Helper()
	others, err := s.Join(t.Context(), m, memberTTL)
	if diff := cmp.Diff(want, others); err != nil || diff != "" {
		t.Errorf("%s joins: %v (-want +got):\n%s", m.ID, err, diff)
	}
}

// wantRefused joins in vain.
func wantRefused(t *testing.T, s *redis.Store, m redis.Member, want ...redis.Member) {
	t.Helper()
	others, err := s.Join(t.Context(), m, memberTTL)
	if diff := cmp.Diff(want, others); !errors.Is(err, oms.ErrHeld) || oms.IsTemporary(err) || diff != "" {
		t.Errorf("%s joins: %v, want ErrHeld (-want +got):\n%s", m.ID, err, diff)
	}
}

var (
	plainA = redis.Member{ID: "a", Address: "10.0.0.1:8083", Version: "1"}
	plainB = redis.Member{ID: "b", Address: "10.0.0.2:8083", Version: "2"}
	localA = redis.Member{ID: "a", Address: "10.0.0.1:8083", Version: "1", Local: "embedded"}
	localB = redis.Member{ID: "b", Address: "10.0.0.2:8083", Version: "2", Local: "embedded"}
)

// A clock is the server's time, which the test sets.
type clock struct {
	*miniredis.Miniredis
	now time.Time
}

func newClock(t *testing.T) (*clock, *redis.Store) {
	t.Helper()
	c := &clock{miniredis.RunT(t), time.Unix(1_700_000_000, 0)}
	c.SetTime(c.now)
	return c, open(t, "redis://"+c.Addr())
}

// pass lets time pass, by which keys expire too.
func (c *clock) pass(d time.Duration) {
	c.now = c.now.Add(d)
	c.SetTime(c.now)
	c.FastForward(d)
}

func TestMembersSeeEachOther(t *testing.T) {
	_, s := newClock(t)
	wantOthers(t, s, plainA)
	wantOthers(t, s, plainB, plainA)
	wantOthers(t, s, plainA, plainB)
	if err := s.Leave(t.Context(), "b"); err != nil {
		t.Fatal(err)
	}
	wantOthers(t, s, plainA)
	if err := s.Leave(t.Context(), "b"); err != nil {
		t.Errorf("leaving twice: %v", err)
	}
}

func TestAMemberWithABrokerOfItsOwnIsAlone(t *testing.T) {
	_, s := newClock(t)
	wantOthers(t, s, localA)
	wantRefused(t, s, plainB, localA)
	wantRefused(t, s, localB, localA)
	wantOthers(t, s, localA) // nobody was noted
	if err := s.Leave(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	wantOthers(t, s, plainB)
	wantRefused(t, s, localA, plainB)
	wantOthers(t, s, plainA, plainB)
	// One that is there may not get one either, and counts as it was.
	wantRefused(t, s, localA, plainB)
	wantOthers(t, s, plainB, plainA)
}

// TestAMemberThatComesBackIsNotAnother: it was killed, and has left nothing.
func TestAMemberThatComesBackIsNotAnother(t *testing.T) {
	_, s := newClock(t)
	wantOthers(t, s, localA)
	again := localA
	again.Address, again.Version = "10.0.0.9:1", "2"
	wantOthers(t, s, again)
	wantRefused(t, s, plainB, again)
}

func TestADeadMemberIsForgotten(t *testing.T) {
	c, s := newClock(t)
	wantOthers(t, s, localA)
	c.pass(memberTTL - time.Millisecond)
	wantRefused(t, s, plainB, localA)
	c.pass(time.Millisecond)
	wantOthers(t, s, plainB)
	c.pass(memberTTL / 2)
	wantOthers(t, s, plainA, plainB) // that b is there keeps nobody else
	c.pass(memberTTL / 2)
	wantOthers(t, s, plainA)
	if fields, err := c.HKeys(redis.MembersKey(s)); err != nil || len(fields) != 1 {
		t.Errorf("the hash has %q, %v; want a only", fields, err)
	}
	c.pass(memberTTL)
	if c.Exists(redis.MembersKey(s)) {
		t.Error("nobody is there, and the hash still is")
	}
}

// TestAServerWhoseClockIsSetBackForgetsDeadMembers: one that was noted before
// would count for that much longer.
func TestAServerWhoseClockIsSetBackForgetsDeadMembers(t *testing.T) {
	c, s := newClock(t)
	wantOthers(t, s, localA)
	c.now = c.now.Add(-24 * time.Hour)
	c.SetTime(c.now)
	wantRefused(t, s, plainB, localA)
	c.pass(memberTTL)
	wantOthers(t, s, plainB)
}

func TestADamagedMemberIsNobody(t *testing.T) {
	c, s := newClock(t)
	c.HSet(redis.MembersKey(s), "x", "nonsense")
	wantOthers(t, s, localA)
	c.HSet(redis.MembersKey(s), "x", fmt.Sprintf("%d 0 {", c.now.Add(time.Second).UnixMilli()))
	if others, err := s.Join(t.Context(), plainB, memberTTL); oms.CodeOf(err) != oms.ErrFormat {
		t.Errorf("a record that cannot be read: got %v, %v, want ErrFormat", others, err)
	}
	if _, err := s.Join(t.Context(), redis.Member{}, memberTTL); oms.CodeOf(err) != oms.ErrInvalid {
		t.Errorf("a member without an id: got %v, want ErrInvalid", err)
	}
}

func TestMembersAreApartByPrefixAndNamespace(t *testing.T) {
	m := miniredis.RunT(t)
	for _, query := range []string{"", "?prefix=x", "?namespace=x"} {
		wantOthers(t, open(t, "redis://"+m.Addr()+query), localA)
		wantRefused(t, open(t, "redis://"+m.Addr()+query), localB, localA)
	}
}

// TestOfManyThatJoinAtOnceOneHasItsOwnBroker runs on a real server.
func TestOfManyThatJoinAtOnceOneHasItsOwnBroker(t *testing.T) {
	url := integration.RedisURL(t)
	s := open(t, url+"?namespace="+namespace(t, 0))
	var joined, refused sync.Map
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			id := fmt.Sprint("g", i)
			others, err := s.Join(t.Context(), redis.Member{ID: id, Local: "embedded"}, time.Minute)
			switch {
			case err == nil:
				joined.Store(id, true)
			case errors.Is(err, oms.ErrHeld) && len(others) == 1:
				refused.Store(id, others[0].ID)
			default:
				t.Errorf("%s: %v, %v", id, others, err)
			}
		})
	}
	wg.Wait()
	var names []string
	joined.Range(func(id, _ any) bool {
		names = append(names, id.(string))
		return true
	})
	if len(names) != 1 {
		t.Fatalf("these joined: %s; want one", strings.Join(names, ", "))
	}
	refused.Range(func(id, by any) bool {
		if by != names[0] {
			t.Errorf("%s was refused because of %s, want %s", id, by, names[0])
		}
		return true
	})
}
