package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/omconnect/omconnect/internal/sleep"
)

// previousLines is how many records the gateway has moved whose state the
// second start finds.
const previousLines = 20_000

// A startSample is how long the start of a process took until GET /connectors
// was answered with 200.
type startSample struct {
	empty    time.Duration // with an empty data folder
	previous time.Duration // with the state of an earlier run
}

// runStart starts gateways in one folder: first with nothing there, and after
// one has moved something and was stopped, once more.
func (b *bench) runStart(ctx context.Context) (s startSample, err error) {
	dir, err := b.folder(pipelineYAML)
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if _, err := writeLines(filepath.Join(dir, "in.txt"), min(previousLines, b.records)); err != nil {
		return s, err
	}
	if s.empty, err = b.timeStart(ctx, dir); err != nil {
		return s, err
	}
	g, err := b.launch(ctx, dir, "--until-idle")
	if err != nil {
		return s, err
	}
	if err := g.wait(); err != nil {
		return s, err
	}
	s.previous, err = b.timeStart(ctx, dir)
	return s, err
}

func (b *bench) timeStart(ctx context.Context, dir string) (time.Duration, error) {
	g, err := b.launch(ctx, dir)
	if err != nil {
		return 0, err
	}
	_, err = g.answers(ctx, "/connectors")
	took := time.Since(g.started)
	return took, errors.Join(err, g.stop())
}

// answers returns the address of the API when a path is answered with 200. The
// gateway listens before it can answer everything, and says so with 503.
func (g *gateway) answers(ctx context.Context, path string) (url string, err error) {
	if url, err = g.api(); err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		code, err := get(ctx, url+path)
		if err != nil || code == http.StatusOK {
			return url, err
		}
		if code != http.StatusServiceUnavailable {
			return "", fmt.Errorf("GET %s is answered with %d", path, code)
		}
		if err := sleep.For(ctx, time.Millisecond); err != nil {
			return "", fmt.Errorf("GET %s is still answered with %d: %w", path, code, err)
		}
	}
}

func get(ctx context.Context, url string) (code int, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return 0, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	_, err = io.Copy(io.Discard, res.Body)
	return res.StatusCode, err
}
