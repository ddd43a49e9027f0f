package connect

import (
	"cmp"
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
	resolve  func(string) (string, error) // nil: access points are what they are

	mu      sync.Mutex
	clients map[string]*opening // by access point, with its secrets
	closed  bool
}

// An opening is a client, or the attempt to get one, which all who want it
// wait for: those who want another broker do not.
type opening struct {
	done   chan struct{} // closed when there is a client or an error
	client *oms.Client
	err    error
}

// DefaultBroker is the name that stands for the gateway's own broker.
const DefaultBroker = ""

// NewBrokers returns brokers that are opened with the drivers of a registry.
// Named maps names to access points; the one named DefaultBroker is that of
// connectors that name none.
func NewBrokers(registry *oms.Registry, named map[string]string) *Brokers {
	return &Brokers{registry: registry, named: named, clients: make(map[string]*opening)}
}

// Guard has admit asked before each use of a broker, by what its driver can do
// there; an error refuses it. It is called before the brokers are used, and
// admit may be called concurrently.
func (b *Brokers) Guard(admit func(oms.Capabilities) error) { b.admit = admit }

// Resolve has resolve asked what an access point means that a connector gives
// instead of a name: itself, or the one under which that broker is known here,
// so that one broker is never opened as two. An error refuses it. It is called
// before the brokers are used; resolve does no I/O and may be called
// concurrently.
func (b *Brokers) Resolve(resolve func(accessPoint string) (string, error)) { b.resolve = resolve }

// find returns where the broker of that name is. A name that is not known is
// taken for an access point.
func (b *Brokers) find(name string) (string, error) {
	if ap, ok := b.named[name]; ok || b.resolve == nil {
		return cmp.Or(ap, name), nil
	}
	ap, err := b.resolve(name)
	if err != nil {
		return name, fmt.Errorf("broker %s: %w", displayName(name), err)
	}
	return ap, nil
}

// accessPoint is find for comparing brokers. One that is refused is like no
// other.
func (b *Brokers) accessPoint(name string) string {
	ap, _ := b.find(name)
	return ap
}

// Client returns the client of a broker, given its name or access point. The
// caller does not close it.
func (b *Brokers) Client(ctx context.Context, name string) (*oms.Client, error) {
	if b.admit != nil {
		if _, err := b.Capabilities(name); err != nil {
			return nil, err
		}
	}
	ap, err := b.find(name)
	if err != nil {
		return nil, err
	}
	for {
		o, mine, err := b.opening(name, ap)
		switch {
		case err != nil:
			return nil, err
		case mine:
			b.open(ctx, name, ap, o)
		}
		select {
		case <-o.done:
		case <-ctx.Done():
			return nil, fmt.Errorf("broker %s: %w", displayName(name), context.Cause(ctx))
		}
		if !mine && (errors.Is(o.err, context.Canceled) || errors.Is(o.err, context.DeadlineExceeded)) {
			continue // whoever tried it was stopped or in haste, this caller was not
		}
		return o.client, o.err
	}
}

// opening returns the client of an access point, or what it is going to be. If
// it is the caller's, the caller has to open it.
func (b *Brokers) opening(name, ap string) (_ *opening, mine bool, _ error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil, false, errBrokersClosed(name)
	}
	if o := b.clients[ap]; o != nil {
		return o, false, nil
	}
	o := &opening{done: make(chan struct{})}
	b.clients[ap] = o
	return o, true, nil
}

func errBrokersClosed(name string) error {
	return &oms.Error{Op: "open broker", Target: displayName(name), Code: oms.ErrClosed}
}

func (b *Brokers) open(ctx context.Context, name, ap string, o *opening) {
	defer close(o.done)
	c, err := b.registry.Open(ctx, ap)
	b.mu.Lock()
	closed := b.closed
	switch {
	case err != nil:
		o.err = fmt.Errorf("broker %s: %w", displayName(name), err)
		delete(b.clients, ap)
	case closed:
		o.err = errBrokersClosed(name)
	default:
		o.client = c
	}
	b.mu.Unlock()
	if err == nil && closed {
		o.err = errors.Join(o.err, c.Close(ctx))
	}
}

// Capabilities returns what a broker can do, without opening it.
func (b *Brokers) Capabilities(name string) (oms.Capabilities, error) {
	ap, err := b.find(name)
	if err != nil {
		return oms.Capabilities{}, err
	}
	caps, err := b.registry.Capabilities(ap)
	if err == nil && b.admit != nil {
		err = b.admit(caps)
	}
	if err != nil {
		return caps, fmt.Errorf("broker %s: %w", displayName(name), err)
	}
	return caps, nil
}

// check is Capabilities for a broker that a configuration names: it returns
// also what else can be told without the network to be wrong with it. The
// access point is not quoted: an unknown option may hold a secret.
func (b *Brokers) check(name string) (oms.Capabilities, error) {
	caps, err := b.Capabilities(name)
	if err != nil {
		return caps, err
	}
	if err := b.registry.CheckAccessPoint(b.accessPoint(name)); err != nil {
		return caps, fmt.Errorf("its access point is wrong: %w", reason(err))
	}
	return caps, nil
}

// checkTopic returns why no topic of a broker can have that name, as far as
// that can be told without the network. Of a broker that is wrong itself
// nothing is said.
func (b *Brokers) checkTopic(name, topic string) error {
	ap := b.accessPoint(name)
	if b.registry.CheckAccessPoint(ap) == nil {
		return reason(b.registry.CheckTopic(ap, topic))
	}
	return nil
}

// reason takes off what says where an error was found: its reader knows.
func reason(err error) error {
	if e, ok := errors.AsType[*oms.Error](err); ok && e.Err != nil {
		return e.Err
	}
	return err
}

// Close closes all clients, those that are being opened too.
func (b *Brokers) Close(ctx context.Context) error {
	b.mu.Lock()
	b.closed = true
	clients := b.clients
	b.clients = nil
	b.mu.Unlock()
	var errs []error
	for _, o := range clients {
		select {
		case <-o.done:
		case <-ctx.Done():
			errs = append(errs, context.Cause(ctx))
			continue
		}
		if o.client != nil {
			errs = append(errs, o.client.Close(ctx))
		}
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
