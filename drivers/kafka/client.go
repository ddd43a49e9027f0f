package kafka

import (
	"context"
	"fmt"
	"net"
	"sync/atomic"

	"github.com/IBM/sarama"
	"github.com/rcrowley/go-metrics"
)

// newClient returns a client of its own connections, which the caller closes.
// It does not dial.
func (c *conn) newClient(adapt func(*sarama.Config)) (sarama.Client, error) {
	cfg := *c.base // its fields are values, or are not changed
	cfg.MetricRegistry = metrics.NewRegistry()
	d := &dialer{conn: c}
	cfg.Net.Proxy.Dialer = d
	if adapt != nil {
		adapt(&cfg)
	}
	made, err := sarama.NewClient(c.options.hosts, &cfg)
	if err != nil {
		return nil, err
	}
	return &client{Client: made, dialer: d}, nil
}

// A client is one of the client library's that makes no connection once it is
// closed. Requests that nobody waits for any more would: the library looks at a
// broker that is not connected, Close finds nothing to close, and the library
// connects. Such a connection and its goroutine stayed for ever.
type client struct {
	sarama.Client
	dialer *dialer
}

// Close ends the client and its connections.
func (c *client) Close() error {
	c.dialer.closed.Store(true) // before the library looks at what is open
	return c.Client.Close()
}

// A dialer makes the connections of a client.
type dialer struct {
	conn   *conn
	closed atomic.Bool
}

// Dial implements the interface of the client library's proxies.
func (d *dialer) Dial(network, address string) (net.Conn, error) {
	if d.closed.Load() {
		return nil, sarama.ErrClosedClient
	}
	ctx, cancel := context.WithTimeout(d.conn.ctx, d.conn.options.requestTimeout)
	defer cancel()
	dial := d.conn.driver.Dial
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	c, err := dial(ctx, network, address)
	if err != nil {
		// The address may be one that a broker says others reach it by.
		return nil, fmt.Errorf("dial the broker at %s: %w", address, err)
	}
	return c, nil
}
