package main

import (
	"bufio"
	"fmt"
	"io"
	"os/exec"
	"syscall"
	"time"
)

// A child is a process that is looked at while it runs.
type child struct {
	name    string
	cmd     *exec.Cmd
	started time.Time
	exited  chan struct{}
	err     error // of the process; read it after exited
	peak    int64 // of its memory, as far as it was looked at; read it after exited
}

// lookEvery is how often the memory of a process is looked at. Its peak is the
// kernel's, so that only what grows in the last moment is missed.
const lookEvery = 20 * time.Millisecond

// lastWords is how much of what a process has said is kept, in bytes.
const lastWords = 4096

// startChild starts a process. Whatever it says is given to heard, line by
// line, on a goroutine that ends with the process.
func startChild(name string, cmd *exec.Cmd, heard func(line []byte)) (*child, error) {
	cmd.WaitDelay = patience
	says, err := cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	cmd.Stdout = cmd.Stderr
	c := &child{name: name, cmd: cmd, started: time.Now(), exited: make(chan struct{})}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	go c.attend(says, heard)
	return c, nil
}

// attend reads what the process says until it ends, and looks at its memory
// meanwhile.
func (c *child) attend(says io.Reader, heard func([]byte)) {
	defer close(c.exited)
	said := make(chan []byte, 1)
	go func() {
		var last []byte
		lines := bufio.NewScanner(says)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			last = append(append(last[max(0, len(last)-lastWords):], lines.Bytes()...), '\n')
			heard(lines.Bytes())
		}
		said <- last
	}()
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for {
		select {
		case <-look.C:
			if m, err := memoryOf(c.cmd.Process.Pid); err == nil {
				c.peak = m.peak
			}
		case last := <-said:
			if err := c.cmd.Wait(); err != nil {
				c.err = fmt.Errorf("%s: %w; it said at last:\n%s", c.name, err, last)
			}
			return
		}
	}
}

// wait returns when the process has ended by itself.
func (c *child) wait() error {
	<-c.exited
	return c.err
}

// stop ends the process as an operator does.
func (c *child) stop() error {
	if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	return c.wait()
}

// cpu is what the process has taken in all, once it has ended.
func (c *child) cpu() time.Duration {
	return c.cmd.ProcessState.UserTime() + c.cmd.ProcessState.SystemTime()
}
