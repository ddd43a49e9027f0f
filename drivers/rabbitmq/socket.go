package rabbitmq

import (
	"bufio"
	"context"
	"net"
	"sync"
	"time"
)

const (
	// readAhead is what one call of the system reads at most: the client
	// library asks for 4 KiB at a time.
	readAhead = 64 << 10
	// gatherMost is how much is gathered before it is written. It is less than
	// what the network takes without waiting.
	gatherMost = 64 << 10
)

// A socket is a connection that closes itself when reading fails. The client
// library, told by a missed heartbeat that the broker is gone, waits for its
// channels before it closes the connection, and a publisher that is writing
// into a dead network holds its channel: without this both would wait until
// the kernel gives up, which takes a quarter of an hour.
//
// The client library writes each message by itself. Whoever has many to write
// calls hold before and release behind them: in between they are gathered.
type socket struct {
	net.Conn
	once  sync.Once
	ahead *bufio.Reader // of whoever reads

	mu       sync.Mutex // held while writing
	holders  int
	gathered []byte
}

// Read implements net.Conn.
func (s *socket) Read(b []byte) (int, error) {
	n, err := s.ahead.Read(b)
	if err != nil {
		s.kill()
	}
	return n, err
}

// Write implements net.Conn. What is gathered counts as written: if it cannot
// be in the end, the connection ends.
func (s *socket) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.holders == 0 {
		return s.Conn.Write(b)
	}
	if len(s.gathered)+len(b) > gatherMost {
		if err := s.flush(); err != nil {
			return 0, err
		}
		if len(b) > gatherMost {
			return s.Conn.Write(b)
		}
	}
	s.gathered = append(s.gathered, b...)
	return len(b), nil
}

// hold has what is written gathered until release is called. Whoever holds
// waits for nothing meanwhile: others write, too.
func (s *socket) hold() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.holders++
}

// release ends a hold, and writes what was gathered, whoever else holds.
func (s *socket) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.holders--
	_ = s.flush() // the connection has ended
}

func (s *socket) flush() error {
	if len(s.gathered) == 0 {
		return nil
	}
	_, err := s.Conn.Write(s.gathered)
	s.gathered = s.gathered[:0]
	if err != nil {
		s.kill()
	}
	return err
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
	return &socket{Conn: c, ahead: bufio.NewReaderSize(c, readAhead)}, nil
}
