package rabbitmq_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/omconnect/omconnect/integration/servers"
	"github.com/omconnect/omconnect/oms"
)

// A broker is a real RabbitMQ, and what its operators and programs that know
// nothing of this driver do with it.
type broker struct {
	*servers.Server
	certificates *servers.Certificates
}

// A sharing is the broker of the tests that do it no harm, one for each time
// that they are run.
type sharing struct {
	mu     sync.Mutex
	tests  map[string]*testing.T // that have it, by name
	broker *broker
	dir    string
	err    error
}

var shared sharing

// brokersLargest is the largest body that the shared broker takes, less than
// the driver does.
const brokersLargest = 1 << 20

// realBroker returns the broker that tests share. Each keeps to names of topics,
// groups and users of its own. With -count or -cpu the next round of tests finds
// nothing of the last: all tests of a round have ended when the next one begins.
func realBroker(t *testing.T) *broker {
	t.Helper()
	shared.mu.Lock()
	defer shared.mu.Unlock()
	former, ran := shared.tests[t.Name()]
	if again := ran && former != t; again || shared.tests == nil {
		shared.end()
		shared.err = shared.start(context.WithoutCancel(t.Context()))
		shared.tests = make(map[string]*testing.T)
	}
	shared.tests[t.Name()] = t
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.broker
}

func (s *sharing) start(ctx context.Context) (err error) {
	if s.dir, err = os.MkdirTemp("", "rabbitmq"); err != nil {
		return err
	}
	c, err := servers.NewCertificates(s.dir)
	if err != nil {
		return err
	}
	server, err := servers.StartRabbitMQ(
		ctx, s.dir, servers.TLS(c), servers.Config("ssl_options.verify", "verify_peer"), servers.Config("ssl_cert_login_from", "common_name"),
		servers.Config("max_message_size", strconv.Itoa(brokersLargest)),
		servers.Config("auth_mechanisms.1", "PLAIN"), servers.Config("auth_mechanisms.2", "EXTERNAL"),
	)
	if err != nil {
		return err
	}
	s.broker = &broker{server, c}
	return s.broker.tool(ctx, "rabbitmq-plugins", "enable", "rabbitmq_auth_mechanism_ssl")
}

func (s *sharing) end() {
	if s.broker != nil {
		if err := s.broker.Close(context.Background()); err != nil {
			fmt.Fprintln(os.Stderr, "end the broker that tests share:", err)
		}
	}
	if s.dir != "" {
		_ = os.RemoveAll(s.dir) // a folder for temporary files
	}
	s.broker, s.dir = nil, ""
}

// point is an access point of the listener without TLS.
func (b *broker) point(t *testing.T, rest string) oms.AccessPoint {
	t.Helper()
	return parse(t, "oms:rabbitmq://"+b.AddrOf(servers.Plain)+"/"+rest)
}

func parse(t *testing.T, text string) oms.AccessPoint {
	t.Helper()
	ap, err := oms.ParseAccessPoint(text)
	must(t, err)
	return ap
}

// open returns a connection of the driver. Rest is what stands behind the
// host: a virtual host and options.
func (b *broker) open(t *testing.T, rest string) oms.Conn {
	t.Helper()
	return openAt(t, b.point(t, rest))
}

// tool runs one of RabbitMQ's programs. The node's port mapper listens on the
// last of its ports, two above that of the management API.
func (b *broker) tool(ctx context.Context, name string, args ...string) error {
	_, port, err := net.SplitHostPort(b.AddrOf(servers.Management))
	if err != nil {
		return err
	}
	management, err := strconv.Atoi(port)
	if err != nil {
		return err
	}
	path, err := exec.LookPath("/usr/lib/rabbitmq/bin/" + name) // Debian's on the PATH changes to another user
	if err != nil {
		path = name
	}
	cmd := exec.CommandContext(ctx, path, append([]string{"-n", "rabbit@localhost"}, args...)...)
	cmd.Env = append(os.Environ(), "HOME="+b.Dir(), "ERL_EPMD_PORT="+strconv.Itoa(management+2), "RABBITMQ_ENABLED_PLUGINS_FILE="+b.Dir()+"/enabled_plugins")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, out)
	}
	return nil
}

// put sets something by the management API.
func (b *broker) put(ctx context.Context, body any, path ...string) error {
	_, err := b.ask(ctx, http.MethodPut, body, path...)
	return err
}

// ask asks the management API.
func (b *broker) ask(ctx context.Context, method string, body any, path ...string) ([]byte, error) {
	text, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	for i, part := range path {
		path[i] = url.PathEscape(part)
	}
	request, err := http.NewRequestWithContext(ctx, method, b.management()+"/api/"+strings.Join(path, "/"), bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	request.SetBasicAuth("guest", "guest")
	request.Close = true
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	said, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode >= http.StatusMultipleChoices {
		err = fmt.Errorf("%s: %s: %s", request.URL, answer.Status, said)
	}
	return said, err
}

func (b *broker) management() string { return "http://" + b.AddrOf(servers.Management) }

// arguments returns what a queue was declared with.
func (b *broker) arguments(t *testing.T, queue string) map[string]any {
	t.Helper()
	text, err := b.ask(within(t), http.MethodGet, nil, "queues", "/", queue)
	must(t, err)
	var q struct{ Arguments map[string]any }
	must(t, json.Unmarshal(text, &q))
	return q.Arguments
}

// A permission is what a user may do in a virtual host, as regular expressions.
type permission struct {
	Configure string `json:"configure"`
	Write     string `json:"write"`
	Read      string `json:"read"`
}

var everything = permission{".*", ".*", ".*"}

// admit makes a user of the virtual host "/".
func (b *broker) admit(ctx context.Context, name, password string, p permission) error {
	err := b.put(ctx, map[string]string{"password": password, "tags": ""}, "users", name)
	if err != nil {
		return err
	}
	return b.put(ctx, p, "permissions", "/", name)
}

// native returns a channel, which confirms, of a program that knows nothing of
// this driver.
func (b *broker) native(t *testing.T) *amqp.Channel {
	t.Helper()
	ch, conn, err := b.dial()
	must(t, err)
	t.Cleanup(func() { _ = conn.Close() }) // the broker ends it otherwise
	return ch
}

func (b *broker) dial() (*amqp.Channel, *amqp.Connection, error) {
	conn, err := amqp.Dial("amqp://" + b.AddrOf(servers.Plain))
	if err != nil {
		return nil, nil, err
	}
	ch, err := conn.Channel()
	if err == nil {
		err = ch.Confirm(false)
	}
	if err != nil {
		return nil, nil, errors.Join(err, conn.Close())
	}
	return ch, conn, nil
}

// publish returns when the broker has the message.
func publish(ctx context.Context, ch *amqp.Channel, exchange, key string, p amqp.Publishing) error {
	confirmed, err := ch.PublishWithDeferredConfirmWithContext(ctx, exchange, key, true, false, p)
	if err != nil {
		return err
	}
	ok, err := confirmed.WaitContext(ctx)
	if err == nil && !ok {
		err = errors.New("the broker refuses it")
	}
	return err
}
