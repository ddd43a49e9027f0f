package redis

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/google/uuid"

	"github.com/omconnect/omconnect/offsets"
	"github.com/omconnect/omconnect/oms"
)

// List implements offsets.Definitions.
func (s *Store) List(ctx context.Context) ([]offsets.Definition, error) {
	if err := s.enter(ctx, opList, ""); err != nil {
		return nil, err
	}
	list, broken, err := s.definitions(ctx)
	for _, name := range slices.Sorted(maps.Keys(broken)) {
		return nil, broken[name]
	}
	return list, err
}

const opList = "list definitions"

// definitions reads them all, and tells apart those that cannot be read.
func (s *Store) definitions(ctx context.Context) (list []offsets.Definition, broken map[string]error, err error) {
	records, err := s.client.HGetAll(ctx, s.keys.defs()).Result()
	if err != nil {
		return nil, nil, s.fail(ctx, opList, "", err)
	}
	broken = make(map[string]error)
	for _, name := range slices.Sorted(maps.Keys(records)) {
		d, err := offsets.UnmarshalDefinition(name, []byte(records[name]))
		if err != nil {
			broken[name] = s.fail(ctx, opList, name, err)
			continue
		}
		list = append(list, d)
	}
	return list, broken, nil
}

// Put implements offsets.Definitions.
func (s *Store) Put(ctx context.Context, d offsets.Definition) (int64, error) {
	const op = "put definition"
	if err := d.Valid(); err != nil {
		return 0, s.fail(ctx, op, d.Name, err)
	}
	if err := s.enter(ctx, op, d.Name); err != nil {
		return 0, err
	}
	record, err := openRecord(d)
	if err != nil {
		return 0, s.fail(ctx, op, d.Name, err)
	}
	value, err := s.write(ctx, scriptPut, s.definitionKeys(), d.Name, d.Revision, uuid.NewString(), record)
	if err != nil {
		return 0, s.fail(ctx, op, d.Name, explainBroken(d.Name, value, err))
	}
	revision, err := strconv.ParseInt(value, 10, 64)
	if err != nil {
		err = fmt.Errorf("%w: %q is not a revision", oms.ErrFormat, value)
	}
	return revision, s.fail(ctx, op, d.Name, err)
}

func (s *Store) definitionKeys() []string { return []string{s.keys.meta(), s.keys.defs()} }

// openRecord returns the record of a definition up to where its revision
// belongs, which the script adds with what ends it.
func openRecord(d offsets.Definition) ([]byte, error) {
	d.Revision = 0
	record, err := offsets.MarshalDefinition(d)
	if err != nil {
		return nil, err
	}
	record, ok := bytes.CutSuffix(record, []byte(`"revision":0}`))
	if !ok {
		return nil, errors.New("the revision is not the last of a definition's fields")
	}
	return append(record, `"revision":`...), nil
}

// explainBroken says what is wrong with a stored record that a script could
// not read.
func explainBroken(name, record string, err error) error {
	if oms.CodeOf(err) != oms.ErrFormat {
		return err
	}
	if _, reason := offsets.UnmarshalDefinition(name, []byte(record)); reason != nil {
		return reason
	}
	return err
}

// Remove implements offsets.Definitions. In a cluster the positions are not
// where the definition is, and go first: when the gateway dies in between, the
// definition is still there to be removed again.
func (s *Store) Remove(ctx context.Context, name string, revision int64, keepPositions bool) error {
	const op = "remove definition"
	if err := s.enter(ctx, op, name); err != nil {
		return err
	}
	keep := 0
	if keepPositions {
		keep = 1
	}
	ks := s.definitionKeys()
	data := []string{s.keys.positions(name), s.keys.status(name)}
	if s.config.Mode == Cluster {
		value, err := s.run(ctx, scriptRemove, ks, name, revision, keep, 0)
		if err == nil {
			value, err = s.write(ctx, scriptDrop, data, keep)
		}
		if err != nil {
			return s.fail(ctx, op, name, explainBroken(name, value, err))
		}
	} else {
		ks = append(ks, data...)
	}
	value, err := s.write(ctx, scriptRemove, ks, name, revision, keep, 1)
	return s.fail(ctx, op, name, explainBroken(name, value, err))
}
