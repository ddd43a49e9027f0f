package embedded_test

import (
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/omconnect/omconnect/oms"
)

// Connections, topics, producers and consumers that come and go leave neither
// goroutines nor sockets and files, whether the broker stays or comes and goes
// with them. It runs while no other test does, since it counts those of the
// process.
func TestConnectionsThatComeAndGoLeaveNothing(t *testing.T) {
	for name, accessPoint := range map[string]string{
		"a broker that comes and goes": pointOf(t.TempDir()),
		"a server that stays":          startNATS(t).point("right", ""),
	} {
		t.Run(name, func(t *testing.T) {
			cycle := func() {
				t.Helper()
				c := open(t, accessPoint)
				createTopic(t, c, "cycles", 2)
				p := newProducer(t, c)
				send(t, p, numbered("cycles", 0, 1)...)
				pc := newConsumer(t, c, oms.ReceiverConfig{Topics: []string{"cycles"}, Group: "cycling"})
				if err := pc.Ack(testContext(t), receive(t, pc, 1)...); err != nil {
					t.Fatal(err)
				}
				closeClient(t, p)
				closeClient(t, pc)
				if err := c.DeleteTopic(testContext(t), "cycles"); err != nil {
					t.Fatal(err)
				}
				closeClient(t, c)
			}
			for range 3 { // what is made once is there
				cycle()
			}
			goroutines, files := runtime.NumGoroutine(), openFiles(t)
			for range 100 {
				cycle()
			}
			again, late := time.NewTicker(10*time.Millisecond), time.After(bound)
			defer again.Stop()
			for runtime.NumGoroutine() > goroutines || openFiles(t) > files {
				select {
				case <-again.C:
				case <-late:
					t.Fatalf("there are %d goroutines and %d open files, after three cycles there were %d and %d",
						runtime.NumGoroutine(), openFiles(t), goroutines, files)
				}
			}
		})
	}
}

// openFiles counts the files and sockets of this process.
func openFiles(t *testing.T) int {
	t.Helper()
	all, err := os.ReadDir("/dev/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}
