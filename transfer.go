package omconnect

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/omconnect/omconnect/offsets"
)

// An export is a store as lines of JSON: a first line that says so, one for
// each definition, for each position and for each connector's broker, and a
// last one with their numbers, so that a part of an export is not taken for the
// whole.

// exportVersion is the version of the form. One that is newer is refused.
const exportVersion = 1

// A transferLine is one line of an export; one of its members is there.
type transferLine struct {
	State      *exportHead         `json:"omconnect_state,omitempty"`
	Definition *offsets.Definition `json:"definition,omitempty"`
	Position   *positionLine       `json:"position,omitempty"`
	Broker     *brokerLine         `json:"broker,omitempty"`
	End        *exportEnd          `json:"end,omitempty"`
}

type exportHead struct {
	Version int    `json:"version"`
	Store   string `json:"store"` // the id of the store it was taken from
	By      string `json:"by"`    // the program's version
}

type positionLine struct {
	Connector string     `json:"connector"`
	Partition objectText `json:"partition"`
	Position  objectText `json:"position"`
}

type brokerLine struct {
	Connector string `json:"connector"`
	ID        string `json:"id"`
}

type exportEnd struct {
	Definitions int `json:"definitions"`
	Positions   int `json:"positions"`
	Brokers     int `json:"brokers"`
}

func (e exportEnd) String() string {
	return fmt.Sprintf("%d definitions, %d positions and %d brokers", e.Definitions, e.Positions, e.Brokers)
}

// objectText is a JSON object as it is stored, byte for byte. It is written as
// the object if that comes back the same, as a string otherwise.
type objectText string

// MarshalJSON implements json.Marshaler.
func (o objectText) MarshalJSON() ([]byte, error) {
	var compact bytes.Buffer
	if err := json.Compact(&compact, []byte(o)); err == nil && compact.String() == string(o) {
		return []byte(o), nil
	}
	return json.Marshal(string(o))
}

// UnmarshalJSON implements json.Unmarshaler.
func (o *objectText) UnmarshalJSON(data []byte) error {
	if data[0] == '{' {
		*o = objectText(data)
		return nil
	}
	var s string
	err := json.Unmarshal(data, &s)
	*o = objectText(s)
	return err
}

// writeExport writes what a store keeps.
func writeExport(w io.Writer, id string, c contents) error {
	out := bufio.NewWriter(w)
	e := json.NewEncoder(out)
	e.SetEscapeHTML(false)
	errs := []error{e.Encode(transferLine{State: &exportHead{Version: exportVersion, Store: id, By: Version}})}
	for i := range c.definitions {
		errs = append(errs, e.Encode(transferLine{Definition: &c.definitions[i]}))
	}
	for _, name := range slices.Sorted(maps.Keys(c.positions)) {
		for _, p := range slices.Sorted(maps.Keys(c.positions[name])) {
			line := positionLine{Connector: name, Partition: objectText(p), Position: objectText(c.positions[name][p])}
			errs = append(errs, e.Encode(transferLine{Position: &line}))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.brokers)) {
		errs = append(errs, e.Encode(transferLine{Broker: &brokerLine{Connector: name, ID: c.brokers[name]}}))
	}
	end := c.end()
	errs = append(errs, e.Encode(transferLine{End: &end}), out.Flush())
	return errors.Join(errs...)
}

// readExport reads an export whole, and checks it, before anything is done
// with it.
func readExport(in io.Reader, name string) (contents, error) {
	c := newContents()
	scanner := bufio.NewScanner(in)
	scanner.Buffer(nil, longestLine)
	ended := false
	n := 0
	for scanner.Scan() {
		n++
		line, err := parseTransferLine(scanner.Bytes())
		switch {
		case err != nil:
		case n == 1 && line.State == nil:
			err = errors.New(`it does not begin with {"omconnect_state": …}: this is no export of a state`)
		case n == 1:
			err = line.State.readable()
		case ended:
			err = errors.New("there is something behind the end")
		case line.Definition != nil:
			err = c.addDefinition(*line.Definition)
		case line.Position != nil:
			err = c.addPosition(*line.Position)
		case line.Broker != nil:
			err = c.addBroker(*line.Broker)
		case line.End != nil:
			ended = true
			if *line.End != c.end() {
				err = fmt.Errorf("it should have %s, and has %s", line.End, c.end())
			}
		default:
			err = errors.New("there are two beginnings")
		}
		if err != nil {
			return c, badUsage("%s line %d: %w", name, n, err)
		}
	}
	if err := scanner.Err(); err != nil {
		return c, fmt.Errorf("%s: cannot be read: %w", name, err)
	}
	if !ended {
		return c, badUsage("%s: has no end, so a part of it is missing; export again", name)
	}
	return c, nil
}

func parseTransferLine(data []byte) (transferLine, error) {
	var line transferLine
	var version struct {
		State *exportHead `json:"omconnect_state"`
	}
	// A newer form may have keys that this version does not know: that it is
	// newer is what to say then.
	if json.Unmarshal(data, &version) == nil && version.State != nil {
		if err := version.State.readable(); err != nil {
			return line, err
		}
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&line); err != nil {
		return line, fmt.Errorf("not a line of an export: %s", strings.TrimPrefix(err.Error(), "json: "))
	}
	members := 0
	for _, there := range []bool{line.State != nil, line.Definition != nil, line.Position != nil, line.Broker != nil, line.End != nil} {
		if there {
			members++
		}
	}
	if _, err := d.Token(); members != 1 || !errors.Is(err, io.EOF) {
		return line, errors.New("not a line of an export: it should have one of omconnect_state, definition, position, broker, end")
	}
	return line, nil
}

func (h exportHead) readable() error {
	switch {
	case h.Version > exportVersion:
		return fmt.Errorf("written by omconnect %.40s, in version %d of the form; this one reads up to %d: upgrade it", printable(h.By), h.Version, exportVersion)
	case h.Version < 1:
		return errors.New("the export does not say its version")
	}
	return nil
}
