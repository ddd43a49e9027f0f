package integration

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
)

// Servers get ports below those that systems hand out to outgoing connections
// (from 32768 on Linux). Otherwise a client that keeps dialling a stopped
// server can be given the very port it dials, connect to itself, and hold the
// port against the restart.
const (
	firstPort = 20_000
	lastPort  = 32_000
)

// freePort returns a port on which nobody listens at this moment. Somebody
// may a moment later, so that its user must be ready to try another.
func freePort(ctx context.Context) (int, error) {
	var listen net.ListenConfig
	for range 100 {
		port := firstPort + rand.IntN(lastPort-firstPort) //nolint:gosec // nobody is kept from guessing it
		l, err := listen.Listen(ctx, "tcp", redisAddr(port))
		if err == nil {
			return port, l.Close()
		}
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
	}
	return 0, errors.New("no free loopback port: stop what listens between 20000 and 32000")
}
