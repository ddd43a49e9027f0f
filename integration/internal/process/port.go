package process

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
)

// Servers get ports below those that systems hand out to outgoing connections
// (from 32768 on Linux). Otherwise a client that keeps dialling a stopped
// server can be given the very port it dials, connect to itself, and hold the
// port against the restart.
const (
	FirstPort = 20_000
	LastPort  = 32_000 // not one of them
)

// Addr returns the loopback address with that port.
func Addr(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// FreePorts returns the first of n ports in a row on which nobody listens at
// this moment. Somebody may a moment later: [Reserve] keeps them.
func FreePorts(ctx context.Context, n int) (first int, err error) {
	for range 100 {
		first := FirstPort + rand.IntN(LastPort-FirstPort-n+1) //nolint:gosec // nobody is kept from guessing it
		if err := Free(ctx, first, n); err == nil {
			return first, nil
		}
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
	}
	return 0, fmt.Errorf("no free loopback ports: stop what listens between %d and %d", FirstPort, LastPort)
}

// Free returns nil if nobody listens on any of n ports in a row.
func Free(ctx context.Context, first, n int) error {
	var listen net.ListenConfig
	for port := first; port < first+n; port++ {
		l, err := listen.Listen(ctx, "tcp", Addr(port))
		if err != nil {
			return err
		}
		if err := l.Close(); err != nil {
			return err
		}
	}
	return nil
}

// reserved are the ports that this process has reserved. Other processes see
// them by a lock on one byte a port of a file that all share; the kernel takes
// it back from a process that ends.
var reserved struct {
	sync.Mutex
	ports map[int]bool
	file  *os.File
}

var errReserved = errors.New("the port is reserved")

// Reserve returns n ports in a row on which nobody listens, and which are given
// to nobody else, here or in another process, until [Release]: a server can be
// stopped and started again.
func Reserve(ctx context.Context, n int) (first int, err error) {
	for range 100 {
		first, err := FreePorts(ctx, n)
		if err != nil {
			return 0, err
		}
		switch err := reserve(first, n); {
		case err == nil:
			return first, nil
		case !errors.Is(err, errReserved):
			return 0, err
		}
	}
	return 0, fmt.Errorf("all ports between %d and %d are reserved", FirstPort, LastPort)
}

// Release gives back ports of [Reserve].
func Release(first, n int) {
	reserved.Lock()
	defer reserved.Unlock()
	release(first, n)
}

func reserve(first, n int) error {
	reserved.Lock()
	defer reserved.Unlock()
	if reserved.file == nil {
		name := filepath.Join(os.TempDir(), fmt.Sprintf("omconnect-test-ports-%d", os.Getuid()))
		file, err := os.OpenFile(filepath.Clean(name), os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			return fmt.Errorf("reserving a port: %w", err)
		}
		reserved.file, reserved.ports = file, map[int]bool{}
	}
	for port := first; port < first+n; port++ {
		if err := lockPort(port, syscall.F_WRLCK); err != nil {
			release(first, port-first)
			return err
		}
		reserved.ports[port] = true
	}
	return nil
}

func release(first, n int) {
	for port := first; port < first+n; port++ {
		if reserved.ports[port] {
			delete(reserved.ports, port)
			_ = lockPort(port, syscall.F_UNLCK) // the kernel does it later otherwise
		}
	}
}

func lockPort(port int, kind int16) error {
	if reserved.ports[port] { // the kernel lets a process lock twice
		return errReserved
	}
	lock := syscall.Flock_t{Type: kind, Start: int64(port), Len: 1}
	err := syscall.FcntlFlock(reserved.file.Fd(), syscall.F_SETLK, &lock)
	if errors.Is(err, syscall.EACCES) || errors.Is(err, syscall.EAGAIN) {
		return errReserved
	}
	return err
}
