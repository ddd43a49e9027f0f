package redis_test

import (
	"strings"
	"testing"
	"time"

	"github.com/omconnect/omconnect/integration"
	"github.com/omconnect/omconnect/offsets"
	"github.com/omconnect/omconnect/offsets/redis"
	"github.com/omconnect/omconnect/oms"
)

func TestDamagedBrokerIsNamed(t *testing.T) {
	r := integration.NewRedis(t)
	s := open(t, r.URL())
	ctx := t.Context()
	behind := client(t, r.Addr())
	l := acquire(t, s, "orders", time.Hour)
	if err := s.Commit(ctx, l, one); err != nil {
		t.Fatal(err)
	}
	for record, says := range map[string]string{
		`x`: "damaged", `[1]`: "damaged", `{"v":2,"id":"first"}`: "newer omconnect", `{"id":"first"}`: "no version",
		`{"v":1}`: "no broker", `{"v":1,"id":""}`: "no broker", `{"v":1,"id":5}`: "damaged",
	} {
		if err := behind.HSet(ctx, redis.PositionsKey(s, "orders"), "!broker", record).Err(); err != nil {
			t.Fatal(err)
		}
		_, broker := s.Broker(ctx, "orders")
		for call, err := range map[string]error{
			"Broker": broker, "Adopt from first": s.Adopt(ctx, "orders", "first", "second", true), "Adopt": s.Adopt(ctx, "orders", "", "second", true),
		} {
			if oms.CodeOf(err) != oms.ErrFormat || !strings.Contains(err.Error(), "orders") || !strings.Contains(err.Error(), says) {
				t.Errorf("%s with the record %s: %v, want ErrFormat naming orders and %q", call, record, err, says)
			}
		}
	}
	if err := s.Commit(ctx, l, one); err != nil {
		t.Errorf("the owner was fenced: %v", err)
	}
}

// A key that was made for the broker only is not what a lease was held for.
func TestABrokerInAnEmptiedStoreMakesUpNoConnector(t *testing.T) {
	r := integration.NewRedis(t)
	s := open(t, r.URL())
	l := acquire(t, s, "c", time.Hour)
	if err := client(t, r.Addr()).FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	for _, forget := range []bool{false, true} {
		from, to := "", "first"
		if forget {
			from, to = "first", "second"
		}
		if err := s.Adopt(t.Context(), "c", from, to, forget); err != nil {
			t.Fatal(err)
		}
		if err := s.Commit(t.Context(), l, one); oms.CodeOf(err) != offsets.ErrStateLost {
			t.Errorf("Commit: %v, want ErrStateLost", err)
		}
	}
}

func TestAForeignKeyIsNoBroker(t *testing.T) {
	r := integration.NewRedis(t)
	s := open(t, r.URL())
	if err := client(t, r.Addr()).Set(t.Context(), redis.PositionsKey(s, "c"), "x", 0).Err(); err != nil {
		t.Fatal(err)
	}
	_, broker := s.Broker(t.Context(), "c")
	for call, err := range map[string]error{"Broker": broker, "Adopt": s.Adopt(t.Context(), "c", "", "first", false)} {
		if oms.CodeOf(err) != oms.ErrFormat || !strings.Contains(err.Error(), "prefix") {
			t.Errorf("%s of a string: %v, want ErrFormat", call, err)
		}
	}
}
