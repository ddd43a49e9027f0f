package rabbitmq

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"sync"
	"testing"
)

// A meter counts what is written to a connection.
type meter struct {
	net.Conn
	mu     sync.Mutex
	writes []int
	fails  error
}

func (m *meter) Write(b []byte) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fails != nil {
		return 0, m.fails
	}
	m.writes = append(m.writes, len(b))
	return len(b), nil
}

func (m *meter) taken() (writes []int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	writes, m.writes = m.writes, nil
	return writes
}

func metered(t *testing.T) (*socket, *meter) {
	t.Helper()
	here, there := net.Pipe()
	t.Cleanup(func() { _ = there.Close() })
	m := &meter{Conn: here}
	s := &socket{Conn: m, ahead: bufio.NewReader(m)}
	t.Cleanup(s.kill)
	return s, m
}

func write(t *testing.T, s *socket, sizes ...int) {
	t.Helper()
	for _, size := range sizes {
		if n, err := s.Write(make([]byte, size)); n != size || err != nil {
			t.Fatalf("%d of %d bytes are written: %v", n, size, err)
		}
	}
}

func TestWhatIsHeldIsWrittenAtOnce(t *testing.T) {
	t.Parallel()
	s, m := metered(t)
	write(t, s, 1, 2)
	same(t, "without a hold", m.taken(), []int{1, 2})
	s.hold()
	write(t, s, 3, 4)
	same(t, "meanwhile", m.taken(), nil)
	s.release()
	same(t, "behind it", m.taken(), []int{7})
	write(t, s, 5)
	same(t, "afterwards", m.taken(), []int{5})
	s.hold()
	s.release()
	same(t, "with nothing", m.taken(), nil)
}

func TestWhatIsHeldIsBounded(t *testing.T) {
	t.Parallel()
	s, m := metered(t)
	s.hold()
	write(t, s, gatherMost-1, 1)
	same(t, "as much as may be", m.taken(), nil)
	write(t, s, 2)
	same(t, "more", m.taken(), []int{gatherMost})
	write(t, s, gatherMost+1)
	same(t, "too much for it, behind what there was", m.taken(), []int{2, gatherMost + 1})
	s.release()
	same(t, "in the end", m.taken(), nil)
}

// Whoever writes and then waits for an answer is not held up by another.
func TestAReleaseWritesWhateverOthersHold(t *testing.T) {
	t.Parallel()
	s, m := metered(t)
	s.hold()
	write(t, s, 1)
	s.hold()
	write(t, s, 2)
	s.release()
	same(t, "of both", m.taken(), []int{3})
	write(t, s, 4)
	same(t, "of the one that goes on", m.taken(), nil)
	s.release()
	same(t, "of that one", m.taken(), []int{4})
}

// What counted as written and cannot be ends the connection: nobody waits for
// its confirmation then.
func TestAConnectionEndsThatCannotWriteWhatItHolds(t *testing.T) {
	t.Parallel()
	s, m := metered(t)
	s.hold()
	write(t, s, 1)
	m.mu.Lock()
	m.fails = io.ErrShortWrite
	m.mu.Unlock()
	s.release()
	if _, err := m.Conn.Write([]byte{1}); err == nil {
		t.Error("the connection is open")
	}
}

func TestASocketReadsAhead(t *testing.T) {
	t.Parallel()
	here, there := net.Pipe()
	s := &socket{Conn: here, ahead: bufio.NewReaderSize(here, 64)}
	t.Cleanup(s.kill)
	text := bytes.Repeat([]byte("0123456789"), 6)
	go func() {
		_, _ = there.Write(text) // the pipe waits for who reads all of it
		_ = there.Close()
	}()
	got, err := io.ReadAll(struct{ io.Reader }{s})
	if err != nil || !bytes.Equal(got, text) {
		t.Errorf("%q was read: %v", got, err)
	}
	if _, err := here.Write([]byte{1}); err == nil {
		t.Error("the connection is open behind its end")
	}
}
