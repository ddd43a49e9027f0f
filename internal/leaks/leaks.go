// Package leaks finds goroutines that the tests of a package leave behind. What
// is only slow to end is waited for: a machine may be busy with other things
// for many seconds.
package leaks

import (
	"fmt"
	"os"
	"time"

	"go.uber.org/goleak"
)

// patience is how long goroutines may take to end after the last test.
const patience = 30 * time.Second

// Main runs tests, and ends the process: with a failure if a test failed or a
// goroutine is left that the options do not leave out. It is for TestMain.
func Main(m interface{ Run() int }, opts ...goleak.Option) {
	code := m.Run()
	if err := Find(opts...); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, "goroutines are left:", err)
		code = 1
	}
	os.Exit(code)
}

// Find returns an error that shows the goroutines that are left, nil once there
// are none. It waits 30 s at most.
func Find(opts ...goleak.Option) error { return find(patience, opts...) }

// find looks again and again: goleak itself does for a second or two.
func find(within time.Duration, opts ...goleak.Option) error {
	limit := time.Now().Add(within)
	for {
		if err := goleak.Find(opts...); err == nil || time.Now().After(limit) {
			return err
		}
	}
}
