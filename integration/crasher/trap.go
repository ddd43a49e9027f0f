package main

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
)

// The points on the way of a record, in its order.
const (
	atSeek     = "seek"     // the source was told where to go on
	atPoll     = "poll"     // the source has read records
	atSend     = "send"     // the broker's client has taken a batch
	atConfirm  = "confirm"  // the broker has confirmed a batch; nobody knows yet
	atCommit   = "commit"   // positions are durable; the source does not know yet
	atUpstream = "upstream" // the source has let go of what was committed
	atReceive  = "receive"  // messages have been received
	atPut      = "put"      // the sink has taken messages; the broker does not know yet
	atAck      = "ack"      // messages are acknowledged at the broker
)

// A trap acts when its point is reached for the n-th time. A nil trap never
// does. It is safe for concurrent use.
type trap struct {
	signal  syscall.Signal
	point   string
	n       int64
	reached atomic.Int64
}

// parseTrap reads "kill POINT N" or "stop POINT N".
func parseTrap(text string) (*trap, error) {
	if text == "" {
		return nil, nil //nolint:nilnil // nothing is to be done
	}
	words := strings.Fields(text)
	points := []string{atSeek, atPoll, atSend, atConfirm, atCommit, atUpstream, atReceive, atPut, atAck}
	signals := map[string]syscall.Signal{"kill": syscall.SIGKILL, "stop": syscall.SIGSTOP}
	if len(words) != 3 || signals[words[0]] == 0 || !slices.Contains(points, words[1]) {
		return nil, fmt.Errorf("OMCONNECT_CRASH=%q: want kill or stop, one of %s, and a number", text, strings.Join(points, ", "))
	}
	n, err := strconv.ParseInt(words[2], 10, 64)
	if err != nil || n < 1 {
		return nil, fmt.Errorf("OMCONNECT_CRASH=%q: the third word is not a number from 1", text)
	}
	return &trap{signal: signals[words[0]], point: words[1], n: n}, nil
}

// hit notes that a point was reached. Nothing of the caller happens after a
// kill; after a stop it goes on when the process does.
func (t *trap) hit(point string) {
	if t == nil || t.point != point || t.reached.Add(1) != t.n {
		return
	}
	fmt.Fprintf(os.Stderr, "crasher: %s at %s %d\n", t.signal, point, t.n)
	_ = syscall.Kill(os.Getpid(), t.signal) // it is this process: nothing can be missing
	if t.signal == syscall.SIGKILL {
		select {} // other threads take a moment to die
	}
}
