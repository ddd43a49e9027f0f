package promises

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/omconnect/omconnect"
)

// patience is how long something may take that is not bounded otherwise. It is
// met only by what hangs.
const patience = 2 * time.Minute

// A transcript is what a gateway said.
type transcript struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *transcript) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *transcript) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// A gateway is one that runs in this process, with a data folder that outlives
// it.
type gateway struct {
	t      *testing.T
	broker string // its access point
	data   string
	url    string
	said   *transcript
	stop   context.CancelFunc // as SIGTERM does
	ended  chan struct{}
	code   int
}

// start runs a gateway over a broker, on a fresh data folder.
func start(t *testing.T, accessPoint string, args ...string) *gateway {
	t.Helper()
	return startIn(t, t.TempDir(), accessPoint, args...)
}

var restURL = regexp.MustCompile(`msg="REST API answers" url=(\S+)`)

// startIn runs a gateway on a data folder until the test ends, and waits until
// it is ready.
func startIn(t *testing.T, data, accessPoint string, args ...string) *gateway {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	g := &gateway{t: t, broker: accessPoint, data: data, said: &transcript{}, stop: cancel, ended: make(chan struct{})}
	args = append([]string{"run", "--listen", "127.0.0.1:0", "--data", data, "--broker", accessPoint}, args...)
	go func() {
		defer close(g.ended)
		g.code = omconnect.Run(ctx, args, strings.NewReader(""), io.Discard, g.said)
	}()
	t.Cleanup(func() {
		cancel()
		<-g.ended
		if t.Failed() {
			text := g.said.String()
			t.Logf("the gateway was started with %q, and said at last:\n%s", args, text[max(0, len(text)-6000):])
		}
	})
	g.until("the gateway to be ready", func() bool {
		if found := restURL.FindStringSubmatch(g.said.String()); found != nil {
			g.url = found[1]
		}
		return strings.Contains(g.said.String(), `msg="gateway started"`)
	})
	return g
}

// end stops the gateway as an operator does.
func (g *gateway) end() {
	g.t.Helper()
	g.stop()
	<-g.ended
	if g.code != 0 {
		g.t.Fatalf("the gateway ended with %d", g.code)
	}
}

// until waits for something to become true. The gateway must not end
// meanwhile.
func (g *gateway) until(what string, holds func() bool) {
	g.t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for !holds() {
		select {
		case <-g.ended:
			g.t.Fatalf("the gateway ended with %d while waiting for %s", g.code, what)
		case <-deadline.C:
			_, status := g.call(http.MethodGet, "/connectors?expand=omconnect", nil)
			g.t.Fatalf("waited %v in vain for %s; the connectors are %s", patience, what, status)
		case <-again.C:
		}
	}
}

// client has no connections that outlive their answer.
var client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Minute}

// call calls the API.
func (g *gateway) call(method, path string, body any) (code int, answer string) {
	g.t.Helper()
	var text []byte
	if body != nil {
		var err error
		if text, err = json.Marshal(body); err != nil {
			g.t.Fatal(err)
		}
	}
	req, err := http.NewRequestWithContext(context.WithoutCancel(g.t.Context()), method, g.url+path, bytes.NewReader(text))
	if err != nil {
		g.t.Fatal(err)
	}
	res, err := client.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, err.Error()
	}
	return res.StatusCode, string(b)
}

// want calls the API and fails the test when the answer has another code.
func (g *gateway) want(code int, method, path string, body any) {
	g.t.Helper()
	if got, answer := g.call(method, path, body); got != code {
		g.t.Fatalf("%s %s = %d %s, want %d", method, path, got, answer, code)
	}
}

// keys is the configuration of a connector.
type keys map[string]string

// with returns the configuration with other keys, given as names and values.
func (k keys) with(more ...string) keys {
	all := maps.Clone(k)
	for i := 0; i < len(more); i += 2 {
		all[more[i]] = more[i+1]
	}
	return all
}

// create defines a connector.
func (g *gateway) create(name string, config keys) {
	g.t.Helper()
	g.want(http.StatusCreated, http.MethodPost, "/connectors", map[string]any{"name": name, "config": config})
}

// createAs defines a connector that does not run at first.
func (g *gateway) createAs(state, name string, config keys) {
	g.t.Helper()
	g.want(http.StatusCreated, http.MethodPost, "/connectors", map[string]any{"name": name, "config": config, "initial_state": state})
}

// refuses wants the definition of a connector to be refused with a 400 that has
// all of the texts.
func (g *gateway) refuses(name string, config keys, texts ...string) {
	g.t.Helper()
	code, answer := g.call(http.MethodPost, "/connectors", map[string]any{"name": name, "config": config})
	if code != http.StatusBadRequest {
		g.t.Errorf("%s with %v is answered by %d %s, want 400", name, config, code, answer)
		return
	}
	wantTexts(g.t, "the answer", answer, texts...)
}

// change gives a connector another configuration. Its positions are kept.
func (g *gateway) change(name string, config keys) {
	g.t.Helper()
	g.want(http.StatusNoContent, http.MethodDelete, "/connectors/"+name, nil)
	g.until(name+" to be gone", func() bool {
		code, answer := g.call(http.MethodPost, "/connectors", map[string]any{"name": name, "config": config})
		if code != http.StatusCreated && code != http.StatusConflict {
			g.t.Fatalf("%s cannot be made again: %d %s", name, code, answer)
		}
		return code == http.StatusCreated
	})
}

// restart starts a connector and its tasks anew.
func (g *gateway) restart(name string) {
	g.t.Helper()
	g.want(http.StatusAccepted, http.MethodPost, "/connectors/"+name+"/restart?includeTasks=true", nil)
}

// resume has a connector run.
func (g *gateway) resume(name string) {
	g.t.Helper()
	g.want(http.StatusAccepted, http.MethodPut, "/connectors/"+name+"/resume", nil)
}

// halt stops a connector, and waits until it has stopped.
func (g *gateway) halt(name string) {
	g.t.Helper()
	g.want(http.StatusNoContent, http.MethodPut, "/connectors/"+name+"/stop", nil)
	g.is(name, "STOPPED")
}

// A detail is what is known of what a connector is doing.
type detail struct {
	State, Cause string
	Tasks        []struct {
		State, Cause string
		Attempts     int
		Records      int
	}
}

func (g *gateway) detail(name string) (d detail) {
	g.t.Helper()
	code, answer := g.call(http.MethodGet, "/connectors/"+name+"/omconnect", nil)
	if code != http.StatusOK {
		return d
	}
	if err := json.Unmarshal([]byte(answer), &d); err != nil {
		g.t.Fatal(err)
	}
	return d
}

// is waits until a connector and all its tasks are in a state.
func (g *gateway) is(name, state string) detail {
	g.t.Helper()
	var d detail
	g.until(fmt.Sprintf("%s to be %s", name, state), func() bool {
		d = g.detail(name)
		for _, task := range d.Tasks {
			if task.State != state {
				return false
			}
		}
		return d.State == state && (len(d.Tasks) > 0 || state == "STOPPED")
	})
	return d
}

// fails waits until a connector stands in a state with a cause that has all of
// the texts, and no password.
func (g *gateway) fails(name, state string, texts ...string) {
	g.t.Helper()
	d := g.is(name, state)
	wantTexts(g.t, "the cause of "+name, d.Tasks[0].Cause, texts...)
	if strings.Contains(g.said.String()+d.Cause, password) {
		g.t.Errorf("the password is told by %s", name)
	}
}

// wantTexts fails the test when a text does not have all of the others.
func wantTexts(t *testing.T, what, text string, wanted ...string) {
	t.Helper()
	for _, w := range wanted {
		if !strings.Contains(text, w) {
			t.Errorf("%s does not say %q: %s", what, w, text)
		}
	}
}
