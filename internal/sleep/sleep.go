// Package sleep waits for time to pass, and no longer than it is wanted.
package sleep

import (
	"context"
	"time"
)

// For waits for d. When ctx is done first, or was before, it returns the error
// of ctx.
func For(ctx context.Context, d time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
