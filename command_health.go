package omconnect

import (
	"context"
	"fmt"
	"time"
)

// healthCommand is omconnect health, for orchestrators: an image with nothing
// but the program in it has no other client.
type healthCommand struct {
	outputFlag

	callFlags

	Timeout time.Duration `default:"5s" help:"How long to wait for an answer."`
}

// Run asks the gateway whether it is up.
func (c *healthCommand) Run(ctx context.Context, s *streams) error {
	gateway, err := c.client()
	if err != nil {
		return err
	}
	if c.Timeout <= 0 {
		return badUsage("--timeout: %v is not positive", c.Timeout)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, c.Timeout, fmt.Errorf("no answer within %v", c.Timeout))
	defer cancel()
	health, err := gateway.Health(ctx)
	if err != nil {
		return called(err)
	}
	if c.Output == "json" {
		return writeJSON(s.out, health)
	}
	_, err = fmt.Fprintln(s.out, printable(health.Message))
	return err
}
