package offsets

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/omconnect/omconnect/oms"
)

// FormatVersion is the version of the records that this program writes, and
// the newest one that it reads.
const FormatVersion = 1

// positionRecord is how a position is stored.
type positionRecord struct {
	Version  int             `json:"v"`
	Position json.RawMessage `json:"position"`
	At       time.Time       `json:"at"` // for people: by the clock of the gateway that committed it
}

// MarshalPosition returns the record of a valid position.
func MarshalPosition(p Position, at time.Time) []byte {
	// Not by json.Marshal, which would rewrite the position.
	return fmt.Appendf(nil, `{"v":%d,"at":"%s","position":%s}`, FormatVersion, at.UTC().Format(time.RFC3339Nano), p)
}

// UnmarshalPosition returns the position of a record as it was committed, byte
// for byte. Its errors are ErrFormat.
func UnmarshalPosition(data []byte) (Position, error) {
	var r positionRecord
	if err := unmarshal(data, &r); err != nil {
		return "", err
	}
	p := Position(r.Position)
	if err := p.Valid(); err != nil {
		return "", fmt.Errorf("%w: the position %w", oms.ErrFormat, err)
	}
	return p, nil
}

// brokerRecord is how the broker of positions is stored.
type brokerRecord struct {
	Version int    `json:"v"`
	ID      string `json:"id"`
}

// MarshalBroker returns the record of a broker's identity, which is UTF-8.
func MarshalBroker(id string) ([]byte, error) {
	data, err := json.Marshal(brokerRecord{Version: FormatVersion, ID: id})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", oms.ErrFormat, err)
	}
	return data, nil
}

// UnmarshalBroker returns the identity in a record. Its errors are ErrFormat.
func UnmarshalBroker(data []byte) (string, error) {
	var r brokerRecord
	if err := unmarshal(data, &r); err != nil {
		return "", err
	}
	if r.ID == "" {
		return "", fmt.Errorf("%w: the record names no broker", oms.ErrFormat)
	}
	return r.ID, nil
}

// definitionRecord is how a definition is stored.
type definitionRecord struct {
	Version int `json:"v"`
	Definition
}

// MarshalDefinition returns the record of a valid definition.
func MarshalDefinition(d Definition) ([]byte, error) {
	data, err := json.Marshal(definitionRecord{Version: FormatVersion, Definition: d})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", oms.ErrFormat, err)
	}
	return data, nil
}

// UnmarshalDefinition returns the definition of a record that is stored under
// a name. Its errors are ErrFormat, and name the connector.
func UnmarshalDefinition(name string, data []byte) (Definition, error) {
	var r definitionRecord
	if err := unmarshal(data, &r); err != nil {
		return Definition{}, fmt.Errorf("the definition of connector %s: %w", name, err)
	}
	err := r.Valid()
	switch {
	case err != nil:
	case r.Name != name:
		err = fmt.Errorf("it is that of %q", r.Name)
	case r.Revision == 0:
		err = errors.New("it has no revision")
	}
	if err != nil {
		return Definition{}, fmt.Errorf("the definition of connector %s: %w: %w", name, oms.ErrFormat, err)
	}
	return r.Definition, nil
}

// unmarshal reads a record into v if its version is known.
func unmarshal(data []byte, v any) error {
	var head struct {
		Version int `json:"v"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return fmt.Errorf("%w: the record %w", oms.ErrFormat, unreadable(data))
	}
	if err := CheckFormat(head.Version); err != nil {
		return err
	}
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("%w: the record %w", oms.ErrFormat, unreadable(data))
	}
	return nil
}

func unreadable(data []byte) error {
	return fmt.Errorf("of %d bytes is damaged", len(data)) // its content may be secret
}

// CheckFormat returns nil for a version that this program reads, else an error
// of the code ErrFormat that says what to do.
func CheckFormat(version int) error {
	switch {
	case version > FormatVersion:
		return fmt.Errorf("%w: written by a newer omconnect, in format %d; this one reads up to %d: upgrade it",
			oms.ErrFormat, version, FormatVersion)
	case version < 1:
		return fmt.Errorf("%w: the record has no version of its format", oms.ErrFormat)
	}
	return nil
}
