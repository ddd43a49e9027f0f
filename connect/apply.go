package connect

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/omconnect/omconnect/offsets"
	"github.com/omconnect/omconnect/oms"
)

// Apply makes the definitions of a file true: it creates those that are new,
// updates those whose configuration differs, leaves targets as they are, and
// drops, with their positions kept, those that an earlier version of a file
// had and no request names. Everything that is wrong with any of them is told
// at once, before anything is written. It is called before a runtime runs.
func (c *Catalog) Apply(ctx context.Context, reqs []Request) error {
	stored, err := c.store.List(ctx)
	if err != nil {
		return err
	}
	have := make(map[string]offsets.Definition)
	for _, d := range stored {
		have[d.Name] = d
	}
	want := make(map[string]offsets.Definition)
	var errs []error
	for _, req := range reqs {
		def, err := c.definition(req)
		if old, there := have[req.Name]; err == nil && there && old.Origin == offsets.OriginAPI && !old.Deleted {
			err = &oms.Error{Op: "define", Code: oms.ErrExists, Err: errors.New("a connector of that name was created over REST; delete that one, or name this one differently")}
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("connector %s (%s): %w", req.Name, req.Origin, err))
		}
		want[req.Name] = def
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	for _, old := range stored {
		if _, wanted := want[old.Name]; wanted || old.Deleted || old.Origin == offsets.OriginAPI {
			continue
		}
		c.logger.Info("connector dropped: its file no longer has it; its positions are kept", "connector", old.Name, "file", old.Origin)
		if err := c.store.Remove(ctx, old.Name, old.Revision, true); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if err := c.put(ctx, have[name], want[name]); err != nil {
			return err
		}
	}
	return nil
}

// put makes one definition of a file true, given the stored one, which may be
// the zero Definition.
func (c *Catalog) put(ctx context.Context, old, def offsets.Definition) error {
	if old.Deleted { // over REST, before the file had it
		if err := c.store.Remove(ctx, old.Name, old.Revision, true); err != nil {
			return err
		}
		old = offsets.Definition{}
	}
	if old.Revision > 0 {
		if maps.Equal(def.Config, old.Config) && def.Origin == old.Origin {
			return nil
		}
		old.Config, old.Origin = def.Config, def.Origin
		def = old
	}
	_, err := c.store.Put(ctx, def)
	return err
}
