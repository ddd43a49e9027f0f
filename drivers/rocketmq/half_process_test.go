package rocketmq_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"

	"github.com/omconnect/omconnect/oms"
)

// halfEnv has the access point for a process that sends a half message and
// decides nothing.
const halfEnv = "OMCONNECT_TEST_HALF"

// What the process sends, and where.
const (
	halfTopic, halfGroup  = "inherited", "heirs"
	halfID, halfOfTheDead = "of the dead", "left behind"
)

// dieWithHalf starts the process, and kills it once its message is stored.
func dieWithHalf(t *testing.T, accessPoint string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env, cmd.Stderr = append(os.Environ(), halfEnv+"="+accessPoint), os.Stderr
	out, err := cmd.StdoutPipe()
	must(t, err)
	_, err = cmd.StdinPipe() // ends with this process, and the other one with it
	must(t, err)
	must(t, cmd.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	must(t, errors.Join(err, cmd.Process.Kill()))
	_ = cmd.Wait() // killed
	if line != "stored\n" {
		t.Fatalf("the other process says %q", line)
	}
}

// serveHalf does in that process what it is for, and does not return.
// Elsewhere it does nothing.
func serveHalf() {
	accessPoint := os.Getenv(halfEnv)
	if accessPoint == "" {
		return
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // until the test is gone
		os.Exit(1)
	}()
	fmt.Fprintln(os.Stderr, "the other process:", leaveHalf(context.Background(), accessPoint))
	os.Exit(1)
}

func leaveHalf(ctx context.Context, accessPoint string) error {
	c, err := oms.Open(ctx, accessPoint)
	if err != nil {
		return err
	}
	p, err := c.NewHalfProducer(ctx, halfGroup, func(context.Context, *oms.Message) oms.Verdict { return oms.Undecided })
	if err != nil {
		return err
	}
	return p.Send(ctx, &oms.Message{Topic: halfTopic, ID: halfID, Body: []byte(halfOfTheDead)}, func(context.Context) oms.Verdict {
		fmt.Println("stored")
		select {} // it is killed here
	})
}
