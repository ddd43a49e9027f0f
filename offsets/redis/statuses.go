package redis

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/omconnect/omconnect/offsets"
	"github.com/omconnect/omconnect/oms"
)

// Publish implements offsets.Statuses. Its time is the server's.
func (s *Store) Publish(ctx context.Context, st offsets.Status, ttl time.Duration) error {
	const op = "publish status"
	target := offsets.Owner{Connector: st.Connector, Task: st.Task}.String()
	if err := s.enter(ctx, op, target); err != nil {
		return err
	}
	record, err := json.Marshal(st)
	if err == nil {
		_, err = s.run(ctx, scriptPublish, []string{s.keys.status(st.Connector)}, st.Task, ttl.Milliseconds(), record)
	}
	return s.fail(ctx, op, target, err)
}

// Withdraw implements offsets.Statuses.
func (s *Store) Withdraw(ctx context.Context, connector string, task int) error {
	const op = "withdraw status"
	if err := s.enter(ctx, op, connector); err != nil {
		return err
	}
	_, err := s.run(ctx, scriptWithdraw, []string{s.keys.status(connector)}, task)
	return s.fail(ctx, op, connector, err)
}

// Statuses implements offsets.Statuses, for the connectors that are defined.
func (s *Store) Statuses(ctx context.Context) ([]offsets.Status, error) {
	const op = "list statuses"
	if err := s.enter(ctx, op, ""); err != nil {
		return nil, err
	}
	names, err := s.client.HKeys(ctx, s.keys.defs()).Result()
	if err != nil {
		return nil, s.fail(ctx, op, "", err)
	}
	list := make([]offsets.Status, 0, len(names))
	for chunk := range slices.Chunk(names, 500) {
		if list, err = s.appendStatuses(ctx, list, chunk); err != nil {
			return nil, s.fail(ctx, op, "", err)
		}
	}
	offsets.SortStatuses(list)
	return list, nil
}

func (s *Store) appendStatuses(ctx context.Context, list []offsets.Status, names []string) ([]offsets.Status, error) {
	pipe := s.client.Pipeline()
	now := pipe.Time(ctx)
	found := make([]*goredis.MapStringStringCmd, len(names))
	for i, name := range names {
		found[i] = pipe.HGetAll(ctx, s.keys.status(name))
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return nil, err
	}
	for i, name := range names {
		for task, value := range found[i].Val() {
			st, until, err := parseStatus(value)
			if err != nil {
				return nil, fmt.Errorf("%w: the status of %s/%s: %w", oms.ErrFormat, name, task, err)
			}
			if now.Val().Before(until) {
				list = append(list, st)
			}
		}
	}
	return list, nil
}

// parseStatus reads what Publish has stored: until when, in milliseconds, and
// the status.
func parseStatus(value string) (st offsets.Status, until time.Time, err error) {
	ms, record, _ := strings.Cut(value, " ")
	n, err := strconv.ParseInt(ms, 10, 64)
	if err == nil {
		err = json.Unmarshal([]byte(record), &st)
	}
	return st, time.UnixMilli(n), err
}
