package gateways

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// Patience is how long something may take that is not bounded otherwise. It is
// met only by what hangs.
const Patience = 2 * time.Minute

// A Runner runs a gateway, in this process or in one of its own.
type Runner interface {
	// URL returns where the REST API answers; "" while it does not.
	URL() string
	// Ended returns a channel that is closed when the gateway has ended.
	Ended() <-chan struct{}
	// How says how it has ended.
	How() string
	// Stacks returns what its goroutines are at. It may end the gateway.
	Stacks() string
}

// An API is the REST API of a gateway. Its methods are for the goroutine of
// the test.
type API struct {
	tb     testing.TB
	runner Runner
	// Watch, if it is set, is called about once a second while something is
	// waited for, and says for what: it may fail the test.
	Watch func(what string)
}

// NewAPI returns the API of what the runner runs.
func NewAPI(tb testing.TB, r Runner) API {
	tb.Helper()
	return API{tb: tb, runner: r}
}

// client has no connections that outlive their answer.
var client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Minute}

// Call calls the API. The code is 0 when nothing answers.
func (a *API) Call(method, path, body string) (code int, answer string) {
	a.tb.Helper()
	url := a.runner.URL()
	if url == "" {
		return 0, "the API does not answer yet"
	}
	req, err := http.NewRequestWithContext(context.WithoutCancel(a.tb.Context()), method, url+path, strings.NewReader(body))
	if err != nil {
		a.tb.Fatal(err)
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

// Want calls the API and fails the test when the answer has another code.
func (a *API) Want(code int, method, path, body string) (answer string) {
	a.tb.Helper()
	got, answer := a.Call(method, path, body)
	if got != code {
		a.tb.Fatalf("%s %s = %d %s, want %d", method, path, got, answer, code)
	}
	return answer
}

// A Detail is what is known of what a connector is doing.
type Detail struct {
	State, Cause string
	Tasks        []struct {
		State, Cause string
		Attempts     int
		Records      int // moved since the gateway started
	}
}

// Records returns how many records the tasks have moved.
func (d Detail) Records() (n int) {
	for _, task := range d.Tasks {
		n += task.Records
	}
	return n
}

// Detail returns what a connector is doing; nothing of one that is not there.
func (a *API) Detail(connector string) (d Detail) {
	a.tb.Helper()
	code, answer := a.Call(http.MethodGet, "/connectors/"+connector+"/omconnect", "")
	if code != http.StatusOK {
		return d
	}
	if err := json.Unmarshal([]byte(answer), &d); err != nil {
		a.tb.Fatal(err)
	}
	return d
}

// Is waits until a connector and all its tasks are in a state.
func (a *API) Is(connector, state string) (d Detail) {
	a.tb.Helper()
	a.Until(fmt.Sprintf("%s to be %s", connector, state), func() bool {
		d = a.Detail(connector)
		for _, task := range d.Tasks {
			if task.State != state {
				return false
			}
		}
		return d.State == state && (len(d.Tasks) > 0 || state == "STOPPED")
	})
	return d
}

// Until waits for something to become true. The gateway must not end
// meanwhile.
func (a *API) Until(what string, holds func() bool) {
	a.tb.Helper()
	a.UntilBy(what, holds, nil)
}

// UntilBy is Until for what may take long, as long as the number that progress
// returns grows.
func (a *API) UntilBy(what string, holds func() bool, progress func() int) {
	a.tb.Helper()
	deadline := time.NewTimer(Patience)
	defer deadline.Stop()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	last := -1
	for tick := 1; !holds(); tick++ {
		if progress != nil {
			if now := progress(); now != last {
				last = now
				deadline.Reset(Patience)
			}
		}
		if a.Watch != nil && tick%50 == 0 {
			a.Watch(what)
		}
		select {
		case <-a.runner.Ended():
			a.tb.Fatalf("the gateway ended (%s) while waiting for %s", a.runner.How(), what)
		case <-deadline.C:
			_, status := a.Call(http.MethodGet, "/connectors?expand=omconnect", "")
			a.tb.Fatalf("waited %v in vain for %s; the connectors are %s\n%s", Patience, what, status, a.runner.Stacks())
		case <-again.C:
		}
	}
}
