package servers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// A rabbitmq is a node of its own with a port mapper (epmd) of its own, so that
// nodes that run side by side do not see each other, and none is left behind.
type rabbitmq struct{ bin, epmd string }

// debianRabbitMQ runs the server as whoever calls it; the one on the PATH there
// changes to a user of its own.
const debianRabbitMQ = "/usr/lib/rabbitmq/bin/rabbitmq-server"

// StartRabbitMQ starts a RabbitMQ node with its management plugin, with its data
// and its log in dir, and returns when it takes clients. Its user is guest, with
// the password guest, unless [User] says otherwise.
func StartRabbitMQ(ctx context.Context, dir string, opts ...Option) (*Server, error) {
	bin, err := exec.LookPath(debianRabbitMQ)
	if err != nil {
		if bin, err = lookPath("rabbitmq-server", "rabbitmq-server"); err != nil {
			return nil, err
		}
	}
	epmd, err := lookPath("epmd", "erlang-base")
	if err != nil {
		return nil, err
	}
	return start(ctx, rabbitmq{bin, epmd}, dir, opts)
}

func (rabbitmq) ports() int { return 5 } // AMQP plain and with TLS, management, Erlang's distribution, epmd

func (rabbitmq) addr(s *Server, part Part) string {
	switch {
	case part == Plain, part == "" && s.opts.tls == nil:
		return s.port(0)
	case part == "":
		return s.port(1)
	case part == Management:
		return s.port(2)
	}
	return ""
}

func (rabbitmq) prepare(_ context.Context, s *Server) error {
	conf := lines{
		{"listeners.tcp.1", s.port(0)},
		{"management.tcp.ip", "127.0.0.1"},
		{"management.tcp.port", strconv.Itoa(s.first + 2)},
		{"vm_memory_high_watermark.absolute", "1GB"},
		{"disk_free_limit.absolute", "1MB"},
	}
	if c := s.opts.tls; c != nil {
		conf = append(conf, lines{
			{"listeners.ssl.1", s.port(1)},
			{"ssl_options.cacertfile", c.CA},
			{"ssl_options.certfile", c.Server},
			{"ssl_options.keyfile", c.ServerKey},
			{"ssl_options.verify", map[bool]string{false: "verify_none", true: "verify_peer"}[s.opts.clientCerts]},
			{"ssl_options.fail_if_no_peer_cert", strconv.FormatBool(s.opts.clientCerts)},
		}...)
	}
	switch users := s.opts.users; len(users) {
	case 0:
	case 1:
		conf = append(conf, lines{{"default_user", users[0].name}, {"default_pass", users[0].password}}...)
	default:
		return errors.New("RabbitMQ is started with one user: make the others over its management API")
	}
	return errors.Join(
		s.write("rabbitmq.conf", conf.with(s.opts.config).text(" = ")),
		s.write("advanced.config", []byte("[].\n")),
		s.write("rabbitmq-env.conf", nil),
		s.write("enabled_plugins", []byte("[rabbitmq_management].\n")),
	)
}

func (k rabbitmq) programs(s *Server) []program {
	ports := []string{"ERL_EPMD_ADDRESS=127.0.0.1", "ERL_EPMD_PORT=" + strconv.Itoa(s.first+4)}
	return []program{
		{
			name: "epmd", path: k.epmd, args: []string{"-port", strconv.Itoa(s.first + 4), "-address", "127.0.0.1"}, env: ports,
			ready: func(ctx context.Context, _ int, _ string) error { return listens(ctx, s.port(4)) },
		},
		{
			name: "rabbitmq", path: k.bin,
			env: append(ports,
				"HOME="+s.dir, // has Erlang's cookie
				"RABBITMQ_NODENAME=rabbit@localhost",
				"RABBITMQ_CONF_ENV_FILE="+s.file("rabbitmq-env.conf"),
				"RABBITMQ_CONFIG_FILE="+s.file("rabbitmq.conf"),
				"RABBITMQ_ADVANCED_CONFIG_FILE="+s.file("advanced.config"),
				"RABBITMQ_ENABLED_PLUGINS_FILE="+s.file("enabled_plugins"),
				"RABBITMQ_MNESIA_BASE="+s.file("data"),
				"RABBITMQ_LOG_BASE="+s.file("log"),
				"RABBITMQ_LOGS=-",
				"RABBITMQ_PID_FILE="+s.file("rabbitmq.pid"),
				"RABBITMQ_DIST_PORT="+strconv.Itoa(s.first+3),
				// The shell gives way to the server, which then gets our signals.
				"RABBITMQ_ALLOW_INPUT=1",
				"RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=-noinput -start_epmd false -kernel inet_dist_use_interface {127,0,0,1}",
			),
			ready: func(ctx context.Context, _ int, said string) error {
				if !strings.Contains(said, "Server startup complete") {
					return errNotYet
				}
				return errors.Join(speaksAMQP(ctx, s.AddrOf(Plain)), listens(ctx, s.AddrOf(Management)))
			},
		},
	}
}

// speaksAMQP returns nil if the server at addr answers the protocol's header
// with a method frame of channel 0.
func speaksAMQP(ctx context.Context, addr string) error {
	dialer := net.Dialer{Timeout: time.Second}
	conn, err := dialer.DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return err
	}
	if _, err := io.WriteString(conn, "AMQP\x00\x00\x09\x01"); err != nil {
		return err
	}
	var got [3]byte
	if _, err := io.ReadFull(conn, got[:]); err != nil {
		return err
	}
	if !bytes.Equal(got[:], []byte{1, 0, 0}) {
		return fmt.Errorf("%s answers %q, not as a RabbitMQ does", addr, got)
	}
	return nil
}
