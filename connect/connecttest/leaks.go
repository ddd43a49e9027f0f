package connecttest

import (
	"bytes"
	"context"
	"fmt"
	"runtime/pprof"
	"strings"
	"time"
)

// goroutines returns the stacks of the goroutines that the connector has
// started, itself or by what it called, and that have not ended.
func (b *bench) goroutines() []string {
	var profile bytes.Buffer
	ok("look at the goroutines", pprof.Lookup("goroutine").WriteTo(&profile, 1))
	mark := fmt.Sprintf("%q:%q", labelKey, b.label)
	var stacks []string
	for stack := range strings.SplitSeq(profile.String(), "\n\n") {
		if _, frames, labelled := strings.Cut(stack, mark); labelled {
			_, frames, _ = strings.Cut(frames, "\n") // the rest of the line of labels
			stacks = append(stacks, frames)
		}
	}
	return stacks
}

// gone fails when goroutines of the connector do not end.
func (b *bench) gone(ctx context.Context, after string) {
	deadline := time.Now().Add(quietBound)
	for moment := pause; ; {
		stacks := b.goroutines()
		if len(stacks) == 0 {
			return
		}
		if time.Now().After(deadline) {
			fail("goroutines are left %s:\n%s", after, strings.Join(stacks, "\n"))
		}
		rest(ctx, moment)
		moment = min(2*moment, time.Second)
	}
}
