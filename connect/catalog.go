package connect

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/omconnect/omconnect/offsets"
	"github.com/omconnect/omconnect/oms"
)

// A Catalog is the list of connectors as their users see it: it checks
// definitions and writes them to the store, and reads what the runtimes say of
// them. Nothing here runs a connector. It is safe for concurrent use.
type Catalog struct {
	store   offsets.Store
	plugins *Plugins
	brokers *Brokers
	logger  *slog.Logger
}

// NewCatalog returns a catalog of what the store has.
func NewCatalog(store offsets.Store, plugins *Plugins, brokers *Brokers, logger *slog.Logger) *Catalog {
	return &Catalog{store: store, plugins: plugins, brokers: brokers, logger: logger}
}

// A Request asks for a connector.
type Request struct {
	Name   string
	Config oms.KeyValue   // with or without the key name
	Target offsets.Target // TargetRunning if empty
	Origin string         // offsets.OriginAPI if empty, else file:line
}

// An Info is a connector as it is defined.
type Info struct {
	Name   string
	Kind   Kind // "" when no plugin of this gateway has its class
	Config oms.KeyValue
	Target offsets.Target
	Origin string
	Tasks  int // that run or are to run; 0 until the runtime has planned them
}

// Validate returns everything that is wrong with a request: oms.KeyErrors with
// all problems, ErrNotFound for an unknown class, ErrUnsupported for a
// capability that the broker lacks. It asks neither store nor broker.
func (c *Catalog) Validate(req Request) error {
	_, err := c.definition(req)
	return err
}

// definition checks a request and turns it into a definition.
func (c *Catalog) definition(req Request) (offsets.Definition, error) {
	var problems oms.KeyErrors
	if err := ValidName(req.Name); err != nil {
		problems = append(problems, oms.KeyError{Key: "name", Problem: err.Error()})
	} else if given, ok := req.Config["name"]; ok && given != req.Name {
		problems = append(problems, oms.KeyError{Key: "name", Problem: fmt.Sprintf("connector name configuration (%.100s) doesn't match connector name in the URL (%s)", given, req.Name)})
	}
	config := req.Config.Clone()
	if config == nil {
		config = oms.KeyValue{}
	}
	config["name"] = req.Name
	def := offsets.Definition{Name: req.Name, Config: config, Target: req.Target, Origin: req.Origin}
	if def.Target == "" {
		def.Target = offsets.TargetRunning
	}
	if def.Origin == "" {
		def.Origin = offsets.OriginAPI
	}
	class, ok := config["connector.class"]
	if !ok {
		problems = append(problems, oms.KeyError{Key: "connector.class", Problem: "missing: this key is required; one of " + strings.Join(c.plugins.byClass.Names(), ", ")})
		return def, problems
	}
	p, err := c.plugins.Lookup(class)
	if err != nil {
		problems = append(problems, oms.KeyError{Key: "connector.class", Problem: fmt.Sprintf(
			"Failed to find any class that implements Connector and which name matches %.100s, available connectors are: %s", class, strings.Join(c.plugins.byClass.Names(), ", "))})
		return def, problems
	}
	rest, warnings, refused := foreign(config)
	problems = append(problems, refused...)
	rest, ignored, wrongChain := checkChain(c.plugins, p.Kind, rest)
	warnings, problems = append(warnings, ignored...), append(problems, wrongChain...)
	if broker, ok := rest["broker"]; ok {
		if _, err := c.brokers.check(broker); err != nil {
			problems = append(problems, oms.KeyError{Key: "broker", Problem: err.Error()})
		}
	}
	problems = append(problems, c.checkTopics(p, config)...)
	if err := definition(p).Validate(rest); err != nil {
		wrong, ok := errors.AsType[oms.KeyErrors](err)
		if !ok {
			return def, err
		}
		problems = append(problems, wrong...)
	}
	if len(problems) > 0 {
		slices.SortStableFunc(problems, func(a, b oms.KeyError) int { return strings.Compare(a.Key, b.Key) })
		return def, slices.CompactFunc(problems, func(a, b oms.KeyError) bool { return a == b })
	}
	notes, err := c.checkBeside(p, config)
	if err != nil {
		return def, err
	}
	for _, n := range notes {
		c.logger.Warn("about the brokers of a connector", "connector", req.Name, "note", n)
	}
	for _, w := range warnings {
		c.logger.Warn("configuration key ignored", "connector", req.Name, "warning", w)
	}
	return def, c.checkNeeds(p, rest)
}

// checkNeeds checks the guarantees and operations that a configuration needs
// against the driver of its broker.
func (c *Catalog) checkNeeds(p Plugin, config oms.KeyValue) error {
	broker := config["broker"]
	caps, err := c.brokers.Capabilities(broker)
	if err != nil {
		return err
	}
	var needs []oms.Need
	if p.Kind == KindSink && config[keyTopicsRegex] != "" {
		needs = append(needs, oms.Need{Capability: oms.Groups, Key: keyTopicsRegex}, oms.Need{Capability: oms.CreateTopic, Key: keyTopicsRegex}) // who may make topics may list them
	} else if p.Kind == KindSink {
		needs = append(needs, oms.Need{Capability: oms.Groups, Key: keyTopics})
	}
	if p.Kind == KindSink && config[OutOfRange] == OutOfRangeLatest {
		needs = append(needs, oms.Need{Capability: oms.OffsetForTime, Key: OutOfRange})
	}
	if p.Needs != nil {
		needs = append(needs, p.Needs(p.Def.Complete(config))...)
	}
	return caps.Check(displayName(broker), needs)
}

// Create defines a new connector. ErrExists when there is one of that name.
func (c *Catalog) Create(ctx context.Context, req Request) (Info, error) {
	def, err := c.definition(req)
	if err != nil {
		return Info{}, err
	}
	if _, err := c.store.Put(ctx, def); err != nil {
		if errors.Is(err, oms.ErrExists) {
			return Info{}, &oms.Error{Op: "create", Code: oms.ErrExists, Err: fmt.Errorf("connector %s already exists", req.Name)}
		}
		return Info{}, err
	}
	c.ensureGroup(ctx, def)
	return c.info(def, nil), nil
}

// ensureGroup makes the groups that a connector reads as right when it is
// defined, so that it misses no message that is sent from now on. Where the
// broker is away now, the runtime does it before it or a source starts.
func (c *Catalog) ensureGroup(ctx context.Context, def offsets.Definition) {
	const patience = 5 * time.Second
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for _, r := range readings(c.plugins, def) {
		if err := ensureReading(ctx, c.store, c.plugins, c.brokers, r); err != nil {
			c.logger.Warn("the connector's group is not there yet", "connector", def.Name, "group", r.Group, "error", err)
		}
	}
}

// List returns all connectors, sorted by name.
func (c *Catalog) List(ctx context.Context) ([]Info, error) {
	defs, err := c.store.List(ctx)
	if err != nil {
		return nil, err
	}
	statuses, err := c.store.Statuses(ctx)
	if err != nil {
		return nil, err
	}
	infos := []Info{}
	for _, d := range defs {
		if !d.Deleted {
			infos = append(infos, c.info(d, statuses))
		}
	}
	return infos, nil
}

// Get returns a connector, or ErrNotFound.
func (c *Catalog) Get(ctx context.Context, name string) (Info, error) {
	infos, err := c.List(ctx)
	if err != nil {
		return Info{}, err
	}
	i := slices.IndexFunc(infos, func(in Info) bool { return in.Name == name })
	if i < 0 {
		return Info{}, notFound(name)
	}
	return infos[i], nil
}

func (c *Catalog) info(d offsets.Definition, statuses []offsets.Status) Info {
	in := Info{Name: d.Name, Config: d.Config, Target: d.Target, Origin: d.Origin}
	if p, err := c.plugins.Lookup(d.Config["connector.class"]); err == nil {
		in.Kind = p.Kind
	}
	for _, s := range statuses {
		if s.Connector == d.Name && s.Task != offsets.ConnectorTask {
			in.Tasks++
		}
	}
	return in
}

// Pause has a connector stop reading and keep what is costly.
func (c *Catalog) Pause(ctx context.Context, name string) error {
	return c.change(ctx, name, func(d *offsets.Definition) { d.Target = offsets.TargetPaused })
}

// Resume has a connector run again; one that is to run already and has failed
// starts at once.
func (c *Catalog) Resume(ctx context.Context, name string) error {
	s, err := c.Status(ctx, name)
	if err != nil {
		return err
	}
	return c.change(ctx, name, func(d *offsets.Definition) {
		if d.Target == offsets.TargetRunning && (s.State == Failed || s.State == Retrying) {
			d.Restarts++
		}
		d.Target = offsets.TargetRunning
	})
}

// Stop has a connector release everything.
func (c *Catalog) Stop(ctx context.Context, name string) error {
	return c.change(ctx, name, func(d *offsets.Definition) { d.Target = offsets.TargetStopped })
}

// Restart has a connector start anew from its positions.
func (c *Catalog) Restart(ctx context.Context, name string) error {
	return c.change(ctx, name, func(d *offsets.Definition) { d.Restarts++ })
}

// Delete removes a connector; its positions stay. A connector that a file
// defines is refused with ErrHeld.
func (c *Catalog) Delete(ctx context.Context, name string) error {
	var owner string
	err := c.change(ctx, name, func(d *offsets.Definition) {
		if owner = d.Origin; owner == offsets.OriginAPI {
			d.Deleted = true
		}
	})
	if err == nil && owner != offsets.OriginAPI {
		return &oms.Error{Op: "delete", Target: name, Code: oms.ErrHeld, Err: fmt.Errorf("the connector is defined in %s; take it out there and start the gateway again", owner)}
	}
	return err
}

// change changes a definition by compare-and-set.
func (c *Catalog) change(ctx context.Context, name string, edit func(*offsets.Definition)) error {
	const tries = 20 // each lost to somebody else's change
	var err error
	for range tries {
		var defs []offsets.Definition
		if defs, err = c.store.List(ctx); err != nil {
			return err
		}
		i := slices.IndexFunc(defs, func(d offsets.Definition) bool { return d.Name == name && !d.Deleted })
		if i < 0 {
			return notFound(name)
		}
		before := defs[i]
		edit(&defs[i])
		if d := defs[i]; d.Target == before.Target && d.Restarts == before.Restarts && d.Deleted == before.Deleted {
			return nil
		}
		if _, err = c.store.Put(ctx, defs[i]); !errors.Is(err, oms.ErrAborted) {
			return err
		}
	}
	return err
}

func notFound(name string) error {
	return &oms.Error{Op: "find", Code: oms.ErrNotFound, Err: fmt.Errorf("connector %s not found", name)}
}
