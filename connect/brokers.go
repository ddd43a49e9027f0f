package connect

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/omconnect/omconnect/oms"
)

// Brokers opens the brokers that connectors name, each once, and shares their
// clients. It is safe for concurrent use.
type Brokers struct {
	registry *oms.Registry
	named    map[string]string
	admit    func(oms.Capabilities) error // nil: every broker may be used

	mu      sync.Mutex
	clients map[string]*oms.Client // by access point, with its secrets
	closed  bool
}

// DefaultBroker is the name that stands for the gateway's own broker.
const DefaultBroker = ""

// NewBrokers returns brokers that are opened with the drivers of a registry.
// Named maps names to access points; the one named DefaultBroker is that of
// connectors that name none.
func NewBrokers(registry *oms.Registry, named map[string]string) *Brokers {
	return &Brokers{registry: registry, named: named, clients: make(map[string]*oms.Client)}
}

// Guard has admit asked before each use of a broker, by what its driver can do
// there; an error refuses it. It is called before the brokers are used, and
// admit may be called concurrently.
func (b *Brokers) Guard(admit func(oms.Capabilities) error) { b.admit = admit }

// accessPoint returns where the broker of that name is. A name that is not
// known is taken for an access point.
func (b *Brokers) accessPoint(name string) string {
	if ap, ok := b.named[name]; ok {
		return ap
	}
	return name
}

// Client returns the client of a broker, given its name or access point. The
// caller does not close it.
func (b *Brokers) Client(ctx context.Context, name string) (*oms.Client, error) {
	if b.admit != nil {
		if _, err := b.Capabilities(name); err != nil {
			return nil, err
		}
	}
	ap := b.accessPoint(name)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil, &oms.Error{Op: "open broker", Target: name, Code: oms.ErrClosed}
	}
	if c := b.clients[ap]; c != nil {
		return c, nil
	}
	c, err := b.registry.Open(ctx, ap)
	if err != nil {
		return nil, fmt.Errorf("broker %s: %w", displayName(name), err)
	}
	b.clients[ap] = c
	return c, nil
}

// Capabilities returns what a broker can do, without opening it.
func (b *Brokers) Capabilities(name string) (oms.Capabilities, error) {
	caps, err := b.registry.Capabilities(b.accessPoint(name))
	if err == nil && b.admit != nil {
		err = b.admit(caps)
	}
	if err != nil {
		return caps, fmt.Errorf("broker %s: %w", displayName(name), err)
	}
	return caps, nil
}

// Close closes all clients.
func (b *Brokers) Close(ctx context.Context) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	var errs []error
	for ap, c := range b.clients {
		errs = append(errs, c.Close(ctx))
		delete(b.clients, ap)
	}
	return errors.Join(errs...)
}

// displayName is what errors call a broker: never what may hold a password.
func displayName(name string) string {
	if name == DefaultBroker {
		return "(default)"
	}
	ap, err := oms.ParseAccessPoint(name)
	switch {
	case err == nil:
		return ap.String()
	case strings.ContainsAny(name, ":/@"):
		return "(not an access point)" // what was meant may hold a password
	default:
		return fmt.Sprintf("%.50q", name)
	}
}
