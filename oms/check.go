package oms

import "errors"

// A Checker tells without the network what cannot work at an access point, so
// that a connector is refused when it is defined and not when it starts. It is
// optional, found by type assertion on a Driver; what a driver without it would
// refuse is seen when its broker is used.
type Checker interface {
	// CheckAccessPoint returns what Open refuses of the access point as it is
	// written, all of it: KeyErrors that name options, or host, user and region.
	// It does no I/O: files that options name may be missing.
	CheckAccessPoint(ap AccessPoint) error
	// CheckTopic returns why no topic can have that name there, which
	// ValidTopic has let pass: it quotes the name, and says what to do. A nil
	// error is no promise, since a broker may have rules of its own.
	CheckTopic(ap AccessPoint, topic string) error
}

// CheckAccessPoint returns what can be told to be wrong with an access point
// without the network: its form, its driver, and what its driver's Checker
// finds. The error is ErrInvalid and quotes neither the text nor a password.
func (r *Registry) CheckAccessPoint(accessPoint string) error {
	ap, d, err := r.find(accessPoint)
	if err != nil {
		return err
	}
	if c, ok := d.(Checker); ok {
		return checked(ap, "check access point", "", c.CheckAccessPoint(ap))
	}
	return nil
}

// CheckTopic returns why no topic can have that name at an access point, as
// far as that can be told without the network. The error is ErrInvalid.
func (r *Registry) CheckTopic(accessPoint, topic string) error {
	ap, d, err := r.find(accessPoint)
	if err != nil {
		return err
	}
	err = ValidTopic(topic)
	if c, ok := d.(Checker); ok && err == nil {
		err = c.CheckTopic(ap, topic)
	}
	return checked(ap, "check topic", topic, err)
}

func (r *Registry) find(accessPoint string) (AccessPoint, Driver, error) {
	ap, err := ParseAccessPoint(accessPoint)
	if err != nil {
		return ap, nil, err
	}
	d, err := r.driver(ap)
	return ap, d, err
}

// checked gives what a Checker found the form of all errors.
func checked(ap AccessPoint, op, target string, err error) error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*Error](err); ok && e.Err != nil {
		err = e.Err
	}
	return &Error{Op: op, Driver: ap.Driver, Target: target, Code: ErrInvalid, Err: err}
}
