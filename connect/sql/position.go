package sql

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/omconnect/omconnect/connect/row"
	"github.com/omconnect/omconnect/oms"
)

// The parts of a position that have values, each an object of columns in the
// form of a row's key. A position also has done, or schema, the version of the
// table for row identifiers that hold no longer than it.
const (
	partIncrementing = "incrementing"
	partKey          = "key"
	partTimestamp    = "timestamp"
)

// parts are the parts in the order in which they are written.
var parts = []string{partIncrementing, partKey, partTimestamp}

// donePosition is the position behind the last row of a bulk source.
const donePosition = `{"done":true}`

// partitionOf returns the partition of a table, or of a query if there is no
// table.
func partitionOf(table, query string) (string, error) {
	if table != "" {
		return oms.CanonicalObject(map[string]string{"table": table})
	}
	sum := sha256.Sum256([]byte(query))
	return oms.CanonicalObject(map[string]string{"query": hex.EncodeToString(sum[:8])})
}

// checkPartition refuses what no version of this source has written.
func checkPartition(partition string) error {
	var p map[string]string
	err := json.Unmarshal([]byte(partition), &p)
	if err == nil && len(p) == 1 && (p["table"] != "" || p["query"] != "") {
		return nil
	}
	return badPosition(partition, errors.New("it names neither a table nor a query"))
}

func badPosition(partition string, err error) error {
	return &oms.Error{
		Op: "go on at the stored position of", Target: partition, Code: oms.ErrFormat,
		Err: fmt.Errorf("%w; reset the offsets to start over, or set the configuration back", err),
	}
}

// place is one column of a position.
type place struct {
	part   string
	column string
}

// formatPosition writes the values of the places, and the version of the
// table unless it is "".
func formatPosition(places []place, values []any, version string) (string, error) {
	b := []byte{'{'}
	for _, part := range parts {
		var names []string
		var own []any
		for i, p := range places {
			if p.part == part {
				names, own = append(names, p.column), append(own, values[i])
			}
		}
		if part == partTimestamp && version != "" {
			b = fmt.Appendf(b, `"schema":%q,`, version)
			version = ""
		}
		if names == nil {
			continue
		}
		object, err := row.EncodeKey(names, own)
		if err != nil {
			return "", err
		}
		b = fmt.Appendf(b, `%q:%s,`, part, object)
	}
	b[len(b)-1] = '}'
	return string(b), nil
}

// parsePosition reads the values of the places, nil for a position behind the
// last row. They must be the very places that the position was written for.
func parsePosition(places []place, position string) (values []any, version string, err error) {
	var stored struct {
		Incrementing json.RawMessage `json:"incrementing"`
		Key          json.RawMessage `json:"key"`
		Timestamp    json.RawMessage `json:"timestamp"`
		Schema       string          `json:"schema"`
		Done         bool            `json:"done"`
	}
	dec := json.NewDecoder(bytes.NewReader([]byte(position)))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&stored); err != nil {
		return nil, "", fmt.Errorf("position %.200q is not one of this source: %w", position, err)
	}
	if stored.Done {
		if stored.Incrementing != nil || stored.Key != nil || stored.Timestamp != nil {
			return nil, "", fmt.Errorf("position %.200q is not one of this source: it is done and is not", position)
		}
		return nil, "", nil
	}
	values = make([]any, len(places))
	found := 0
	for part, object := range map[string]json.RawMessage{
		partIncrementing: stored.Incrementing, partKey: stored.Key, partTimestamp: stored.Timestamp,
	} {
		if object == nil {
			continue
		}
		names, own, err := row.DecodeKey(object)
		if err != nil {
			return nil, "", fmt.Errorf("position %.200q is not one of this source: %w", position, err)
		}
		for i, name := range names {
			at := slices.Index(places, place{part, name})
			if at < 0 {
				return nil, "", mismatch(places, position)
			}
			values[at] = own[i]
			found++
		}
	}
	if found != len(places) {
		return nil, "", mismatch(places, position)
	}
	return values, stored.Schema, nil
}

func mismatch(places []place, position string) error {
	wanted := "none, as it is read in one go"
	if len(places) > 0 {
		wanted = ""
		for i, p := range places {
			if i > 0 {
				wanted += ", "
			}
			wanted += p.part + " " + p.column
		}
	}
	return fmt.Errorf("position %.200q was written with another mode or other columns; now its columns are: %s", position, wanted)
}
