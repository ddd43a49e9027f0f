package gateways_test

import (
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/omconnect/omconnect/integration/internal/gateways"
)

// newProcess returns a gateway that is this program.
func newProcess(tb testing.TB, args ...string) *gateways.Process {
	tb.Helper()
	p := gateways.New(tb, func() (string, error) { return os.Args[0], nil }, args...)
	p.Env = []string{inner + "=1"}
	return p
}

func TestAGatewayStartsStopsAndStartsAgain(t *testing.T) {
	t.Parallel()
	p := newProcess(t)
	for range 2 {
		p.Start()
		p.Want(http.StatusOK, http.MethodGet, "/connectors", "")
		p.Term()
		if code, _ := p.Call(http.MethodGet, "/connectors", ""); code != 0 {
			t.Errorf("a gateway that has ended answers with %d", code)
		}
	}
	p.Start()
	p.Kill()
	if code := p.Exit(); code != -1 || !strings.Contains(p.How(), "killed") {
		t.Errorf("a killed gateway has the exit code %d (%s)", code, p.How())
	}
	if n := strings.Count(p.Said.String(), "it runs\n"); n != 3 {
		t.Errorf("of three starts it said %d: %s", n, &p.Said)
	}
}

func TestAGatewayThatRefusesHasItsExitCode(t *testing.T) {
	t.Parallel()
	p := newProcess(t, "-c", "gateway.yaml")
	p.Launch("refuse")
	if code := p.Exit(); code != 2 {
		t.Errorf("the exit code is %d, want 2", code)
	}
	if want := `"run" "--listen" "` + p.Addr + `" "-c" "gateway.yaml" "refuse"`; !strings.Contains(p.Said.Tail(200), want) {
		t.Errorf("it was started with %s, want %s", &p.Said, want)
	}
}

func TestFilesOfAGatewayAreInItsFolder(t *testing.T) {
	t.Parallel()
	p := newProcess(t)
	p.File("gateway.yaml", "a: b\n")
	if err := os.Mkdir(p.Path("data"), 0o700); err != nil {
		t.Fatal(err)
	}
	p.File("data/gateway.id", "gw-1\n")
	if id := p.ID(); id != "gw-1" {
		t.Errorf("its id is %q", id)
	}
	text, err := os.ReadFile(p.Dir + "/gateway.yaml")
	if err != nil || string(text) != "a: b\n" {
		t.Errorf("the file has %q, %v", text, err)
	}
}

func TestStacksEndTheGatewayAndTellWhereItWas(t *testing.T) {
	t.Parallel()
	p := newProcess(t, "stay")
	p.Start()
	p.Signal(syscall.SIGTERM)
	p.Until("it to stay", func() bool { return strings.HasSuffix(p.Said.String(), "it stays\n") })
	if stacks := p.Stacks(); !strings.Contains(stacks, "gateways_test.beGateway(") || strings.Contains(stacks, "it stays") {
		t.Errorf("the stacks are: %s", stacks)
	}
	if code := p.Exit(); code == 0 {
		t.Error("it ended in good order")
	}
}

func TestWhatIsMissingFailsTheTest(t *testing.T) {
	t.Parallel()
	p := newProcess(t)
	for name, test := range map[string]struct {
		do   func(*gateways.Process)
		want string
	}{
		"the program":    {func(p *gateways.Process) { p.Bin = func() (string, error) { return "", os.ErrNotExist }; p.Launch() }, "not exist"},
		"the id":         {func(p *gateways.Process) { p.ID() }, "gateway.id"},
		"good order":     {func(p *gateways.Process) { p.Launch("refuse"); p.Finish() }, "exit status 2"},
		"the API":        {func(p *gateways.Process) { p.Args = []string{"refuse"}; p.Start() }, "the gateway ended (exit status 2) while waiting for the API to answer"},
		"the right code": {func(p *gateways.Process) { p.Want(http.StatusOK, http.MethodGet, "/none", "") }, "GET /none = 0"},
	} {
		if got := failure(t, func(tb testing.TB) { tb.Helper(); test.do(withTB(tb, p)) }); !strings.Contains(got, test.want) {
			t.Errorf("%s is missing: the test ends with %q, want %q", name, got, test.want)
		}
	}
}

// withTB returns a gateway like p that fails another test.
func withTB(tb testing.TB, p *gateways.Process) *gateways.Process {
	tb.Helper()
	other := newProcess(tb, p.Args...)
	other.Env = p.Env
	return other
}
