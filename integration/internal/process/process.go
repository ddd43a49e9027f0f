// Package process runs servers as processes of their own, each with all that
// it starts in a process group of its own, and finds free loopback ports for
// them.
//
// One goroutine belongs to each process; it ends with it.
package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
)

// A Process is a server that this process has started.
type Process struct {
	cmd    *exec.Cmd
	exited chan struct{}
}

// Start runs cmd. Its SysProcAttr is that of [Tied] or [Detached], so that it
// leads a process group.
func Start(cmd *exec.Cmd) (*Process, error) {
	p := &Process{cmd: cmd, exited: make(chan struct{})}
	started := make(chan error)
	go func() {
		// The kernel sends the signal of Tied when the thread that started the
		// server ends, not when the process does. So this thread stays.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err != nil {
			return
		}
		_ = cmd.Wait() // what it returns is in cmd.ProcessState
		_ = signalGroup(p.PID(), syscall.SIGKILL)
		close(p.exited)
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return p, nil
}

// PID returns the process id, which is also that of its group.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Exited returns a channel that is closed when the process is gone, its entry
// in the process table too, and what it has left in its group is killed.
func (p *Process) Exited() <-chan struct{} { return p.exited }

// Running tells whether the process is still there.
func (p *Process) Running() bool {
	select {
	case <-p.exited:
		return false
	default:
		return true
	}
}

// State returns how the process has ended. It must have.
func (p *Process) State() *os.ProcessState { return p.cmd.ProcessState }

// Signal sends a signal to the process, not to its group.
func (p *Process) Signal(sig os.Signal) error {
	if err := p.cmd.Process.Signal(sig); err != nil {
		return fmt.Errorf("signalling process %d: %w", p.PID(), err)
	}
	return nil
}

// Stop sends the signal and waits until the server is gone. One that is still
// there when ctx ends is killed, which is an error.
func (p *Process) Stop(ctx context.Context, sig os.Signal) error {
	if err := p.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-p.exited:
		return nil
	case <-ctx.Done():
	}
	p.Kill()
	return fmt.Errorf("process %d did not stop when told to, and was killed: %w", p.PID(), ctx.Err())
}

// Kill ends the server and its group at once, as a power cut would, and waits
// until it is gone.
func (p *Process) Kill() {
	if p.Running() { // otherwise the id may be somebody else's
		_ = p.cmd.Process.Kill() // fails only when there is nothing left to kill
	}
	<-p.exited
}

// signalGroup signals all processes of a group. It is no error if none is left.
func signalGroup(pid int, sig syscall.Signal) error {
	if err := syscall.Kill(-pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("signalling process group %d: %w", pid, err)
	}
	return nil
}
