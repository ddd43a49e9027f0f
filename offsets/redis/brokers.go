package redis

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	goredis "github.com/redis/go-redis/v9"

	"github.com/omconnect/omconnect/offsets"
	"github.com/omconnect/omconnect/oms"
)

// Keys: positions. Arguments: the broker that should be noted, or nothing; the
// record of the new one, or nothing; a uuid of this call; 1 to forget.
var scriptAdopt = script(`
if redis.call('HGET', KEYS[1], '!adopted') == ARGV[3] then
	-- The same call again. It writes, so that there is something to wait for.
	redis.call('HSET', KEYS[1], '!adopted', ARGV[3])
	return {'OK', ''}
end
local noted = ''
local record = redis.call('HGET', KEYS[1], '!broker')
if record then
	local ok, b = pcall(cjson.decode, record)
	if not ok or type(b) ~= 'table' or b.v ~= 1 or type(b.id) ~= 'string' or b.id == '' then
		return {'BROKEN', record}
	end
	noted = b.id
end
if noted ~= ARGV[1] then
	return {'OTHER', noted}
end
if ARGV[4] == '1' and redis.call('HEXISTS', KEYS[1], '!rev') == 1 then
	redis.call('HINCRBY', KEYS[1], '!rev', 1)
	revoke(KEYS[1])
	local partitions = {}
	for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
		if string.sub(field, 1, 1) ~= '!' then
			table.insert(partitions, field)
		end
	end
	chunked('HDEL', KEYS[1], partitions, 1, #partitions)
end
if ARGV[2] == '' then
	redis.call('HDEL', KEYS[1], '!broker')
else
	redis.call('HSET', KEYS[1], '!broker', ARGV[2])
end
redis.call('HSET', KEYS[1], '!adopted', ARGV[3])
return {'OK', ''}`)

// Broker implements offsets.Positions.
func (s *Store) Broker(ctx context.Context, connector string) (string, error) {
	const op = "ask for the broker of positions"
	if err := s.enter(ctx, op, connector); err != nil {
		return "", err
	}
	record, err := s.client.HGet(ctx, s.keys.positions(connector), "!broker").Result()
	if errors.Is(err, goredis.Nil) {
		return "", nil
	}
	var id string
	if err == nil {
		id, err = decodeBroker(connector, record)
	}
	return id, s.fail(ctx, op, connector, err)
}

func decodeBroker(connector, record string) (string, error) {
	id, err := offsets.UnmarshalBroker([]byte(record))
	if err != nil {
		err = fmt.Errorf("the broker of connector %s: %w", connector, err)
	}
	return id, err
}

// Adopt implements offsets.Positions.
func (s *Store) Adopt(ctx context.Context, connector, from, to string, forget bool) error {
	const op = "note the broker of positions"
	if err := offsets.ValidAdoption(connector, to); err != nil {
		return s.fail(ctx, op, connector, err)
	}
	if err := s.enter(ctx, op, connector); err != nil {
		return err
	}
	args := []any{from, "", uuid.NewString(), 0}
	if to != "" {
		record, err := offsets.MarshalBroker(to)
		if err != nil {
			return s.fail(ctx, op, connector, err)
		}
		args[1] = record
	}
	if forget {
		args[3] = 1
	}
	value, err := s.write(ctx, scriptAdopt, []string{s.keys.positions(connector)}, args...)
	if oms.CodeOf(err) == oms.ErrFormat && value != "" {
		if _, reason := decodeBroker(connector, value); reason != nil {
			err = reason
		}
	}
	return s.fail(ctx, op, connector, err)
}
