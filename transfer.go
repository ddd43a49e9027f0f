package omconnect

import (
	"bufio"
	"bytes"
	"context"
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
// each definition and position, and a last one with their numbers, so that a
// part of an export is not taken for the whole.

// exportVersion is the version of the form. One that is newer is refused.
const exportVersion = 1

// A transferLine is one line of an export; one of its members is there.
type transferLine struct {
	State      *exportHead         `json:"omconnect_state,omitempty"`
	Definition *offsets.Definition `json:"definition,omitempty"`
	Position   *positionLine       `json:"position,omitempty"`
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

type exportEnd struct {
	Definitions int `json:"definitions"`
	Positions   int `json:"positions"`
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

// contents are what a store keeps, apart from leases and statuses.
type contents struct {
	definitions []offsets.Definition
	positions   map[string]map[offsets.Partition]offsets.Position // by connector
}

func (c contents) end() exportEnd {
	end := exportEnd{Definitions: len(c.definitions)}
	for _, ps := range c.positions {
		end.Positions += len(ps)
	}
	return end
}

// readStore returns what a store keeps. A record that cannot be read is an
// error, never left out.
func readStore(ctx context.Context, store offsets.Store) (contents, error) {
	var c contents
	var err error
	if c.definitions, err = store.List(ctx); err != nil {
		return c, err
	}
	names, err := store.Connectors(ctx)
	if err != nil {
		return c, err
	}
	c.positions = make(map[string]map[offsets.Partition]offsets.Position)
	for _, name := range names {
		if c.positions[name], err = store.Load(ctx, name); err != nil {
			return c, err
		}
	}
	return c, nil
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
	end := c.end()
	errs = append(errs, e.Encode(transferLine{End: &end}), out.Flush())
	return errors.Join(errs...)
}

// readExport reads an export whole, and checks it, before anything is done
// with it.
func readExport(in io.Reader, name string) (contents, error) {
	c := contents{positions: make(map[string]map[offsets.Partition]offsets.Position)}
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
		case line.End != nil:
			ended = true
			if *line.End != c.end() {
				err = fmt.Errorf("it should have %d definitions and %d positions, and has %d and %d", line.End.Definitions, line.End.Positions, c.end().Definitions, c.end().Positions)
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
	for _, there := range []bool{line.State != nil, line.Definition != nil, line.Position != nil, line.End != nil} {
		if there {
			members++
		}
	}
	if _, err := d.Token(); members != 1 || !errors.Is(err, io.EOF) {
		return line, errors.New("not a line of an export: it should have one of omconnect_state, definition, position, end")
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

func (c *contents) addDefinition(d offsets.Definition) error {
	if err := d.Valid(); err != nil {
		return err
	}
	if slices.ContainsFunc(c.definitions, func(other offsets.Definition) bool { return other.Name == d.Name }) {
		return fmt.Errorf("connector %s is defined twice", d.Name)
	}
	c.definitions = append(c.definitions, d)
	return nil
}

func (c *contents) addPosition(line positionLine) error {
	partition, position := offsets.Partition(line.Partition), offsets.Position(line.Position)
	if line.Connector == "" {
		return errors.New("the position names no connector")
	}
	if err := offsets.ValidPositions(line.Connector, map[offsets.Partition]offsets.Position{partition: position}); err != nil {
		return err
	}
	ps := c.positions[line.Connector]
	if ps == nil {
		ps = make(map[offsets.Partition]offsets.Position)
		c.positions[line.Connector] = ps
	}
	if _, twice := ps[partition]; twice {
		return fmt.Errorf("connector %s has partition %s twice", line.Connector, partition)
	}
	ps[partition] = position
	return nil
}

// writeStore brings contents into a store. Positions come first: a definition
// may be run by a gateway as soon as it is there. What the store has already
// and is the same is left, so that an import that was cut short can be
// repeated; what differs is refused before anything is written, or replaced.
func writeStore(ctx context.Context, store offsets.Store, c contents, replace bool) error {
	there, err := readStore(ctx, store)
	if err != nil {
		return err
	}
	if differing := c.differing(there); len(differing) > 0 && !replace {
		return badUsage("the state has these connectors already, with other positions or configuration: %s; "+
			"import into an empty one, or overwrite them with --replace", strings.Join(differing, ", "))
	}
	for _, name := range slices.Sorted(maps.Keys(c.positions)) {
		if maps.Equal(there.positions[name], c.positions[name]) {
			continue
		}
		var gone []offsets.Partition
		for p := range there.positions[name] {
			if _, kept := c.positions[name][p]; !kept {
				gone = append(gone, p)
			}
		}
		if err := store.Alter(ctx, name, c.positions[name], gone); err != nil {
			return err
		}
	}
	for _, d := range c.definitions {
		old, found := there.definition(d.Name)
		if found && sameDefinition(old, d) {
			continue
		}
		d.Revision = old.Revision
		if _, err := store.Put(ctx, d); err != nil {
			return fmt.Errorf("connector %s: %w", d.Name, err)
		}
	}
	return nil
}

// differing returns the names of the connectors that the store has, and has
// otherwise.
func (c contents) differing(there contents) []string {
	var names []string
	for name, ps := range c.positions {
		if len(there.positions[name]) > 0 && !maps.Equal(there.positions[name], ps) {
			names = append(names, name)
		}
	}
	for _, d := range c.definitions {
		if old, found := there.definition(d.Name); found && !sameDefinition(old, d) {
			names = append(names, d.Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func (c contents) definition(name string) (offsets.Definition, bool) {
	for _, d := range c.definitions {
		if d.Name == name {
			return d, true
		}
	}
	return offsets.Definition{}, false
}

// sameDefinition compares what the user wants of a connector.
func sameDefinition(a, b offsets.Definition) bool {
	return maps.Equal(a.Config, b.Config) && a.Target == b.Target && a.Deleted == b.Deleted && a.Origin == b.Origin && a.BrokerID == b.BrokerID
}
