package connect_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/omconnect/omconnect/connect"
)

const canary = "sw\"ord/fish"

// Whichever hook fails, and however it quotes its secret: the status that
// others see, from the store, has the cause without it, and so has the log,
// whether the gateway writes it or the connector.
func TestNoStatusAndNoLogHasASecret(t *testing.T) {
	hooks := map[string][]string{
		"test-source": {"New", "Split", "OnStart", "Seek", "Poll", "Committed", "OnPause", "OnResume", "Fail"},
		"test-sink":   {"New", "OnStart", "HandlesTombstones", "Put", "Flush", "OnPause", "OnResume", "Fail"},
	}
	for class, list := range hooks {
		for _, hook := range list {
			for _, how := range []string{"fails", "panics"} {
				if hook == "HandlesTombstones" && how == "fails" || hook == "Fail" && how == "panics" {
					continue
				}
				t.Run(strings.Join([]string{class, hook, how}, " "), func(t *testing.T) {
					inWorld(t, func(w *world) { testNoSecret(w, class, hook, how) })
				})
			}
		}
	}
}

func testNoSecret(w *world, class, hook, how string) {
	trap := func(_ context.Context, env connect.Env, h, _ string) error {
		if h != hook || env.Connector != "bad" {
			return nil
		}
		text := fmt.Sprintf("no access with %s, that is %q, at http://u:%s@h/", canary, canary, "swordfish")
		env.Logger.Warn("signing in with "+canary, "password", canary, "error", errors.New(text))
		if how == "panics" {
			panic(text)
		}
		return errors.New(text)
	}
	w.source.onCall, w.sink.onCall = trap, trap
	logged := new(lockedBuffer)
	w.log = slog.NewTextHandler(logged, &slog.HandlerOptions{Level: slog.LevelDebug})
	w.source.resume, w.sink.resume = hook != "Split", hook != "Flush"
	if hook == "Split" {
		w.source.split = 2
	}
	w.sink.flush = hook == "Flush"
	w.start()
	w.create("good", "test-source")
	w.create("bad", class, "restart.max.attempts=0", "secret="+canary)
	w.wait(10 * time.Second)
	seen := ""
	if hook == "Fail" {
		script := map[string]*scripted{"test-source": w.source, "test-sink": w.sink}[class]
		w.envOf(script, "bad").Fail(errors.New("no access with " + canary))
		seen = w.look("bad")
	}
	w.do(w.catalog.Pause, "bad")
	seen += w.look("bad")
	w.do(w.catalog.Resume, "bad")
	seen += w.look("bad")
	if !strings.Contains(seen, "no access with xxxxx") {
		w.t.Errorf("the cause is not shown at all: %s", seen)
	}
	if log := logged.String(); !strings.Contains(log, "no access with xxxxx") {
		w.t.Errorf("the cause is not logged at all: %s", log)
	} else {
		seen += log
	}
	for _, form := range []string{"ord/fish", `ord\/fish`, "swordfish"} {
		if strings.Contains(seen, form) {
			w.t.Errorf("a secret is shown as %q: %s", form, seen)
		}
	}
}

// look returns everything that is published of a connector in some seconds.
func (w *world) look(name string) string {
	w.t.Helper()
	var seen strings.Builder
	for range 20 {
		w.wait(500 * time.Millisecond)
		text, err := json.Marshal(w.status(name))
		if err != nil {
			w.t.Fatal(err)
		}
		seen.Write(text)
	}
	return seen.String()
}

// envOf returns what the newest instance of a connector got.
func (w *world) envOf(script *scripted, connector string) (env connect.Env) {
	script.mu.Lock()
	defer script.mu.Unlock()
	for _, l := range script.instances {
		if l.env.Connector == connector && l.last != "Split" {
			env = l.env
		}
	}
	return env
}

func TestNoStatusHasThePasswordOfABroker(t *testing.T) {
	inWorld(t, func(w *world) {
		w.source.onCall = on("OnStart", func() error { return errors.New("broker says: user u, password swordfish: denied") })
		w.start()
		// Not by the catalog: it refuses what this driver does not take.
		kv := settings("test-source", "broker=oms:mem://u:swordfish@h:1/", "restart.max.attempts=0")
		if _, err := w.store.Put(w.t.Context(), definitionOf("in", kv)); err != nil {
			t.Fatal(err)
		}
		if seen := w.look("in"); strings.Contains(seen, "swordfish") || !strings.Contains(seen, `"Cause":"`) {
			t.Errorf("shown: %s; want a cause without the password", seen)
		}
	})
}

// A lockedBuffer is written while it is read.
type lockedBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

// Write appends.
func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

// String returns what was written so far.
func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
