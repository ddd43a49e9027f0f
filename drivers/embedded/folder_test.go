package embedded_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/omconnect/omconnect/drivers/embedded"
	"github.com/omconnect/omconnect/oms"
)

func TestAFolderInUseIsRefused(t *testing.T) {
	dir := t.TempDir()
	c, err := oms.Open(testContext(t), pointOf(dir))
	if err != nil {
		t.Fatal(err)
	}
	_, err = oms.Open(testContext(t), pointOf(dir))
	if !errors.Is(err, oms.ErrHeld) {
		t.Fatalf("got %v, want ErrHeld", err)
	}
	for _, part := range []string{dir, fmt.Sprintf("process %d", os.Getpid()), "option dir", "endpoint"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%v does not say %q", err, part)
		}
	}
	closeClient(t, c)
	open(t, pointOf(dir))
}

func init() {
	children["open"] = func() {
		_, err := oms.Open(nil, os.Getenv("OMCONNECT_TEST_POINT")) //nolint:staticcheck // Open does not dial
		fmt.Print(oms.CodeOf(err), "\n", err)
	}
}

// child starts this test binary as a process that does one of children.
func child(t *testing.T, name string, env ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), append(env, "OMCONNECT_TEST_CHILD="+name)...)
	cmd.Stderr = os.Stderr
	return cmd
}

func TestAFolderThatCannotBeUsedIsRefused(t *testing.T) {
	base := t.TempDir()
	file := filepath.Join(base, "file")
	damaged, newer := filepath.Join(base, "damaged"), filepath.Join(base, "newer")
	for path, text := range map[string]string{
		file: "x", damaged + "/VERSION": "{", newer + "/VERSION": `{"version":99,"identity":"x"}`,
	} {
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	for dir, want := range map[string]oms.Code{
		file: oms.ErrInvalid, file + "/below": oms.ErrInvalid, damaged: oms.ErrFormat, newer: oms.ErrFormat,
	} {
		if _, err := oms.Open(testContext(t), pointOf(dir)); !errors.Is(err, want) || !strings.Contains(err.Error(), dir) {
			t.Errorf("%s: %v, want %v", dir, err, want)
		}
	}
}

func TestAFolderThatCannotBeWrittenIsRefused(t *testing.T) {
	// Root may write anything, so a process of nobody's tries.
	base, err := os.MkdirTemp("", "omconnect") //nolint:usetesting // one that the user nobody may enter
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(base) })
	binary := filepath.Join(base, "test")
	readOnly := filepath.Join(base, "read-only")
	self, err := os.ReadFile(os.Args[0])
	err = errors.Join(err, os.Chmod(base, 0o755), os.WriteFile(binary, self, 0o755), os.Mkdir(readOnly, 0o555))
	if err != nil {
		t.Fatal(err)
	}
	cmd := child(t, "open", "OMCONNECT_TEST_POINT="+pointOf(readOnly))
	cmd.Path, cmd.Dir = binary, base
	if os.Geteuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	out, err := cmd.Output()
	if err != nil || !strings.HasPrefix(string(out), string(oms.ErrDenied)+"\n") || !strings.Contains(string(out), readOnly) {
		t.Errorf("got %s, %v; want %v naming %s", out, err, oms.ErrDenied, readOnly)
	}
}

func TestASecondProcessReachesTheBrokerByItsEndpoint(t *testing.T) {
	dir := t.TempDir()
	if _, err := embedded.Endpoint(dir); !errors.Is(err, oms.ErrNotFound) {
		t.Errorf("an endpoint where no broker runs: %v, want ErrNotFound", err)
	}
	c, err := oms.Open(testContext(t), pointOf(dir))
	if err != nil {
		t.Fatal(err)
	}
	createTopic(t, c, "t", 2)
	accessPoint, err := embedded.Endpoint(dir)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(dir, "endpoint"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the endpoint file: %v, %v; want mode 0600", info.Mode(), err)
	}
	second, err := oms.Open(testContext(t), accessPoint)
	if err != nil {
		t.Fatal(err)
	}
	p, err := second.NewProducer(testContext(t), oms.SenderConfig{})
	if err != nil {
		t.Fatal(err)
	}
	send(t, p, numbered("t", 0, 10)...)
	pc := newConsumer(t, c, oms.ReceiverConfig{Topics: []string{"t"}, Group: "g"})
	receive(t, pc, 10)
	if err := second.Check(testContext(t)); err != nil {
		t.Errorf("Check: %v", err)
	}
	closeClient(t, p)
	closeClient(t, second)

	wrong, err := oms.ParseAccessPoint(accessPoint)
	if err != nil {
		t.Fatal(err)
	}
	wrong.Password = "guess"
	stranger := open(t, wrong.Reveal())
	if err := stranger.Check(testContext(t)); !errors.Is(err, oms.ErrDenied) {
		t.Errorf("with a wrong password: %v, want ErrDenied", err)
	}
	closeClient(t, pc)
	closeClient(t, c)
	if _, err := embedded.Endpoint(dir); !errors.Is(err, oms.ErrNotFound) {
		t.Errorf("an endpoint after Close: %v, want ErrNotFound", err)
	}
}
