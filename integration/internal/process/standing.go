package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

const (
	holdTimeout = 5 * time.Second
	killTimeout = 15 * time.Second
)

// Detached makes a server outlive the process and the terminal it was started
// from.
func Detached() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }

// Hold makes cmd hold a lock on the file as long as it runs, or anything that
// it has started: a process id says little on its own, since systems use them
// again. An earlier holder gets some seconds to end. The caller closes the file
// that is returned once cmd has started.
func Hold(ctx context.Context, cmd *exec.Cmd, file string) (*os.File, error) {
	lock, err := os.OpenFile(filepath.Clean(file), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, holdTimeout)
	defer cancel()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		if err = syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err == nil {
			cmd.ExtraFiles = append(cmd.ExtraFiles, lock)
			return lock, nil
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(fmt.Errorf("%s: another server runs in this folder: %w", file, err), lock.Close())
		case <-again.C:
		}
	}
}

// Held tells whether the process that was started with [Hold] on that file
// still runs. What cannot be told is an error.
func Held(file string) (bool, error) {
	lock, err := os.Open(filepath.Clean(file))
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer func() { _ = lock.Close() }() // only read
	err = syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return true, nil
	}
	return false, err
}

// End stops the process that holds the lock on the file, softly, and kills it
// with its group if it is still there when ctx ends. It does nothing if nobody
// holds the lock.
func End(ctx context.Context, pid int, file string) error {
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	killed := time.Time{}
	for asked := false; ; asked = true {
		held, err := Held(file)
		switch {
		case err != nil:
			return err
		case !held:
			return nil
		case pid <= 1:
			return fmt.Errorf("%s is locked, and no process is known that holds it", file)
		case !asked:
			err = syscall.Kill(pid, syscall.SIGTERM)
		case ctx.Err() != nil && killed.IsZero():
			killed, err = time.Now(), signalGroup(pid, syscall.SIGKILL)
		case !killed.IsZero() && time.Since(killed) > killTimeout:
			return fmt.Errorf("process %d does not end: end it yourself, then remove %s", pid, file)
		}
		if err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("ending process %d: %w", pid, err)
		}
		<-again.C
	}
}
