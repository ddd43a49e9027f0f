package embedded_test

import (
	"context"
	"errors"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/omconnect/omconnect/drivers/embedded"
	"github.com/omconnect/omconnect/oms"
	"github.com/omconnect/omconnect/oms/omstest"
)

// Each rule has a broker of its own in this process.
func TestConformance(t *testing.T) { omstest.RunApart(t, inProcessHarness) }

// A door opens an embedded broker. Those who come while it is open reach it by
// its endpoint, as other processes do: its folder has room for one connection.
type door struct {
	embedded.Driver
	dir string

	mu   sync.Mutex
	conn oms.Conn // the one that was opened last, other than by the endpoint
}

// Open implements oms.Driver.
func (d *door) Open(ctx context.Context, ap oms.AccessPoint) (oms.Conn, error) {
	c, err := d.Driver.Open(ctx, ap)
	if err == nil {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.conn = c
	}
	if !errors.Is(err, oms.ErrHeld) {
		return c, err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for { // until the broker has started
		text, err := embedded.Endpoint(d.dir)
		if err == nil {
			other, err := oms.ParseAccessPoint(text)
			if err != nil {
				return nil, err
			}
			other.Options = oms.KeyValue{"max.message.bytes": strconv.Itoa(d.Capabilities(ap).MaxBody)}
			return embedded.Driver{External: true}.Open(ctx, other)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, err
		}
	}
}

// server returns the server that runs now.
func (d *door) server() (*server.Server, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.conn != nil {
		if s := embedded.ServerOf(d.conn); s != nil {
			return s, nil
		}
	}
	return nil, errors.New("the server does not run")
}

func inProcessHarness(t *testing.T) *omstest.Harness {
	t.Helper()
	dir := t.TempDir()
	d := &door{dir: dir}
	return &omstest.Harness{
		Driver: d, AccessPoint: point(t, pointOf(dir)),
		Valid: []string{pointOf(t.TempDir()), pointOf(t.TempDir(), "durability", "strict", "retention.ms", "60000")},
		Invalid: map[string]string{
			"oms:embedded://somewhere/": "host", pointOf(dir, "durability", "maybe"): "durability",
			pointOf(dir, "retention.ms", "soon"): "retention.ms", pointOf(dir, "replication.factor", "3"): "replication.factor",
		},
		ReservedTopics:  reservedTopics,
		ReservedHeaders: reservedHeaders,
		Foreign: func(ctx context.Context, topic string, body []byte, headers map[string]string) error {
			address, user, err := endpoint(dir)
			if err != nil {
				return err
			}
			return foreign(ctx, address, user, topic, body, headers)
		},
		Trim: func(ctx context.Context, p oms.Partition, before int64) error {
			address, user, err := endpoint(dir)
			if err != nil {
				return err
			}
			return trim(ctx, address, user, p, before)
		},
		Fill: func(context.Context) (func(), error) {
			s, err := d.server()
			if err != nil {
				return nil, err
			}
			return func() {
				if err := limitStore(s, -1); err != nil {
					t.Errorf("make room: %v", err)
				}
			}, limitStore(s, 1)
		},
		Broker: omstest.Broker{
			// The driver starts a server that has stopped.
			Restart: func(context.Context) error {
				s, err := d.server()
				if err != nil {
					return err
				}
				s.Shutdown()
				s.WaitForShutdown()
				return nil
			},
			KillConnections: func(context.Context) error {
				s, err := d.server()
				if err != nil {
					return err
				}
				all, err := s.Connz(nil)
				if err != nil {
					return err
				}
				for _, c := range all.Conns {
					err = errors.Join(err, s.DisconnectClientByID(c.Cid))
				}
				return err
			},
		},
		Full:     os.Getenv("OMCONNECT_TEST_FULL") != "",
		Patience: patience,
	}
}

// endpoint is where NATS programs reach the broker in a folder.
func endpoint(dir string) (address string, user nats.Option, err error) {
	text, err := embedded.Endpoint(dir)
	if err != nil {
		return "", nil, err
	}
	ap, err := oms.ParseAccessPoint(text)
	if err != nil {
		return "", nil, err
	}
	return ap.Hosts[0], nats.UserInfo(ap.User, ap.Password.Reveal()), nil
}
