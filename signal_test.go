package omconnect

import (
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

func TestTheSecondSignalStopsAtOnce(t *testing.T) {
	stderr := newBuffer()
	exits := make(chan int, 1)
	ctx, stop := untilSignal(t.Context(), stderr, func(code int) { exits <- code })
	defer stop()
	tell := func(s syscall.Signal) {
		t.Helper()
		if err := syscall.Kill(os.Getpid(), s); err != nil {
			t.Fatal(err)
		}
	}
	tell(syscall.SIGTERM)
	<-ctx.Done()
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for { // the first few still count as one
		select {
		case <-ticker.C:
			tell(syscall.SIGINT)
			continue
		case code := <-exits:
			if code != exitFailed {
				t.Errorf("exit %d, want %d", code, exitFailed)
			}
		}
		break
	}
	if !strings.Contains(stderr.String(), "a second signal: stopping at once") {
		t.Errorf("stderr has %q", stderr)
	}
}

func TestASignalSentTwiceIsOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		signals, over := make(chan os.Signal, 2), make(chan struct{})
		cancelled := false
		var began, again time.Time
		go func() {
			signals <- syscall.SIGTERM
			signals <- syscall.SIGTERM // as timeout(1) does
			time.Sleep(oneSignal + time.Millisecond)
			again = time.Now()
			signals <- syscall.SIGTERM
		}()
		began = time.Now()
		if !obey(signals, over, func() { cancelled = true }) || !cancelled {
			t.Error("the signals were not obeyed")
		}
		if time.Since(again) != 0 || time.Since(began) < oneSignal {
			t.Errorf("stopped at once after %s", time.Since(began))
		}
		close(over)
		if obey(nil, over, func() { t.Error("cancelled without a signal") }) {
			t.Error("stopped at once without a signal")
		}
	})
}
