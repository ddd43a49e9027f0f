package compose

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/omconnect/omconnect/integration/internal/process"
)

// A container is a folder with nothing in it but what the Dockerfile copies.
// Where this test may, the program sees nothing else, and runs as the image's
// user; its home does not exist. Nothing but the data folder can be written.
type container struct {
	t    *testing.T
	bin  string
	data string
	env  []string
	attr *syscall.SysProcAttr
}

func newContainer(t *testing.T) container {
	t.Helper()
	set := environment(t)
	c := container{t: t, bin: built(t), data: t.TempDir(), attr: process.Tied()}
	if os.Geteuid() == 0 {
		folder := t.TempDir()
		for _, dir := range []string{folder, filepath.Dir(folder)} {
			if err := os.Chmod(dir, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		c.data = filepath.Join(folder, set["OMCONNECT_DATA"])
		inside := filepath.Join(folder, "usr", "local", "bin", "omconnect")
		for _, dir := range []string{c.data, filepath.Dir(inside)} {
			if err := os.MkdirAll(dir, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Link(c.bin, inside); err != nil {
			t.Fatal(err)
		}
		ids := numbers(t, only(t, image(t), "USER"))
		if err := os.Chown(c.data, int(ids[0]), int(ids[1])); err != nil {
			t.Fatal(err)
		}
		c.attr.Chroot, c.attr.Credential = folder, &syscall.Credential{Uid: ids[0], Gid: ids[1], NoSetGroups: false}
		c.bin, set["OMCONNECT_DATA"] = "/usr/local/bin/omconnect", only(t, image(t), "VOLUME")
	} else {
		set["OMCONNECT_DATA"] = c.data
	}
	port, err := process.Reserve(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { process.Release(port, 1) })
	set["OMCONNECT_LISTEN"] = "0.0.0.0:" + strconv.Itoa(port)
	set["OMCONNECT_URL"] = "http://" + process.Addr(port)
	set["HOME"] = "/nonexistent"
	for name, value := range set {
		c.env = append(c.env, name+"="+value)
	}
	return c
}

func numbers(t *testing.T, user string) (ids [2]uint32) {
	t.Helper()
	for i, part := range strings.SplitN(user, ":", 2) {
		id, err := strconv.ParseUint(part, 10, 32)
		if err != nil {
			t.Fatal(err)
		}
		ids[i] = uint32(id)
	}
	return ids
}

// command returns the program with arguments, and where what it says goes.
func (c container) command(args ...string) (cmd *exec.Cmd, said *os.File) {
	c.t.Helper()
	said, err := os.Create(filepath.Join(c.t.TempDir(), "said"))
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { said.Close() })
	attr := *c.attr
	cmd = &exec.Cmd{Path: c.bin, Args: append([]string{"omconnect"}, args...), Dir: "/", Env: c.env, Stdout: said, Stderr: said, SysProcAttr: &attr}
	return cmd, said
}

// run runs the program to its end.
func (c container) run(args ...string) (said string, err error) {
	c.t.Helper()
	cmd, file := c.command(args...)
	err = cmd.Run()
	return content(c.t, file), err
}

func content(t *testing.T, file *os.File) string {
	t.Helper()
	data, err := os.ReadFile(file.Name())
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func (c container) variable(name string) string {
	i := slices.IndexFunc(c.env, func(v string) bool { return strings.HasPrefix(v, name+"=") })
	return strings.TrimPrefix(c.env[i], name+"=")
}

// healthy waits until the health check passes.
func (c container) healthy(proc *process.Process, check []string, said *os.File) {
	c.t.Helper()
	deadline := time.After(patience)
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	for {
		answer, err := c.run(check...)
		if err == nil {
			return
		}
		select {
		case <-proc.Exited():
			c.t.Fatalf("it ended with %v:\n%s", proc.State(), content(c.t, said))
		case <-deadline:
			c.t.Fatalf("it is not healthy: %v, %s\nit says:\n%s", err, answer, content(c.t, said))
		case <-again.C:
		}
	}
}

// get asks for the connectors from outside.
func (c container) get(authorization string) int {
	c.t.Helper()
	_, port, err := net.SplitHostPort(c.variable("OMCONNECT_LISTEN"))
	if err != nil {
		c.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(c.t.Context(), http.MethodGet, fmt.Sprintf("http://127.0.0.1:%s/connectors", port), http.NoBody)
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("Authorization", authorization)
	req.Close = true
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, res.Body)
	return res.StatusCode
}
