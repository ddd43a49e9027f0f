package embedded_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/omconnect/omconnect/oms"
)

func init() { children["crash"] = crashChild }

// crashChild sends without end, and receives and acknowledges every other
// message; it tells its parent what was confirmed and what was acknowledged
// for good, until it is killed.
func crashChild() {
	ctx := context.Background()
	check := func(err error) {
		if err != nil {
			fmt.Println("failed", err)
			os.Exit(1)
		}
	}
	c, err := oms.Open(ctx, os.Getenv("OMCONNECT_TEST_POINT"))
	check(err)
	check(c.EnsureTopic(ctx, oms.TopicSpec{Name: "t"}))
	p, err := c.NewProducer(ctx, oms.SenderConfig{})
	check(err)
	pc, err := c.NewPullConsumer(ctx, oms.ReceiverConfig{Topics: []string{"t"}, Group: "g"})
	check(err)
	from, err := strconv.Atoi(os.Getenv("OMCONNECT_TEST_FROM"))
	check(err)
	go func() {
		for i := from; ; i += 100 {
			check(p.Send(ctx, numbered("t", i, 100)...))
			fmt.Println("confirmed", i+100)
		}
	}()
	for {
		msgs, err := pc.Receive(ctx, 50, time.Second)
		check(err)
		var acked []string
		for i, m := range msgs {
			if i%2 == 0 {
				check(pc.Ack(ctx, m))
				acked = append(acked, string(m.Body))
			}
		}
		check(pc.Flush(ctx))
		fmt.Println("acked", strings.Join(acked, " "))
		if err := pc.Nack(ctx, msgs...); err != nil { // what was not acknowledged stays around
			check(err)
		}
	}
}

func TestAKilledBrokerLosesNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	confirmed, acked := 0, map[string]bool{}
	for round := range 3 {
		cmd := child(t, "crash", "OMCONNECT_TEST_POINT="+pointOf(dir), "OMCONNECT_TEST_FROM="+strconv.Itoa(confirmed))
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		flushes := 0
		for lines := bufio.NewScanner(out); lines.Scan(); {
			kind, rest, _ := strings.Cut(lines.Text(), " ")
			switch kind {
			case "confirmed":
				confirmed, _ = strconv.Atoi(rest)
			case "acked":
				for id := range strings.FieldsSeq(rest) {
					acked[id] = true
				}
				flushes++
			default:
				t.Errorf("round %d: the process says %q", round, lines.Text())
			}
			if flushes >= 3 && confirmed >= (round+1)*2000 {
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
				break
			}
		}
		_ = cmd.Wait() // killed
	}
	c := open(t, pointOf(dir))
	all := newConsumer(t, c, oms.ReceiverConfig{Topics: []string{"t"}, Group: "other", MaxUnacked: 10_000_000, MaxUnackedBytes: 1 << 30})
	rest := newConsumer(t, c, oms.ReceiverConfig{Topics: []string{"t"}, Group: "g", MaxUnacked: 10_000_000, MaxUnackedBytes: 1 << 30})
	stored := map[string]int{}
	for _, m := range drain(t, c, all, "other") {
		stored[string(m.Body)]++
	}
	for i := range confirmed {
		if stored[strconv.Itoa(i)] == 0 {
			t.Fatalf("message %d was confirmed and is gone", i)
		}
	}
	again := 0
	for _, m := range drain(t, c, rest, "g") {
		if acked[string(m.Body)] && stored[string(m.Body)] == 1 {
			again++
		}
	}
	if again > 0 {
		t.Errorf("%d of %d messages are delivered again although their acknowledgement was flushed", again, len(acked))
	}
}

// drain receives all that a group has not acknowledged.
func drain(t *testing.T, c *oms.Client, pc *oms.PullConsumer, group string) []*oms.Message {
	t.Helper()
	n, err := c.Lag(testContext(t), group, []string{"t"})
	if err != nil {
		t.Fatal(err)
	}
	return receive(t, pc, int(n))
}
