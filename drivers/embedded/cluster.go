package embedded

import (
	"context"
	"net"
	"slices"
	"strings"

	"github.com/nats-io/nats.go"

	"github.com/omconnect/omconnect/oms"
)

const natsPort = "4222"

// A cluster is one NATS server or several, somewhere else.
type cluster struct {
	ap      oms.AccessPoint
	options options
}

var _ backend = (*cluster)(nil)

func (c *cluster) dial(ctx context.Context, common []nats.Option) (*nats.Conn, error) {
	opts := append(slices.Clip(common), nats.SetCustomDialer(dialer(func(network, address string) (net.Conn, error) {
		return (&net.Dialer{Timeout: dialTimeout}).DialContext(ctx, network, address)
	})))
	if c.ap.User != "" {
		opts = append(opts, nats.UserInfo(c.ap.User, c.ap.Password.Reveal()))
	}
	if c.options.credentials != "" {
		opts = append(opts, nats.UserCredentials(c.options.credentials))
	}
	if c.options.useTLS {
		opts = append(opts, nats.Secure())
	}
	if c.options.rootCA != "" {
		opts = append(opts, nats.RootCAs(c.options.rootCA))
	}
	return nats.Connect(strings.Join(c.servers(), ","), opts...)
}

func (c *cluster) servers() []string {
	urls := make([]string, 0, len(c.ap.Hosts))
	for _, host := range c.ap.Hosts {
		if _, _, err := net.SplitHostPort(host); err != nil {
			host = net.JoinHostPort(strings.Trim(host, "[]"), natsPort)
		}
		urls = append(urls, "nats://"+host)
	}
	return urls
}

func (c *cluster) admit(int) error   { return nil }
func (c *cluster) unanswered() error { return nil }
func (c *cluster) identity() string  { return "" }

// written trusts the server: it does not end with this process.
func (c *cluster) written(context.Context, string, string, int64) error { return nil }

// floor does as well.
func (c *cluster) floor(_ context.Context, _, _ string, told uint64) (uint64, error) {
	return told, nil
}

func (c *cluster) inProcess() bool { return false }
func (c *cluster) close() error    { return nil }

// A dialer is a function as a nats.CustomDialer.
type dialer func(network, address string) (net.Conn, error)

func (d dialer) Dial(network, address string) (net.Conn, error) { return d(network, address) }
