package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"time"
)

// A gateway is the program itself, as a process.
type gateway struct {
	*child

	url chan string // of its API, once it is told
}

// build makes the program, as users build it.
func (b *bench) build(ctx context.Context) error {
	b.program = filepath.Join(b.dir, "omconnect")
	cmd := exec.CommandContext(ctx, "go", "build", "-o", b.program, "github.com/omconnect/omconnect/cmd/omconnect") //nolint:gosec // a path of ours
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building the program: %w\n%s", err, out)
	}
	return nil
}

var restURL = regexp.MustCompile(`msg="REST API answers" url=(\S+)`)

// launch starts a gateway in a folder that has its gateway.yaml. It ends with
// ctx at the latest.
func (b *bench) launch(ctx context.Context, dir string, args ...string) (*gateway, error) {
	args = append([]string{"run", "-c", "gateway.yaml", "--data", "data", "--listen", "127.0.0.1:0"}, args...)
	cmd := exec.CommandContext(ctx, b.program, args...) //nolint:gosec // a program of ours
	cmd.Dir = dir
	g := &gateway{url: make(chan string, 1)}
	var err error
	g.child, err = startChild("the gateway", cmd, func(line []byte) {
		if m := restURL.FindSubmatch(line); m != nil {
			g.url <- string(m[1])
		}
	})
	return g, err
}

var errNoURL = errors.New("the gateway does not tell the address of its API")

// api waits for the address of the API.
func (g *gateway) api() (string, error) {
	select {
	case url := <-g.url:
		return url, nil
	case <-g.exited:
		return "", errors.Join(errNoURL, g.err)
	case <-time.After(patience):
		return "", errNoURL
	}
}

// folder makes a folder that holds a gateway.yaml.
func (b *bench) folder(yaml string) (string, error) {
	dir, err := os.MkdirTemp(b.dir, "gateway-")
	if err != nil {
		return "", err
	}
	return dir, os.WriteFile(filepath.Join(dir, "gateway.yaml"), []byte(yaml), 0o600)
}
