package omconnect

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// oneSignal is how long a repeated signal still counts as the first one: some
// programs, timeout(1) among them, signal a process and then its group.
const oneSignal = 500 * time.Millisecond

// untilSignal returns a context that is done at the first SIGINT or SIGTERM.
// The second one exits at once. The function that it returns gives the signals
// back to the system.
func untilSignal(parent context.Context, stderr io.Writer, exit func(int)) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(parent)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	over := make(chan struct{})
	go func() {
		if obey(signals, over, cancel) {
			_, _ = fmt.Fprintln(stderr, "omconnect: a second signal: stopping at once")
			exit(exitFailed)
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		close(over)
		cancel()
	}
}

// obey cancels at the first signal, and returns true at the second, or false
// once it is over.
func obey(signals <-chan os.Signal, over <-chan struct{}, cancel func()) bool {
	select {
	case <-signals:
	case <-over:
		return false
	}
	cancel()
	first := time.Now()
	for {
		select {
		case <-signals:
			if time.Since(first) > oneSignal {
				return true
			}
		case <-over:
			return false
		}
	}
}
