package servers

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/omconnect/omconnect/integration/internal/process"
)

// A Mark is what another process needs to end a server that was started with
// [Standing]. It may be written as JSON.
type Mark struct {
	Dir      string        `json:"dir"`
	Addr     string        `json:"addr"`
	Programs []ProgramMark `json:"programs"` // in the order of their start
}

// A ProgramMark is one process of a server. It holds a lock on a file of the
// server's folder as long as it runs.
type ProgramMark struct {
	Name string `json:"name"`
	PID  int    `json:"pid"`
}

// Mark returns the mark of a server that runs.
func (s *Server) Mark() Mark {
	m := Mark{Dir: s.dir, Addr: s.Addr()}
	for i, p := range s.kind.programs(s) {
		m.Programs = append(m.Programs, ProgramMark{Name: p.name, PID: s.procs[i].PID()})
	}
	return m
}

// Stands tells whether the server runs, with all of its processes. What cannot
// be told is an error.
func (m Mark) Stands(ctx context.Context) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, stopTimeout)
	defer cancel()
	again := time.NewTicker(25 * time.Millisecond)
	defer again.Stop()
	for {
		for _, p := range m.Programs {
			held, err := process.Held(m.lock(p))
			if err != nil || !held {
				return false, err
			}
		}
		if len(m.Programs) == 0 {
			return false, nil
		}
		err := listens(ctx, m.Addr)
		if err == nil {
			return true, nil
		}
		select { // it may be about to be gone
		case <-ctx.Done():
			return false, fmt.Errorf("the server in %s runs, but does not answer: %w; take it down first", m.Dir, err)
		case <-again.C:
		}
	}
}

// End stops the server, the processes that were started last first, and returns
// when they are gone. One that is still there after a minute is killed. Nothing
// happens to a process that got the id of one which has ended.
func (m Mark) End(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, stopTimeout)
	defer cancel()
	var problems []error
	for _, p := range slices.Backward(m.Programs) {
		if err := process.End(ctx, p.PID, m.lock(p)); err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", p.Name, err))
		}
	}
	return errors.Join(problems...)
}

func (m Mark) lock(p ProgramMark) string { return filepath.Join(m.Dir, p.Name+".lock") }
