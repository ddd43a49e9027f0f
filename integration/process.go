package integration

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
)

// A process is a server that this process has started.
type process struct {
	cmd    *exec.Cmd
	exited chan struct{} // closed when the server is gone and its entry in the process table too
}

// start runs cmd. One goroutine belongs to each process; it ends with it.
func start(cmd *exec.Cmd) (*process, error) {
	p := &process{cmd: cmd, exited: make(chan struct{})}
	started := make(chan error)
	go func() {
		// The kernel sends the signal of tied when the thread that started the
		// server ends, not when the process does. So this thread stays.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err != nil {
			return
		}
		_ = cmd.Wait() // what it returns is in cmd.ProcessState
		close(p.exited)
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return p, nil
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// stop sends the signal and waits until the server is gone. One that is still
// there when ctx ends is killed, which is an error.
func (p *process) stop(ctx context.Context, sig os.Signal) error {
	if err := p.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stopping process %d: %w", p.pid(), err)
	}
	select {
	case <-p.exited:
		return nil
	case <-ctx.Done():
	}
	p.kill()
	return fmt.Errorf("process %d did not stop when told to, and was killed: %w", p.pid(), ctx.Err())
}

// kill ends the server at once, as a power cut would, and waits until it is
// gone.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // fails only when there is nothing left to kill
	<-p.exited
}
