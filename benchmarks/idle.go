package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/omconnect/omconnect/internal/sleep"
	"github.com/omconnect/omconnect/rest/client"
)

// An idleSample is what a gateway takes whose connectors have nothing to do.
type idleSample struct {
	connectors int
	memory     memory
	cpu        time.Duration // in watched
	watched    time.Duration
}

// share is the part of one CPU that is taken, 0 to 1.
func (s idleSample) share() float64 { return s.cpu.Seconds() / s.watched.Seconds() }

// runIdle starts a gateway with pairs of a source that follows an empty file
// and a sink that logs, each pair with a topic of its own. Once all of them
// run, and after some time for what the start left behind, it is watched.
func (b *bench) runIdle(ctx context.Context) (s idleSample, err error) {
	var yaml strings.Builder
	yaml.WriteString("connectors:\n")
	pairs := max(b.idle/2, 1)
	for i := range pairs {
		fmt.Fprintf(&yaml, "  source-%d: {connector.class: file-source, file: in-%d.txt, follow: true, topic: topic-%d}\n", i, i, i)
		fmt.Fprintf(&yaml, "  sink-%d: {connector.class: log-sink, topics: topic-%d}\n", i, i)
	}
	dir, err := b.folder(yaml.String())
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	for i := range pairs {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("in-%d.txt", i)), nil, 0o600); err != nil {
			return s, err
		}
	}
	g, err := b.launch(ctx, dir)
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, g.stop()) }()
	url, err := g.answers(ctx, "/connectors")
	if err != nil {
		return s, err
	}
	if err := allRunning(ctx, url, 2*pairs); err != nil {
		return s, err
	}
	if err := sleep.For(ctx, b.settle); err != nil {
		return s, err
	}
	s.connectors = 2 * pairs
	pid, from := g.cmd.Process.Pid, time.Now()
	before, err := cpuOf(pid)
	if err != nil {
		return s, err
	}
	if err := sleep.For(ctx, b.watch); err != nil {
		return s, err
	}
	s.watched = time.Since(from)
	after, err := cpuOf(pid)
	if err != nil {
		return s, err
	}
	s.cpu = after - before
	s.memory, err = memoryOf(pid)
	return s, err
}

// allRunning waits until so many connectors run.
func allRunning(ctx context.Context, url string, n int) error {
	c, err := client.New(url)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	for running := 0; ; {
		if err := sleep.For(ctx, 200*time.Millisecond); err != nil {
			return fmt.Errorf("%d of %d connectors run: %w", running, n, err)
		}
		list, err := c.List(ctx)
		if err != nil {
			return err
		}
		running = 0
		for _, s := range list {
			if s.State == "RUNNING" && len(s.Tasks) > 0 && s.Tasks[0].State == "RUNNING" {
				running++
			}
		}
		if running == n {
			return nil
		}
	}
}
