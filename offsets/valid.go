package offsets

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/omconnect/omconnect/oms"
)

// Valid returns nil, or why p is not a position that can be stored: it must be
// a JSON object.
func (p Position) Valid() error { return validObject(string(p)) }

// Valid returns nil, or why p is not a partition that can be stored: it must
// be a JSON object.
func (p Partition) Valid() error { return validObject(string(p)) }

func validObject(s string) error {
	var object map[string]json.RawMessage
	if err := json.Unmarshal([]byte(s), &object); err != nil || object == nil {
		return fmt.Errorf("%.80q is not a JSON object", s)
	}
	return nil
}

// ValidPositions returns nil, or an error of the code ErrFormat that names
// the connector and the first partition in order that cannot be stored.
func ValidPositions(connector string, ps map[Partition]Position) error {
	for _, p := range sortedKeys(ps) {
		if err := p.Valid(); err != nil {
			return fmt.Errorf("%w: connector %s: partition %w", oms.ErrFormat, connector, err)
		}
		if err := ps[p].Valid(); err != nil {
			return fmt.Errorf("%w: connector %s, partition %s: position %w", oms.ErrFormat, connector, p, err)
		}
	}
	return nil
}

// Valid returns nil, or why there can be no such owner.
func (o Owner) Valid() error {
	if o.Task < 0 {
		return fmt.Errorf("task %d is below 0", o.Task)
	}
	return validName(o.Connector)
}

// ValidGrant returns nil, or an error of the code ErrInvalid that tells why
// no lease can be granted on these terms. Leases last a millisecond or more.
func ValidGrant(o Owner, holder string, ttl time.Duration) error {
	err := o.Valid()
	switch {
	case err != nil:
	case holder == "":
		err = errors.New("the holder has no name")
	case ttl < time.Millisecond:
		err = fmt.Errorf("a lease cannot last %s", ttl)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", oms.ErrInvalid, err)
	}
	return nil
}

// ValidAdoption returns nil, or an error of the code ErrInvalid that tells why
// a broker cannot be noted for the positions of a connector. No broker can.
func ValidAdoption(connector, broker string) error {
	err := validName(connector)
	if err == nil && !utf8.ValidString(broker) {
		err = fmt.Errorf("the identity of the broker, %q, is not UTF-8", broker)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", oms.ErrInvalid, err)
	}
	return nil
}

// OtherBroker returns the error of the code ErrAborted that refuses to note a
// broker over one that the caller did not know of, "" for none.
func OtherBroker(noted string) error {
	if noted == "" {
		return fmt.Errorf("%w: it was changed meanwhile: no broker is noted now", oms.ErrAborted)
	}
	return fmt.Errorf("%w: it was changed meanwhile: the positions belong to broker %s now", oms.ErrAborted, noted)
}

// Valid returns nil, or an error of the code ErrInvalid that tells why the
// definition cannot be stored.
func (d *Definition) Valid() error {
	err := validName(d.Name)
	switch {
	case err != nil:
	case !slices.Contains([]Target{TargetRunning, TargetPaused, TargetStopped}, d.Target):
		err = fmt.Errorf("%q is not a target that a connector can have", d.Target)
	case d.Revision < 0:
		err = fmt.Errorf("revision %d is below 0", d.Revision)
	default:
		err = validConfig(d.Config)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", oms.ErrInvalid, err)
	}
	return nil
}

// validConfig refuses what would not come back from JSON as it was.
func validConfig(config map[string]string) error {
	for _, key := range sortedKeys(config) {
		if !utf8.ValidString(key) || !utf8.ValidString(config[key]) {
			return fmt.Errorf("the key %q or its value is not UTF-8", key)
		}
	}
	return nil
}

func validName(name string) error {
	if name == "" {
		return errors.New("the connector has no name")
	}
	if !utf8.ValidString(name) {
		return errors.New("the connector's name is not UTF-8")
	}
	return nil
}
