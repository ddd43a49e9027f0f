package compose

import (
	"debug/elf"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/omconnect/omconnect/integration/internal/process"
	"github.com/omconnect/omconnect/internal/leaks"
)

const patience = 2 * time.Minute

// The program is made once for all tests, in a folder that goes with the last.
var program struct {
	sync.Once
	dir string
	err error
}

func TestMain(m *testing.M) {
	// RocketMQ's client library starts this one when it is loaded.
	leaks.Main(tests{m}, goleak.IgnoreTopFunction("github.com/patrickmn/go-cache.(*janitor).Run"))
}

// tests are all tests of the package, with the program that they share.
type tests struct{ m *testing.M }

// Run runs them, and removes the program.
func (ts tests) Run() int {
	defer func() { _ = os.RemoveAll(program.dir) }()
	return ts.m.Run()
}

// built returns the program as the Dockerfile's own command makes it.
func built(t *testing.T) (bin string) {
	t.Helper()
	const made = "-o /out/omconnect"
	runs := having(stages(t)[0], "RUN")
	i := slices.IndexFunc(runs, func(run string) bool { return strings.Contains(run, "go build") && strings.Contains(run, made) })
	if i < 0 {
		t.Fatalf("the Dockerfile runs %q, want a go build with %s", runs, made)
	}
	program.Do(func() {
		if program.dir, program.err = os.MkdirTemp("", "omconnect-test-"); program.err != nil { //nolint:usetesting // it outlives the test
			return
		}
		cmd := exec.Command("sh", "-c", strings.Replace(runs[i], made, "-o "+filepath.Join(program.dir, "omconnect"), 1))
		cmd.Dir = root
		if said, err := cmd.CombinedOutput(); err != nil {
			program.err = fmt.Errorf("%s: %w\n%s", runs[i], err, said)
		}
	})
	if program.err != nil {
		t.Fatal(program.err)
	}
	return filepath.Join(program.dir, "omconnect")
}

func TestTheProgramIsStatic(t *testing.T) {
	t.Parallel()
	file, err := elf.Open(built(t))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for _, p := range file.Progs {
		if p.Type == elf.PT_INTERP {
			t.Error("the program needs a loader, which an empty image does not have")
		}
	}
	if libraries, err := file.ImportedLibraries(); err != nil || len(libraries) > 0 {
		t.Errorf("the program needs libraries: %q, %v", libraries, err)
	}
}

// TestTheImageRuns starts the program as the image does, asks it as the health
// check does, calls it as a neighbour does, and stops it as an engine does.
func TestTheImageRuns(t *testing.T) {
	t.Parallel()
	c := newContainer(t)
	gateway := service(t, load(t), "gateway")
	check := gateway.HealthCheck.Test[2:] // behind CMD and the program
	if said, err := c.run(check...); err == nil {
		t.Errorf("the check passes before there is a gateway: %s", said)
	}
	cmd, file := c.command(gateway.Command...)
	proc, err := process.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	defer proc.Kill()
	c.healthy(proc, check, file)

	token, err := c.run("token")
	if token = strings.TrimSpace(token); err != nil || len(token) < 20 {
		t.Fatalf("token: %q, %v", token, err)
	}
	if said, err := c.run("connectors", "list"); err != nil || strings.Contains(said, token) {
		t.Errorf("connectors list inside of the image: %v\n%s", err, said)
	}
	for header, want := range map[string]int{"": http.StatusUnauthorized, "Bearer " + token: http.StatusOK} {
		if got := c.get(header); got != want {
			t.Errorf("a neighbour gets %d, want %d", got, want)
		}
	}
	info, err := os.Stat(filepath.Join(c.data, "token"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the token's file is %v, %v, want mode 0600", info, err)
	}
	if err := proc.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case <-proc.Exited():
	case <-time.After(time.Duration(*gateway.StopGracePeriod)):
		t.Error("it would be killed: it does not end in its stop_grace_period")
		proc.Kill()
	}
	if said := content(t, file); proc.State().ExitCode() != 0 || strings.Contains(said, token) {
		t.Errorf("it ended with %v, want 0 and its token never told:\n%s", proc.State(), said)
	}
}

// TestAVolumeThatCannotBeWrittenIsSaid, and is no reason to start again and
// again: exit code 2 is for what a restart does not mend.
func TestAVolumeThatCannotBeWrittenIsSaid(t *testing.T) {
	t.Parallel()
	c := newContainer(t)
	if err := os.Chmod(c.data, 0o500); err != nil {
		t.Fatal(err)
	}
	said, err := c.run(service(t, load(t), "gateway").Command...)
	exit, ok := err.(*exec.ExitError) //nolint:errorlint // it is what Run returns
	if !ok || exit.ExitCode() != 2 || !strings.Contains(said, c.variable("OMCONNECT_DATA")) {
		t.Errorf("it ends with %v, want 2 and the folder:\n%s", err, said)
	}
}
