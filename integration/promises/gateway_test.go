package promises

import (
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/omconnect/omconnect"
	"github.com/omconnect/omconnect/integration/internal/gateways"
)

// A gateway is one that runs in this process, with a data folder that outlives
// it.
type gateway struct {
	gateways.API
	t      *testing.T
	broker string // its access point
	data   string
	said   *gateways.Transcript
	stop   context.CancelFunc // as SIGTERM does
	ended  chan struct{}
	code   int
}

// start runs a gateway over a broker, on a fresh data folder.
func start(t *testing.T, accessPoint string, args ...string) *gateway {
	t.Helper()
	return startIn(t, t.TempDir(), accessPoint, args...)
}

// startIn runs a gateway on a data folder until the test ends, and waits until
// it is ready.
func startIn(t *testing.T, data, accessPoint string, args ...string) *gateway {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	g := &gateway{t: t, broker: accessPoint, data: data, said: &gateways.Transcript{}, stop: cancel, ended: make(chan struct{})}
	g.API = gateways.NewAPI(t, g)
	args = append([]string{"run", "--listen", "127.0.0.1:0", "--data", data, "--broker", accessPoint}, args...)
	go func() {
		defer close(g.ended)
		g.code = omconnect.Run(ctx, args, strings.NewReader(""), io.Discard, g.said)
	}()
	t.Cleanup(func() {
		cancel()
		<-g.ended
		if t.Failed() {
			t.Logf("the gateway was started with %q, and said at last:\n%s", args, g.said.Tail(6000))
		}
	})
	g.until("the gateway to be ready", func() bool { return strings.Contains(g.said.String(), `msg="gateway started"`) })
	return g
}

var restURL = regexp.MustCompile(`msg="REST API answers" url=(\S+)`)

// URL returns where the REST API answers: on a port that it has found itself.
func (g *gateway) URL() string {
	if found := restURL.FindStringSubmatch(g.said.String()); found != nil {
		return found[1]
	}
	return ""
}

// Ended returns a channel that is closed when the gateway has ended.
func (g *gateway) Ended() <-chan struct{} { return g.ended }

// How says how the gateway has ended.
func (g *gateway) How() string { return "exit code " + strconv.Itoa(g.code) }

// Stacks returns what the goroutines of the process are at.
func (g *gateway) Stacks() string {
	text := make([]byte, 1<<20)
	return string(text[:runtime.Stack(text, true)])
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
	g.Until(what, holds)
}

// call calls the API with a body as JSON.
func (g *gateway) call(method, path string, body any) (code int, answer string) {
	g.t.Helper()
	return g.Call(method, path, g.json(body))
}

// want calls the API and fails the test when the answer has another code.
func (g *gateway) want(code int, method, path string, body any) {
	g.t.Helper()
	g.Want(code, method, path, g.json(body))
}

func (g *gateway) json(body any) string {
	g.t.Helper()
	if body == nil {
		return ""
	}
	text, err := json.Marshal(body)
	if err != nil {
		g.t.Fatal(err)
	}
	return string(text)
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

// is waits until a connector and all its tasks are in a state.
func (g *gateway) is(name, state string) gateways.Detail {
	g.t.Helper()
	return g.Is(name, state)
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
