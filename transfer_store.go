package omconnect

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/omconnect/omconnect/offsets"
)

// contents are what a store keeps, apart from leases and statuses.
type contents struct {
	definitions []offsets.Definition
	positions   map[string]map[offsets.Partition]offsets.Position // by connector
	brokers     map[string]string                                 // that they belong to, by connector
}

func newContents() contents {
	return contents{positions: make(map[string]map[offsets.Partition]offsets.Position), brokers: make(map[string]string)}
}

// names returns the connectors that anything is known of, in order.
func (c contents) names() []string {
	names := slices.AppendSeq(slices.Collect(maps.Keys(c.positions)), maps.Keys(c.brokers))
	for _, d := range c.definitions {
		names = append(names, d.Name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func (c contents) end() exportEnd {
	end := exportEnd{Definitions: len(c.definitions), Brokers: len(c.brokers)}
	for _, ps := range c.positions {
		end.Positions += len(ps)
	}
	return end
}

// readStore returns what a store keeps. A record that cannot be read is an
// error, never left out.
func readStore(ctx context.Context, store offsets.Store) (contents, error) {
	c := newContents()
	var err error
	if c.definitions, err = store.List(ctx); err != nil {
		return c, err
	}
	names, err := store.Connectors(ctx)
	if err != nil {
		return c, err
	}
	for _, name := range names {
		if c.positions[name], err = store.Load(ctx, name); err != nil {
			return c, err
		}
	}
	return c, c.readBrokers(ctx, store, c.names())
}

// readBrokers adds the brokers that a store has noted for the connectors.
func (c contents) readBrokers(ctx context.Context, store offsets.Store, names []string) error {
	for _, name := range names {
		id, err := store.Broker(ctx, name)
		if err != nil {
			return err
		}
		if id != "" {
			c.brokers[name] = id
		}
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

func (c *contents) addBroker(line brokerLine) error {
	switch {
	case line.Connector == "":
		return errors.New("the broker names no connector")
	case line.ID == "":
		return fmt.Errorf("the broker of connector %s has no id", line.Connector)
	case c.brokers[line.Connector] != "":
		return fmt.Errorf("connector %s has a broker twice", line.Connector)
	}
	c.brokers[line.Connector] = line.ID
	return nil
}

// writeStore brings contents into a store. Positions and their brokers come
// first: a definition may be run by a gateway as soon as it is there. What the
// store has already and is the same is left, so that an import that was cut
// short can be repeated; what differs is refused before anything is written, or
// replaced.
func writeStore(ctx context.Context, store offsets.Store, c contents, replace bool) error {
	there, err := readStore(ctx, store)
	if err != nil {
		return err
	}
	// It may know the broker of what has neither definition nor positions there.
	if err := there.readBrokers(ctx, store, c.names()); err != nil {
		return err
	}
	if differing := c.differing(there); len(differing) > 0 && !replace {
		return badUsage("the state has these connectors already, with other positions, of another broker, or with another configuration: %s; "+
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
	for _, name := range c.names() {
		if there.brokers[name] == c.brokers[name] {
			continue
		}
		if err := store.Adopt(ctx, name, there.brokers[name], c.brokers[name], false); err != nil {
			return fmt.Errorf("connector %s: %w", name, err)
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
// otherwise. What it knows no positions or no broker of is not different.
func (c contents) differing(there contents) []string {
	var names []string
	for name, ps := range c.positions {
		if len(there.positions[name]) > 0 && !maps.Equal(there.positions[name], ps) {
			names = append(names, name)
		}
	}
	for _, name := range c.names() {
		if noted := there.brokers[name]; noted != "" && noted != c.brokers[name] {
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
	return maps.Equal(a.Config, b.Config) && a.Target == b.Target && a.Deleted == b.Deleted && a.Origin == b.Origin
}
