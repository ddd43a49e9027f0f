package redis

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/omconnect/omconnect/offsets"
	"github.com/omconnect/omconnect/oms"
)

// scanCount is how many fields the server looks at for one answer.
const scanCount = 1000

// Load implements offsets.Positions. It reads in several steps: positions
// that are committed meanwhile are there as they were, or as they are.
func (s *Store) Load(ctx context.Context, connector string) (map[offsets.Partition]offsets.Position, error) {
	const op = "load positions"
	if err := s.enter(ctx, op, connector); err != nil {
		return nil, err
	}
	ps := make(map[offsets.Partition]offsets.Position)
	var cursor uint64
	for {
		fields, next, err := s.client.HScan(ctx, s.keys.positions(connector), cursor, "", scanCount).Result()
		if err == nil {
			err = collect(ps, connector, fields)
		}
		if err != nil {
			return nil, s.fail(ctx, op, connector, err)
		}
		if cursor = next; cursor == 0 {
			return ps, nil
		}
	}
}

// Connectors implements offsets.Positions. It looks through all keys of the
// server, so it is for rare occasions.
func (s *Store) Connectors(ctx context.Context) ([]string, error) {
	const op = "list connectors with positions"
	if err := s.enter(ctx, op, ""); err != nil {
		return nil, err
	}
	var mu sync.Mutex
	found := make(map[string]bool) // a scan may tell a key twice
	look := func(ctx context.Context, node goredis.Cmdable) error {
		keys := node.Scan(ctx, 0, s.keys.allPositions(), scanCount).Iterator()
		for keys.Next(ctx) {
			mu.Lock()
			if name, ok := s.keys.connectorOf(keys.Val()); ok {
				found[name] = true
			}
			mu.Unlock()
		}
		return keys.Err()
	}
	var err error
	if cluster, ok := s.client.(*goredis.ClusterClient); ok {
		err = cluster.ForEachMaster(ctx, func(ctx context.Context, node *goredis.Client) error { return look(ctx, node) })
	} else {
		err = look(ctx, s.client)
	}
	if err != nil {
		return nil, s.fail(ctx, op, "", err)
	}
	var names []string
	for _, name := range slices.Sorted(maps.Keys(found)) {
		ps, err := s.Load(ctx, name)
		if err != nil && !errors.Is(err, oms.ErrFormat) { // what cannot be read is there
			return nil, err
		}
		if err != nil || len(ps) > 0 {
			names = append(names, name)
		}
	}
	return names, nil
}

// collect adds the positions among fields and values in turn to ps.
func collect(ps map[offsets.Partition]offsets.Position, connector string, fields []string) error {
	for i := 0; i+1 < len(fields); i += 2 {
		if strings.HasPrefix(fields[i], "!") {
			continue // not a partition: those are JSON objects
		}
		p, err := offsets.UnmarshalPosition([]byte(fields[i+1]))
		if err != nil {
			return fmt.Errorf("connector %s, partition %s: %w", connector, fields[i], err)
		}
		ps[offsets.Partition(fields[i])] = p
	}
	return nil
}

// Commit implements offsets.Positions.
func (s *Store) Commit(ctx context.Context, l offsets.Lease, ps map[offsets.Partition]offsets.Position) error {
	const op = "commit positions"
	target := l.Owner.String()
	if err := offsets.ValidPositions(l.Owner.Connector, ps); err != nil {
		return s.fail(ctx, op, target, err)
	}
	if err := s.enter(ctx, op, target); err != nil {
		return err
	}
	args := appendRecords([]any{l.Owner.Task, l.Token}, ps)
	_, err := s.write(ctx, scriptCommit, []string{s.keys.positions(l.Owner.Connector)}, args...)
	return s.fail(ctx, op, target, err)
}

func appendRecords(args []any, ps map[offsets.Partition]offsets.Position) []any {
	now := time.Now()
	for partition, p := range ps {
		args = append(args, string(partition), offsets.MarshalPosition(p, now))
	}
	return args
}

// Alter implements offsets.Positions.
func (s *Store) Alter(ctx context.Context, connector string, set map[offsets.Partition]offsets.Position, del []offsets.Partition) error {
	const op = "alter positions"
	err := offsets.ValidPositions(connector, set)
	if connector == "" {
		err = fmt.Errorf("%w: the connector has no name", oms.ErrInvalid)
	}
	if err != nil {
		return s.fail(ctx, op, connector, err)
	}
	if err := s.enter(ctx, op, connector); err != nil {
		return err
	}
	args := []any{len(del)}
	for _, partition := range del {
		if partition.Valid() == nil { // others cannot be stored, and must not meet !owner
			args = append(args, string(partition))
		}
	}
	args[0] = len(args) - 1
	_, err = s.write(ctx, scriptAlter, []string{s.keys.positions(connector)}, appendRecords(args, set)...)
	return s.fail(ctx, op, connector, err)
}
