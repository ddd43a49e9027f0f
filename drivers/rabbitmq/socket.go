package rabbitmq

import (
	"context"
	"net"
	"sync"
	"time"
)

// A socket is a connection that closes itself when reading fails. The client
// library, told by a missed heartbeat that the broker is gone, waits for its
// channels before it closes the connection, and a publisher that is writing
// into a dead network holds its channel: without this both would wait until
// the kernel gives up, which takes a quarter of an hour.
type socket struct {
	net.Conn
	once sync.Once
}

// Read implements net.Conn.
func (s *socket) Read(b []byte) (int, error) {
	n, err := s.Conn.Read(b)
	if err != nil {
		s.kill()
	}
	return n, err
}

// kill closes the connection at once, whoever is reading or writing.
func (s *socket) kill() {
	s.once.Do(func() { _ = s.Conn.Close() }) // whoever uses it hears of it
}

// Close implements net.Conn.
func (s *socket) Close() error {
	s.kill()
	return nil
}

// dialSocket connects. Until the handshake is over everything has a deadline,
// which the client library takes off.
func dialSocket(ctx context.Context, address string, timeout time.Duration) (*socket, error) {
	d := net.Dialer{Timeout: timeout, KeepAlive: 15 * time.Second}
	c, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	if err := c.SetDeadline(time.Now().Add(timeout)); err != nil {
		_ = c.Close() // the first error is the one to tell
		return nil, err
	}
	return &socket{Conn: c}, nil
}
