package servers

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

type redis struct{ bin string }

// StartRedis starts a redis-server with an append-only file, with its data and
// its log in dir, and returns when it answers.
func StartRedis(ctx context.Context, dir string, opts ...Option) (*Server, error) {
	bin, err := lookPath("redis-server", "redis-server")
	if err != nil {
		return nil, err
	}
	return start(ctx, redis{bin}, dir, opts)
}

func (redis) ports() int { return 2 } // plain, TLS

func (redis) addr(s *Server, part Part) string {
	switch {
	case part == Plain, part == "" && s.opts.tls == nil:
		return s.port(0)
	case part == "":
		return s.port(1)
	}
	return ""
}

func (redis) prepare(_ context.Context, s *Server) error {
	conf := lines{
		{"port", strconv.Itoa(s.first)},
		{"bind", "127.0.0.1"},
		{"dir", strconv.Quote(s.dir)},
		{"appendonly", "yes"},
		{"save", `""`},
	}
	if c := s.opts.tls; c != nil {
		clients := "no"
		if s.opts.clientCerts {
			clients = "yes"
		}
		conf = append(conf, lines{
			{"tls-port", strconv.Itoa(s.first + 1)},
			{"tls-cert-file", strconv.Quote(c.Server)},
			{"tls-key-file", strconv.Quote(c.ServerKey)},
			{"tls-ca-cert-file", strconv.Quote(c.CA)},
			{"tls-auth-clients", clients},
		}...)
	}
	for i, u := range s.opts.users {
		if i == 0 {
			conf = append(conf, lines{{"user default", "off"}}...)
		}
		conf = append(conf, lines{{"user " + u.name, "on >" + u.password + " ~* &* +@all"}}...)
	}
	return s.write("redis.conf", conf.with(s.opts.config).text(" "))
}

func (k redis) programs(s *Server) []program {
	return []program{{
		name: "redis", path: k.bin, args: []string{s.file("redis.conf")},
		ready: func(ctx context.Context, pid int, _ string) error {
			answers, err := redisPID(ctx, s.AddrOf(Plain), s.opts.users)
			if err == nil && answers != pid {
				err = fmt.Errorf("process %d answers in place of %d", answers, pid)
			}
			return err
		},
	}}
}

// redisPID asks the server at addr for its process id.
func redisPID(ctx context.Context, addr string, users []user) (int, error) {
	dialer := net.Dialer{Timeout: time.Second}
	conn, err := dialer.DialContext(ctx, "tcp", addr)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return 0, err
	}
	ask := "PING\r\nINFO server\r\n"
	want := "+PONG\r\n"
	if len(users) > 0 {
		ask = "AUTH " + users[0].name + " " + users[0].password + "\r\nINFO server\r\n"
		want = "+OK\r\n"
	}
	if _, err := io.WriteString(conn, ask); err != nil {
		return 0, err
	}
	answer := bufio.NewReader(conn)
	switch got, err := answer.ReadString('\n'); {
	case err != nil:
		return 0, err
	case got != want: // such as -LOADING
		return 0, fmt.Errorf("%s answers %q, not as a Redis does", addr, got)
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
