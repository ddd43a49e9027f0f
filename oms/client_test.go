package oms_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/omconnect/omconnect/oms"
)

// knowing is a back that also tells offsets and positions, and notes what it
// was asked for.
type knowing struct {
	*back

	answer map[oms.Partition]int64
	err    error
	group  string
	topics []string
	start  oms.Start
}

func (k *knowing) Open(context.Context, oms.AccessPoint) (oms.Conn, error) { return k, nil }

func (k *knowing) Offsets(_ context.Context, topics []string, start oms.Start) (map[oms.Partition]int64, error) {
	k.topics, k.start = topics, start
	return k.answer, k.err
}

func (k *knowing) Positions(_ context.Context, group string, topics []string) (map[oms.Partition]int64, error) {
	k.group, k.topics = group, topics
	return k.answer, k.err
}

// openDriver returns a client of a driver registered as "back".
func openDriver(t *testing.T, d oms.Driver) *oms.Client {
	t.Helper()
	var r oms.Registry
	r.Register("back", d)
	c, err := r.Open(t.Context(), "back")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// asked calls one of the two methods as the tests below do.
var asked = map[string]struct {
	capability oms.Capability
	call       func(*oms.Client) (map[oms.Partition]int64, error)
}{
	"offsets": {oms.OffsetForTime, func(c *oms.Client) (map[oms.Partition]int64, error) {
		return c.Offsets(context.Background(), []string{"t", "u"}, oms.Start{From: oms.StartAtTime, At: time.UnixMilli(5)})
	}},
	"positions": {oms.GroupPositions, func(c *oms.Client) (map[oms.Partition]int64, error) {
		return c.Positions(context.Background(), "g", []string{"t", "u"})
	}},
}

func TestOffsetsAndPositionsAreTheDriversAnswer(t *testing.T) {
	want := map[oms.Partition]int64{{Topic: "t"}: 7, {Topic: "u", Number: 1}: 0}
	for name, ask := range asked {
		k := &knowing{back: newBack(), answer: want}
		k.caps = oms.Claim(ask.capability)
		got, err := ask.call(openDriver(t, k))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s, -want +got:\n%s", name, diff)
		}
		if diff := cmp.Diff([]string{"t", "u"}, k.topics); diff != "" {
			t.Errorf("%s: the driver was asked for other topics: %s", name, diff)
		}
		if name == "positions" && k.group != "g" {
			t.Errorf("the driver was asked for group %q, want g", k.group)
		}
		if want := (oms.Start{From: oms.StartAtTime, At: time.UnixMilli(5)}); name == "offsets" && k.start != want {
			t.Errorf("the driver was asked for %v, want %v", k.start, want)
		}
	}
}

func TestAFailureToFindOffsetsOrPositionsIsTheDrivers(t *testing.T) {
	for name, ask := range asked {
		k := &knowing{back: newBack(), err: &oms.Error{Op: "ask", Driver: "back", Target: "u", Code: oms.ErrNotFound}}
		k.caps = oms.Claim(ask.capability)
		if got, err := ask.call(openDriver(t, k)); !errors.Is(err, oms.ErrNotFound) || !strings.Contains(err.Error(), "u") || len(got) != 0 {
			t.Errorf("%s: got %v, %v; want ErrNotFound of u", name, got, err)
		}
	}
}

func TestWhatIsNotClaimedIsNotAskedFor(t *testing.T) {
	for name, ask := range asked {
		k := &knowing{back: newBack(), answer: map[oms.Partition]int64{{Topic: "t"}: 7}}
		k.caps = oms.Claim(oms.Nack)
		k.caps.Claims[ask.capability] = oms.Support{Note: "the broker keeps none"}
		got, err := ask.call(openDriver(t, k))
		if !errors.Is(err, oms.ErrUnsupported) || got != nil || k.topics != nil {
			t.Errorf("%s: got %v, %v, and the driver was asked for %v; want ErrUnsupported", name, got, err, k.topics)
		}
		for _, part := range []string{string(ask.capability), "the broker keeps none", "back"} {
			if err == nil || !strings.Contains(err.Error(), part) {
				t.Errorf("%s: %v does not say %q", name, err, part)
			}
		}
	}
}

func TestAClaimWithoutTheMethodIsUnsupported(t *testing.T) {
	for name, ask := range asked {
		b := newBack() // which has neither method
		b.caps = oms.Claim(ask.capability)
		got, err := ask.call(openDriver(t, b))
		if !errors.Is(err, oms.ErrUnsupported) || got != nil {
			t.Errorf("%s: got %v, %v; want ErrUnsupported", name, got, err)
		}
		if err == nil || !strings.Contains(err.Error(), string(ask.capability)) || !strings.Contains(err.Error(), "claims it") {
			t.Errorf("%s: %v does not say that the driver claims it", name, err)
		}
	}
}
