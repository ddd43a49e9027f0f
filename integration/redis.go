package integration

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	startTimeout = 30 * time.Second
	stopTimeout  = 15 * time.Second
	redisLog     = "redis.log" // in the server's folder: all it prints, over all its starts
)

var errPortTaken = errors.New("the port was taken meanwhile")

// A Redis is a redis-server of one's own, with an append-only file. Its
// methods must not be called concurrently, but Addr and URL may.
type Redis struct {
	bin, dir string
	port     int
	args     []string
	attr     *syscall.SysProcAttr
	proc     *process
}

// StartRedis starts a server on a free loopback port, with its data and its
// log in dir, and returns when it answers. Arguments such as
// "--maxmemory-policy", "allkeys-lru" are added to the command line; they must
// not ask for a password. The context bounds the start, not the server's life.
func StartRedis(ctx context.Context, dir string, args ...string) (*Redis, error) {
	return startRedis(ctx, dir, tied(), args)
}

func startRedis(ctx context.Context, dir string, attr *syscall.SysProcAttr, args []string) (*Redis, error) {
	bin, err := exec.LookPath("redis-server")
	if err != nil {
		return nil, fmt.Errorf("redis-server is not installed: "+
			"install it (on Debian: apt-get install redis-server) or run make test, which does: %w", err)
	}
	for {
		port, err := freePort(ctx)
		if err != nil {
			return nil, err
		}
		r := &Redis{bin: bin, dir: dir, port: port, args: args, attr: attr}
		if err = r.launch(ctx); err == nil {
			return r, nil
		}
		if !errors.Is(err, errPortTaken) {
			return nil, err
		}
	}
}

// Addr returns the server's host and port. It stays the same over Restart.
func (r *Redis) Addr() string { return redisAddr(r.port) }

// URL returns the server's address as clients take it.
func (r *Redis) URL() string { return redisURL(r.Addr()) }

// PID returns the process id of the server that was started last.
func (r *Redis) PID() int { return r.proc.pid() }

// Restart stops the server if it runs, and starts it on the same port and
// folder. It also brings back one that Stop or Kill has ended.
func (r *Redis) Restart(ctx context.Context) error {
	if err := r.Stop(ctx); err != nil {
		return err
	}
	return r.launch(ctx)
}

// Stop lets the server write what it has and ends it. Stopping a server that
// does not run does nothing.
func (r *Redis) Stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, stopTimeout)
	defer cancel()
	return r.proc.stop(ctx, syscall.SIGTERM)
}

// Kill ends the server as kill -9 does, and returns when it is gone.
func (r *Redis) Kill() { r.proc.kill() }

// launch starts the server on its port and waits until it answers.
func (r *Redis) launch(ctx context.Context) error {
	log, err := os.OpenFile(filepath.Join(r.dir, redisLog), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("starting redis-server: %w", err)
	}
	defer func() { _ = log.Close() }() // the server has its own
	before, err := log.Seek(0, io.SeekEnd)
	if err != nil {
		return fmt.Errorf("starting redis-server: %w", err)
	}
	args := append([]string{
		"--port", strconv.Itoa(r.port), "--bind", "127.0.0.1", "--dir", r.dir,
		"--appendonly", "yes", "--save", "",
	}, r.args...)
	cmd := exec.CommandContext(context.WithoutCancel(ctx), r.bin, args...) //nolint:gosec // the program found on the PATH
	cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = log, log, r.attr
	proc, err := start(cmd)
	if err != nil {
		return fmt.Errorf("starting redis-server: %w", err)
	}
	r.proc = proc
	return r.await(ctx, before)
}

// await returns when the server that was just started answers. Whoever else
// may answer on the port is told apart by its process id.
func (r *Redis) await(ctx context.Context, logged int64) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for {
		conn, pid, err := dialRedis(ctx, r.Addr())
		if err == nil {
			conn.Close()
			if pid == r.PID() {
				return nil
			}
		}
		select {
		case <-r.proc.exited:
			said := r.said(logged)
			if strings.Contains(said, "Address already in use") {
				return fmt.Errorf("redis-server on port %d: %w", r.port, errPortTaken)
			}
			return fmt.Errorf("redis-server ended at once; it said:\n%s", said)
		case <-ctx.Done():
			r.Kill()
			return fmt.Errorf("redis-server did not answer on %s: %w; it said:\n%s", r.Addr(), ctx.Err(), r.said(logged))
		case <-again.C:
		}
	}
}

// said returns what the server has logged from that offset on.
func (r *Redis) said(from int64) string {
	log, err := os.ReadFile(filepath.Join(r.dir, redisLog))
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(string(log[from:]))
}

// dialRedis asks the server at addr for its process id. The connection closes
// when that process ends, which tells so of one that is not a child.
func dialRedis(ctx context.Context, addr string) (net.Conn, int, error) {
	dialer := net.Dialer{Timeout: time.Second}
	conn, err := dialer.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, 0, err
	}
	pid, err := askPID(conn)
	if err != nil {
		conn.Close()
		return nil, 0, fmt.Errorf("%s does not answer as a Redis does: %w", addr, err)
	}
	return conn, pid, nil
}

func askPID(conn net.Conn) (int, error) {
	if err := conn.SetDeadline(time.Now().Add(time.Second)); err != nil {
		return 0, err
	}
	if _, err := io.WriteString(conn, "PING\r\nINFO server\r\n"); err != nil {
		return 0, err
	}
	answer := bufio.NewReader(conn)
	switch pong, err := answer.ReadString('\n'); {
	case err != nil:
		return 0, err
	case pong != "+PONG\r\n": // such as -LOADING
		return 0, fmt.Errorf("PING got %q", pong)
	}
	for {
		line, err := answer.ReadString('\n')
		if err != nil {
			return 0, err
		}
		if id, ok := strings.CutPrefix(line, "process_id:"); ok {
			return strconv.Atoi(strings.TrimSpace(id))
		}
	}
}

func redisAddr(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

func redisURL(addr string) string { return "redis://" + addr + "/0" }
