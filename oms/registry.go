package oms

import (
	"context"

	"github.com/omconnect/omconnect/internal/registry"
)

// A Registry holds drivers by name. The zero Registry is empty and ready for
// use; programs and tests may have their own beside the default one.
type Registry struct {
	drivers registry.Registry[Driver]
}

// Default is the registry in which drivers register themselves when their
// package is imported.
var Default Registry

// Register makes a driver available in the default registry under the name
// that access points give. It panics on an empty or taken name.
func Register(name string, d Driver) { Default.Register(name, d) }

// Open opens a client of the default registry.
func Open(ctx context.Context, accessPoint string, opts ...Option) (*Client, error) {
	return Default.Open(ctx, accessPoint, opts...)
}

// Register makes a driver available under a name. It panics on an empty or
// taken name.
func (r *Registry) Register(name string, d Driver) { r.drivers.Register(name, d) }

// Drivers returns the names of the drivers, sorted.
func (r *Registry) Drivers() []string { return r.drivers.Names() }

// Open parses the access point and returns a client of its broker. It checks
// and does not dial: a broker that is away is seen by the first call that
// needs it. An unknown driver is ErrInvalid and names the known ones.
func (r *Registry) Open(ctx context.Context, accessPoint string, opts ...Option) (*Client, error) {
	ap, d, err := r.find(accessPoint)
	if err != nil {
		return nil, err
	}
	conn, err := d.Open(ctx, ap)
	if err != nil {
		return nil, err
	}
	return newClient(ap, conn, d.Capabilities(ap), opts), nil
}

// Capabilities returns what the driver of the access point can do there,
// without opening it.
func (r *Registry) Capabilities(accessPoint string) (Capabilities, error) {
	ap, d, err := r.find(accessPoint)
	if err != nil {
		return Capabilities{}, err
	}
	return d.Capabilities(ap), nil
}

func (r *Registry) driver(ap AccessPoint) (Driver, error) {
	d, err := r.drivers.Lookup(ap.Driver)
	if err != nil {
		return nil, &Error{Op: "open", Target: ap.String(), Code: ErrInvalid, Err: err}
	}
	return d, nil
}
