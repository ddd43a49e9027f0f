package integration

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"
)

const crashConfig = `
connectors:
  in: {connector.class: file-source, file: in.txt, topic: lines}
  a: {connector.class: file-sink, file: a.txt, topics: lines}
  b: {connector.class: file-sink, file: b.txt, topics: lines}
`

// TestKillsLoseNothing moves a file into two others while the gateway is
// killed, six times as a rule, at random points of the way, and with Redis the
// store too is restarted once.
func TestKillsLoseNothing(t *testing.T) {
	kills := Count(6, 50)
	for state, total := range map[string]int{"embedded": Count(50_000, 500_000), "redis": Count(200_000, 1_000_000)} {
		t.Run(state, func(t *testing.T) {
			seed := rand.Uint64()
			t.Logf("seed %d", seed)
			rng := rand.New(rand.NewPCG(seed, 0))
			args := []string{"-c", "gateway.yaml"}
			var redis *Redis
			if state == "redis" {
				redis = NewRedis(t)
				args = append(args, "--state", redis.URL())
			}
			g := newGateway(t, args...)
			g.File("gateway.yaml", crashConfig)
			g.File("in.txt", input(total))
			for i := range kills {
				g.Launch()
				// The slices of the way differ in length, so that kills fall into
				// reading, sending, committing and writing alike.
				target := (total*i + rng.IntN(total)) / kills
				g.Until(fmt.Sprintf("%d lines in a.txt", target), func() bool { return g.lines("a.txt") >= target })
				if redis != nil && i == kills/2 {
					if err := redis.Restart(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
				g.Kill()
			}
			g.Args = append(g.Args, "--until-idle")
			g.Launch()
			if code := g.Exit(); code != 0 {
				t.Fatalf("the last run ended with exit code %d", code)
			}
			for _, name := range []string{"a.txt", "b.txt"} {
				repeats := g.wantAllLines(name, total)
				t.Logf("%s: all %d lines, %d repeats after %d kills", name, total, repeats, kills)
			}
		})
	}
}

// input returns numbered lines of different lengths.
func input(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "%d %s|\n", i, strings.Repeat("x", i%97))
	}
	return b.String()
}

// wantAllLines checks that a file has all lines of input(total), whole, each
// for the first time in order, and returns how many are repeats.
func (g *gateway) wantAllLines(name string, total int) (repeats int) {
	g.t.Helper()
	f, err := os.Open(g.Path(name))
	if err != nil {
		g.t.Fatal(err)
	}
	defer f.Close()
	next := 0
	scanner := bufio.NewScanner(f)
	for line := 1; scanner.Scan(); line++ {
		var i int
		text := scanner.Text()
		if _, err := fmt.Sscan(text, &i); err != nil || text != fmt.Sprintf("%d %s|", i, strings.Repeat("x", i%97)) {
			g.t.Fatalf("%s:%d is torn: %q", name, line, text)
		}
		switch {
		case i == next:
			next++
		case i < next:
			repeats++
		default:
			g.t.Fatalf("%s:%d has number %d, but %d has not come yet", name, line, i, next)
		}
	}
	if err := scanner.Err(); err != nil {
		g.t.Fatal(err)
	}
	if next != total {
		g.t.Fatalf("%s ends with number %d, want %d", name, next-1, total-1)
	}
	return repeats
}

// TestKillsWhileStartingLoseNothing kills a gateway over and over while it
// starts, at random moments of its first 400 ms.
func TestKillsWhileStartingLoseNothing(t *testing.T) {
	const total = 5_000
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	g := newGateway(t, "-c", "gateway.yaml")
	g.File("gateway.yaml", crashConfig)
	g.File("in.txt", input(total))
	for range Count(8, 100) {
		g.Launch()
		// Whatever it is doing then: locking, opening, recovering, connecting.
		<-time.After(time.Duration(rng.Int64N(int64(400 * time.Millisecond))))
		g.Kill()
	}
	g.Args = append(g.Args, "--until-idle")
	g.Launch()
	if code := g.Exit(); code != 0 {
		t.Fatalf("the last run ended with exit code %d", code)
	}
	g.wantAllLines("a.txt", total)
	g.wantAllLines("b.txt", total)
}
