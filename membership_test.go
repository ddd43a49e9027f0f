package omconnect

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/omconnect/omconnect/drivers/embedded"
	"github.com/omconnect/omconnect/drivers/mem"
	"github.com/omconnect/omconnect/integration"
	"github.com/omconnect/omconnect/offsets"
	"github.com/omconnect/omconnect/offsets/redis"
	"github.com/omconnect/omconnect/oms"
)

// A broker that others reach. Nobody listens there, which no start waits for.
const elsewhere = "oms:nats://127.0.0.1:1/"

func TestBrokersInTheProcessAreLocal(t *testing.T) {
	for name, tc := range map[string]struct {
		driver oms.Driver
		want   bool
	}{
		"embedded": {embedded.Driver{}, true},
		"nats":     {embedded.Driver{External: true}, false},
		"mem":      {mem.New(), true},
	} {
		if got := tc.driver.Capabilities(oms.AccessPoint{Driver: name, Options: oms.KeyValue{}}).Local; got != tc.want {
			t.Errorf("%s: Local is %v, want %v", name, got, tc.want)
		}
	}
}

// gatewayOn starts a gateway that shares a Redis, and returns it with its data
// folder.
func gatewayOn(t *testing.T, r *integration.Redis, args ...string) (p *program, data string) {
	t.Helper()
	data = t.TempDir()
	p = begin(t, append([]string{"run", "--data", data, "--listen", "127.0.0.1:0", "--state", r.URL()}, args...)...)
	p.await("gateway started")
	return p, data
}

// wantRefusedBy fails the test unless the gateway ended with bad usage, and
// says who the other one is and what to do.
func wantRefusedBy(t *testing.T, code int, stderr, id, address string) {
	t.Helper()
	if code != exitUsage {
		t.Errorf("exit %d, want %d", code, exitUsage)
	}
	for _, want := range []string{"omconnect: state redis://", id, strings.TrimPrefix(address, "http://"), "oms:nats://", "?prefix=", "forgotten after 30s"} {
		if !strings.Contains(stderr, want) {
			t.Errorf("%q is missing in:\n%s", want, stderr)
		}
	}
}

func gatewayID(t *testing.T, data string) string {
	t.Helper()
	return strings.TrimSpace(read(t, filepath.Join(data, gatewayFile)))
}

func TestAGatewayWithABrokerOfItsOwnSharesItsStateWithNobody(t *testing.T) {
	r := integration.NewRedis(t)
	first, data := gatewayOn(t, r)
	id := gatewayID(t, data)
	for _, args := range [][]string{{}, {"--broker", elsewhere}} {
		code, _, stderr := run(t, append([]string{"run", "--data", t.TempDir(), "--listen", "127.0.0.1:0", "--state", r.URL()}, args...)...)
		wantRefusedBy(t, code, stderr, id, first.url())
	}
	// Both ways out: a prefix of its own, and, below, a broker that both reach.
	code, _, stderr := run(t, "run", "--data", t.TempDir(), "--listen", "127.0.0.1:0", "--state", r.URL()+"?prefix=other", "--until-idle")
	if code != exitGood {
		t.Errorf("with a prefix of its own: exit %d:\n%s", code, stderr)
	}
	first.stop()
	if code := first.wait(); code != exitGood {
		t.Fatalf("the first: exit %d:\n%s", code, first.err)
	}
	gatewayOn(t, r) // at once: the first one has said that it is gone
}

func TestGatewaysWithABrokerThatBothReachShareTheirState(t *testing.T) {
	r := integration.NewRedis(t)
	first, data := gatewayOn(t, r, "--broker", elsewhere)
	gatewayOn(t, r, "--broker", elsewhere)
	code, _, stderr := run(t, "run", "--data", t.TempDir(), "--listen", "127.0.0.1:0", "--state", r.URL())
	wantRefusedBy(t, code, stderr, gatewayID(t, data), first.url())
	file := write(t, "gateway.yaml", "brokers: {mine: embedded}\n")
	code, _, stderr = run(t, "run", "-c", file, "--broker", elsewhere, "--data", t.TempDir(), "--listen", "127.0.0.1:0", "--state", r.URL())
	wantRefusedBy(t, code, stderr, gatewayID(t, data), first.url())
}

// TestAConnectorWithABrokerOfItsOwnIsRefusedAlone: the gateways share a
// broker, and one connector names another one.
func TestAConnectorWithABrokerOfItsOwnIsRefusedAlone(t *testing.T) {
	r := integration.NewRedis(t)
	alone, data := gatewayOn(t, r, "--broker", elsewhere)
	create := func(p *program, name, broker string) (code int, stderr string) {
		t.Helper()
		code, _, stderr = run(t, "connectors", "--url", p.url(), "create", name, "connector.class=log-sink", "topics=t", "broker="+broker)
		return code, stderr
	}
	if code, stderr := create(alone, "early", "embedded"); code != exitGood {
		t.Fatalf("alone: exit %d: %s", code, stderr)
	}
	// Another gateway has the same in its file. It runs, and that connector
	// does not.
	other := t.TempDir()
	file := write(t, "gateway.yaml", fmt.Sprintf("connectors:\n  late: {connector.class: log-sink, topics: t, broker: \"oms:embedded:///?dir=%s/b\"}\n", other))
	second := begin(t, "run", "-c", file, "--broker", elsewhere, "--data", other, "--listen", "127.0.0.1:0", "--state", r.URL())
	second.await("gateway started")
	status := func() string {
		_, stdout, stderr := run(t, "connectors", "--url", second.url(), "status", "late")
		return stdout + stderr
	}
	eventually(t, "the refusal of late", func() bool { return strings.Contains(status(), "FAILED") })
	if text := status(); !strings.Contains(text, "the state store is shared with gateway") {
		t.Errorf("the status does not say why:\n%s", text)
	}
	for _, broker := range []string{"embedded", "oms:embedded:///", "oms:embedded:///?dir=" + t.TempDir()} {
		code, stderr := create(second, "refused", broker)
		if code == exitGood || !strings.Contains(stderr, "broker: ") || !strings.Contains(stderr, gatewayID(t, data)) {
			t.Errorf("%s: exit %d: %s", broker, code, stderr)
		}
	}
	if code, stderr := create(second, "shared", "oms:nats://127.0.0.1:2/"); code != exitGood {
		t.Errorf("a broker that others reach: exit %d: %s", code, stderr)
	}
	if entries, err := os.ReadDir(filepath.Join(other, "b")); err == nil {
		t.Errorf("the refused broker was opened: %v", entries)
	}
}

// TestAGatewayThatLosesItsPlaceEnds: the store was away for long, and another
// gateway has come first.
func TestAGatewayThatLosesItsPlaceEnds(t *testing.T) {
	r := integration.NewRedis(t)
	p, data := gatewayOn(t, r)
	store, err := redis.Open(r.URL(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	if err := store.Leave(t.Context(), gatewayID(t, data)); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Join(t.Context(), redis.Member{ID: "intruder", Address: "10.0.0.9:8083"}, time.Minute); err != nil {
		t.Fatal(err)
	}
	wantRefusedBy(t, p.wait(), p.err.String(), "intruder", "10.0.0.9:8083")
	if others, err := store.Join(t.Context(), redis.Member{ID: "intruder"}, time.Minute); err != nil || len(others) > 0 {
		t.Errorf("the other one sees %v, %v; want nobody", others, err)
	}
}

// scripted are members whose answers a test sets.
type scripted struct {
	answer func() ([]redis.Member, error)
	joined atomic.Int64 // how often
	left   []string
}

func (s *scripted) Join(context.Context, redis.Member, time.Duration) ([]redis.Member, error) {
	s.joined.Add(1)
	return s.answer()
}

func (s *scripted) Leave(_ context.Context, id string) error {
	s.left = append(s.left, id)
	return nil
}

func TestAPlaceIsKeptWhileTheStoreIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var away atomic.Bool
		store, log := &scripted{}, newBuffer()
		store.answer = func() ([]redis.Member, error) {
			if away.Load() {
				return nil, &oms.Error{Code: oms.ErrUnavailable}
			}
			return []redis.Member{{ID: "b"}}, nil
		}
		m := &membership{store: store, me: redis.Member{ID: "a"}, shown: "redis://host", logger: slog.New(slog.NewTextHandler(log, nil))}
		m.leave(t.Context())
		if len(store.left) > 0 {
			t.Error("it left before it had joined")
		}
		if err := m.join(t.Context()); err != nil {
			t.Fatal(err)
		}
		m.guards.Store(true)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- m.keep(ctx) }()
		wait := func(d time.Duration) {
			time.Sleep(d)
			synctest.Wait()
		}
		wait(time.Minute)
		if n := store.joined.Load(); n != 1+int64(time.Minute/memberEvery) {
			t.Errorf("it joined %d times in a minute", n)
		}
		for range 2 {
			away.Store(true)
			wait(time.Hour)
			away.Store(false)
			wait(time.Minute)
		}
		if n := strings.Count(log.String(), "cannot tell the others"); n != 2 {
			t.Errorf("%d lines tell that the store is away, want one each time:\n%s", n, log)
		}
		if m.alone() {
			t.Error("it is alone, and there is another gateway")
		}
		if err := m.admit(oms.Capabilities{Local: true}); oms.CodeOf(err) != oms.ErrUnsupported || !strings.Contains(err.Error(), "gateway b") {
			t.Errorf("a local broker beside another gateway: %v, want ErrUnsupported that names it", err)
		}
		if err := m.admit(oms.Capabilities{}); err != nil {
			t.Errorf("a broker that others reach: %v", err)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		m.leave(ctx)
		if len(store.left) != 1 || store.left[0] != "a" {
			t.Errorf("these have left: %q", store.left)
		}
	})
}

func TestAGatewayThatCameJustNowIsSeenBeforeABrokerIsOpened(t *testing.T) {
	var answer atomic.Pointer[[]redis.Member]
	answer.Store(&[]redis.Member{})
	store := &scripted{answer: func() ([]redis.Member, error) {
		if others := answer.Load(); others != nil {
			return *others, nil
		}
		return nil, &oms.Error{Code: oms.ErrUnavailable}
	}}
	m := &membership{store: store, me: redis.Member{ID: "a"}, shown: "redis://host", logger: slog.New(slog.DiscardHandler)}
	if err := m.join(t.Context()); err != nil {
		t.Fatal(err)
	}
	m.guards.Store(true)
	local := oms.Capabilities{Local: true}
	if err := m.admit(local); err != nil {
		t.Errorf("a gateway that is alone: %v", err)
	}
	answer.Store(&[]redis.Member{{ID: "b"}})
	if err := m.admit(local); oms.CodeOf(err) != oms.ErrUnsupported || !strings.Contains(err.Error(), "gateway b") {
		t.Errorf("another gateway is there now: %v, want ErrUnsupported that names it", err)
	}
	answer.Store(nil)
	if err := m.admit(local); oms.CodeOf(err) != oms.ErrUnsupported {
		t.Errorf("the store is away: %v, want what was known before", err)
	}
}

func TestAStoreThatNobodyElseCanOpenNeedsNoPlace(t *testing.T) {
	g := &gateway{settings: &settings{state: embeddedName}, logger: slog.New(slog.DiscardHandler)}
	m := g.newMembership(offsets.NewMemory(), "a", "h:1")
	if err := m.join(t.Context()); err != nil {
		t.Error(err)
	}
	if !m.alone() {
		t.Error("the gateway is not alone")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := m.keep(ctx); err != nil {
		t.Error(err)
	}
	m.leave(ctx)
}

func TestAPlaceThatIsRefusedEndsTheKeeping(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &scripted{answer: func() ([]redis.Member, error) { return nil, nil }}
		m := &membership{store: store, me: redis.Member{ID: "a", Local: "embedded"}, shown: "redis://host", logger: slog.New(slog.DiscardHandler)}
		if m.alone() {
			t.Error("it is alone, before the store has told")
		}
		if err := m.join(t.Context()); err != nil {
			t.Fatal(err)
		}
		if !m.alone() {
			t.Error("it is not alone, and there is nobody else")
		}
		store.answer = func() ([]redis.Member, error) {
			return []redis.Member{{ID: "b", Address: "h:1"}}, &oms.Error{Code: oms.ErrHeld}
		}
		err := m.keep(t.Context())
		if _, usage := errors.AsType[usageError](err); !usage || !strings.Contains(err.Error(), "gateway b (h:1), and this gateway's broker embedded is its own") {
			t.Errorf("got %v", err)
		}
	})
}
