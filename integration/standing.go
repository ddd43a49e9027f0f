package integration

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// standing remembers, in a file of the folder, which servers Up has started.
type standing struct {
	Redis struct {
		PID  int    `json:"pid"`
		Addr string `json:"addr"`
	} `json:"redis"`
}

func standingFile(dir string) string { return filepath.Join(dir, "brokers.json") }

func redisDir(dir string) string { return filepath.Join(dir, "redis") }

// Up makes a Redis stand, with its data below dir, and returns its URL. One
// that stands already is left as it is.
func Up(ctx context.Context, dir string) (url string, err error) {
	s, err := readStanding(dir)
	if err != nil {
		return "", err
	}
	switch conn, err := s.dial(ctx); {
	case err != nil:
		return "", err
	case conn != nil:
		return redisURL(s.Redis.Addr), conn.Close()
	}
	if err := os.RemoveAll(redisDir(dir)); err != nil { // of a server that died
		return "", err
	}
	if err := os.MkdirAll(redisDir(dir), 0o750); err != nil {
		return "", err
	}
	r, err := startRedis(ctx, redisDir(dir), detached(), nil)
	if err != nil {
		return "", err
	}
	s.Redis.PID, s.Redis.Addr = r.PID(), r.Addr()
	if err := s.write(dir); err != nil {
		r.Kill() // nobody could find it again
		return "", err
	}
	return r.URL(), nil
}

// Down ends what Up has started, and removes its data. It is no error if
// nothing stands.
func Down(ctx context.Context, dir string) error {
	s, err := readStanding(dir)
	if err != nil {
		return err
	}
	conn, err := s.dial(ctx)
	if err != nil {
		return err
	}
	if conn != nil {
		defer conn.Close()
		if err := end(conn, s.Redis.PID); err != nil {
			return err
		}
	}
	return errors.Join(os.RemoveAll(redisDir(dir)), os.RemoveAll(standingFile(dir)))
}

// dial connects to the remembered server, or returns nil if it is gone. A
// process id says little on its own, since systems use them again: only a
// Redis at that address with that id is the one. What cannot be told is an
// error, not "gone": the server would stay for ever.
func (s standing) dial(ctx context.Context) (net.Conn, error) {
	if s.Redis.Addr == "" {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, stopTimeout)
	defer cancel()
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for {
		switch conn, pid, err := dialRedis(ctx, s.Redis.Addr); {
		case err == nil && pid == s.Redis.PID:
			return conn, nil
		case err == nil:
			return nil, conn.Close()
		case errors.Is(err, syscall.ECONNREFUSED):
			return nil, nil
		case ctx.Err() != nil:
			return nil, fmt.Errorf("is process %d still the redis-server of brokers.json? "+
				"Try again, or end it and remove that file: %w", s.Redis.PID, err)
		}
		select { // it may be loading, or about to be gone
		case <-ctx.Done():
		case <-again.C:
		}
	}
}

// end stops the process and returns when its connection has closed with it.
func end(conn net.Conn, pid int) error {
	server, err := os.FindProcess(pid)
	if err != nil {
		return fmt.Errorf("stopping redis-server: %w", err)
	}
	for _, signal := range []os.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		if err := server.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return fmt.Errorf("stopping redis-server, process %d: %w", pid, err)
		}
		if err := conn.SetReadDeadline(time.Now().Add(stopTimeout)); err != nil {
			return err
		}
		if _, err := io.Copy(io.Discard, conn); !errors.Is(err, os.ErrDeadlineExceeded) {
			return nil // closed, in whichever way
		}
	}
	return fmt.Errorf("redis-server does not stop: end process %d yourself", pid)
}

func readStanding(dir string) (s standing, err error) {
	data, err := os.ReadFile(standingFile(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return s, err
	}
	if err = json.Unmarshal(data, &s); err != nil {
		return s, fmt.Errorf("%s is damaged: end the redis-server that it names, then remove it: %w", standingFile(dir), err)
	}
	return s, nil
}

func (s standing) write(dir string) error {
	data, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return os.WriteFile(standingFile(dir), data, 0o600)
}
