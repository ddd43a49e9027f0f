package omstest

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"

	"github.com/omconnect/omconnect/oms"
)

// memberEnv makes a test binary a member of a group and nothing else.
const memberEnv = "OMCONNECT_TEST_MEMBER"

// An order is what such a process is to do.
type order struct {
	AccessPoint, Topic, Group string
	Acks                      int
}

// MemberProcess returns a Harness.Child for a broker that other processes
// reach: it starts the test binary again, as a member of the group. TestMain
// has to call ServeMemberProcess before anything else, and the driver of the
// access point has to be registered there.
func MemberProcess(accessPoint string) func(ctx context.Context, topic, group string, acks int) (Child, error) {
	return func(ctx context.Context, topic, group string, acks int) (Child, error) {
		text, err := json.Marshal(order{accessPoint, topic, group, acks})
		if err != nil {
			return nil, err
		}
		// The rule kills it: what ctx bounds is the start.
		cmd := exec.CommandContext(context.WithoutCancel(ctx), os.Args[0]) //nolint:gosec // this program
		cmd.Env = append(os.Environ(), memberEnv+"="+string(text))
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			return nil, err
		}
		in, err := cmd.StdinPipe() // ends with this process, and the other one with it
		if err != nil {
			return nil, err
		}
		if err := cmd.Start(); err != nil {
			return nil, errors.Join(err, in.Close())
		}
		p := &memberProcess{cmd: cmd, acked: make(chan []string, 1)}
		go p.listen(out)
		return p, nil
	}
}

// A memberProcess is a member of a group in another process.
type memberProcess struct {
	cmd   *exec.Cmd
	acked chan []string // closed when the process has ended
}

func (p *memberProcess) listen(out io.Reader) {
	defer close(p.acked)
	lines := bufio.NewReader(out)
	var bodies []string
	if line, err := lines.ReadBytes('\n'); err == nil && json.Unmarshal(line, &bodies) == nil {
		p.acked <- bodies
	}
	_, _ = io.Copy(io.Discard, lines) // until it is killed
}

// Acked implements Child.
func (p *memberProcess) Acked(ctx context.Context) ([]string, error) {
	select {
	case bodies, ok := <-p.acked:
		if !ok {
			return nil, errors.New("the process has ended without a word about what it acknowledged")
		}
		return bodies, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Kill implements Child.
func (p *memberProcess) Kill() error {
	err := p.cmd.Process.Kill()
	if errors.Is(err, os.ErrProcessDone) {
		err = nil
	}
	for range p.acked { // Wait closes what is being read
	}
	_ = p.cmd.Wait() // killed
	return err
}

// ServeMemberProcess does in a process of MemberProcess what that is for, and
// does not return. Elsewhere it does nothing.
func ServeMemberProcess() {
	text := os.Getenv(memberEnv)
	if text == "" {
		return
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // until the test is gone
		os.Exit(1)
	}()
	fmt.Fprintln(os.Stderr, "the other process:", serveMember(context.Background(), text))
	os.Exit(1)
}

// serveMember acknowledges what it was told to, says so, and holds whatever
// else comes.
func serveMember(ctx context.Context, text string) error {
	var o order
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		return err
	}
	c, err := oms.Open(ctx, o.AccessPoint)
	if err != nil {
		return err
	}
	pc, err := c.NewPullConsumer(ctx, oms.ReceiverConfig{Topics: []string{o.Topic}, Group: o.Group})
	if err != nil {
		return err
	}
	acked := make([]string, 0, o.Acks)
	for len(acked) < o.Acks {
		msgs, err := pc.Receive(ctx, o.Acks-len(acked), time.Minute)
		if err == nil {
			err = pc.Ack(ctx, msgs...)
		}
		if err != nil {
			return err
		}
		for _, m := range msgs {
			acked = append(acked, string(m.Body))
		}
	}
	if err := errors.Join(pc.Flush(ctx), json.NewEncoder(os.Stdout).Encode(acked)); err != nil {
		return err
	}
	for {
		if _, err := pc.Receive(ctx, 1000, time.Minute); err != nil {
			fmt.Fprintln(os.Stderr, "the other process holds no more:", err)
		}
	}
}
