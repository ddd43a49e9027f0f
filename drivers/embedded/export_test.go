package embedded

import (
	"github.com/nats-io/nats-server/v2/server"

	"github.com/omconnect/omconnect/oms"
)

// ServerOf returns the server that an embedded connection runs in this
// process; nil when it does not run just now.
func ServerOf(c oms.Conn) *server.Server {
	b := c.(*conn).backend.(*broker)
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.server
}
