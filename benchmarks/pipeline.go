package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

const pipelineYAML = `
connectors:
  in: {connector.class: file-source, file: in.txt, topic: lines}
  out: {connector.class: file-sink, file: out.txt, topics: lines}
`

// runPipeline moves a file of lines into another one. The time is from the
// start of the process until the last line stands in the other file; memory
// and CPU time are those of the whole process, which goes on until it is sure
// that everything is idle.
func (b *bench) runPipeline(ctx context.Context) (s sample, err error) {
	dir, err := b.folder(pipelineYAML)
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	size, err := writeLines(filepath.Join(dir, "in.txt"), b.records)
	if err != nil {
		return s, err
	}
	g, err := b.launch(ctx, dir, "--until-idle")
	if err != nil {
		return s, err
	}
	out := filepath.Join(dir, "out.txt")
	look := time.NewTicker(lookEvery / 4)
	defer look.Stop()
	for s.Took == 0 {
		select {
		case <-look.C:
			info, err := os.Stat(out)
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return s, err
			}
			if err == nil && info.Size() >= size {
				s.Took = time.Since(g.started)
			}
		case <-g.exited:
			return s, errors.Join(errors.New("the gateway ended before everything was moved"), g.err)
		}
	}
	if err := g.wait(); err != nil {
		return s, err
	}
	s.Records, s.CPU, s.Peak = b.records, g.cpu(), g.peak
	return s, sameFiles(filepath.Join(dir, "in.txt"), out)
}

// writeLines makes a file of numbered lines, each as long as a body.
func writeLines(path string, n int) (size int64, err error) {
	f, err := os.Create(path) //nolint:gosec // a folder of ours
	if err != nil {
		return 0, err
	}
	w := bufio.NewWriterSize(f, 1<<20)
	line := bytes.Repeat([]byte("x"), len(body)+1)
	line[len(body)] = '\n'
	for i := range n {
		copy(line, strconv.AppendInt(nil, int64(i), 10))
		if _, err := w.Write(line); err != nil {
			return 0, errors.Join(err, f.Close())
		}
	}
	return int64(n) * int64(len(line)), errors.Join(w.Flush(), f.Close())
}

// sameFiles returns nil when two files hold the same: nothing was lost,
// repeated or swapped.
func sameFiles(a, b string) (err error) {
	fa, err := os.Open(a) //nolint:gosec // as above
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, fa.Close()) }()
	fb, err := os.Open(b) //nolint:gosec // as above
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, fb.Close()) }()
	la, lb := bufio.NewScanner(fa), bufio.NewScanner(fb)
	for n := 1; ; n++ {
		more, also := la.Scan(), lb.Scan()
		if more != also || !bytes.Equal(la.Bytes(), lb.Bytes()) {
			return fmt.Errorf("line %d differs between %s and %s", n, filepath.Base(a), filepath.Base(b))
		}
		if !more {
			return errors.Join(la.Err(), lb.Err())
		}
	}
}
