package omconnect

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/omconnect/omconnect/integration"
	"github.com/omconnect/omconnect/offsets"
	"github.com/omconnect/omconnect/oms"
)

// away is a store that answers with errors first.
type away struct {
	offsets.Store
	errs []error
	asks []time.Time
}

func (a *away) Check(context.Context) error {
	a.asks = append(a.asks, time.Now())
	if len(a.errs) == 0 {
		return nil
	}
	err := a.errs[0]
	a.errs = a.errs[1:]
	return err
}

func TestAStoreThatIsAwayIsAskedLessAndLessOften(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := newBuffer()
		store := &away{Store: offsets.NewMemory()}
		for range 10 {
			store.errs = append(store.errs, &oms.Error{Code: oms.ErrUnavailable})
		}
		id, err := waitForState(t.Context(), store, "redis://host", slog.New(slog.NewTextHandler(log, nil)))
		if err != nil || id == "" {
			t.Fatalf("got %q, %v", id, err)
		}
		var waits []time.Duration
		for i := 1; i < len(store.asks); i++ {
			waits = append(waits, store.asks[i].Sub(store.asks[i-1]))
		}
		if waits[0] != stateRetryFirst || waits[1] != 2*stateRetryFirst || waits[9] != stateRetryMost {
			t.Errorf("the waits are %v", waits)
		}
		if got := strings.Count(log.String(), "does not answer"); got != 10 {
			t.Errorf("%d lines tell of it, want 10", got)
		}
		if !strings.Contains(log.String(), "answers now") {
			t.Error("nothing tells that it is back")
		}
	})
}

func TestAStoreThatHangsIsNotWaitedForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		_, err := askState(t.Context(), hanging{})
		if !mayPass(err) || time.Since(began) != statePatience {
			t.Errorf("got %v after %s, want something to wait out after %s", err, time.Since(began), statePatience)
		}
	})
}

type hanging struct{ offsets.Store }

func (hanging) Check(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

func TestWaitingForTheStoreEndsWithASignal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		store := &away{Store: offsets.NewMemory()}
		for range 10_000 {
			store.errs = append(store.errs, oms.ErrUnavailable)
		}
		if _, err := waitForState(ctx, store, "x", slog.New(slog.DiscardHandler)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
}

func TestAStoreThatTimeDoesNotMendIsBadUsage(t *testing.T) {
	for _, code := range []oms.Code{oms.ErrFormat, oms.ErrInvalid, oms.ErrUnsupported} {
		store := &away{Store: offsets.NewMemory(), errs: []error{&oms.Error{Code: code}}}
		_, err := waitForState(t.Context(), store, "x", slog.New(slog.DiscardHandler))
		if _, ok := errors.AsType[usageError](err); !ok {
			t.Errorf("%s: got %v", code, err)
		}
	}
}

func TestAGatewayWaitsForItsStore(t *testing.T) {
	redis := integration.NewRedis(t)
	if err := redis.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	c := newCopying(t, 20)
	p := begin(t, "run", "-c", c.file, "--state", redis.URL(), "--until-idle")
	p.await("the state store does not answer")
	// The API is there, and says what it waits for.
	if status, body := p.get("/connectors"); status != http.StatusServiceUnavailable || !strings.Contains(body, `"error_code":503`) {
		t.Errorf("GET /connectors: %d %s", status, body)
	}
	if status, body := p.get("/"); status != http.StatusOK {
		t.Errorf("GET /: %d %s", status, body)
	}
	if _, err := os.Stat(c.to); err == nil {
		t.Error("records were moved before there was a store")
	}
	if err := redis.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if code := p.wait(); code != exitGood {
		t.Fatalf("exit %d:\n%s", code, p.err)
	}
	c.check(t)

	// A signal ends the waiting.
	if err := redis.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	p = begin(t, "run", "-c", c.file, "--state", redis.URL())
	p.await("the state store does not answer")
	p.stop()
	if code := p.wait(); code != exitGood {
		t.Errorf("stopped while waiting: exit %d:\n%s", code, p.err)
	}
}

func TestAStoreThatWasEmptiedIsRefused(t *testing.T) {
	c := newCopying(t, 20)
	if code, _, stderr := run(t, "run", "-c", c.file, "--until-idle"); code != exitGood {
		t.Fatalf("exit %d:\n%s", code, stderr)
	}
	if err := os.Remove(filepath.Join(c.data, "state.db")); err != nil {
		t.Fatal(err)
	}
	code, _, stderr := run(t, "run", "-c", c.file, "--until-idle")
	if code != exitUsage || !strings.Contains(stderr, "this is not the store that data folder "+c.data+" knows") {
		t.Errorf("exit %d:\n%s", code, stderr)
	}
	c.check(t) // nothing was read again
	if code, _, stderr = run(t, "run", "-c", c.file, "--until-idle", "--accept-empty-state"); code != exitGood {
		t.Errorf("accepted: exit %d:\n%s", code, stderr)
	}
	if code, _, stderr = run(t, "run", "-c", c.file, "--until-idle"); code != exitGood {
		t.Errorf("after it was accepted: exit %d:\n%s", code, stderr)
	}
}
