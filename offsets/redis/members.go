package redis

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/omconnect/omconnect/oms"
)

// A Member is a gateway that uses the store.
type Member struct {
	ID      string `json:"id"`              // the same after a restart
	Address string `json:"address"`         // where its API answers
	Version string `json:"version"`         // of the program
	Local   string `json:"local,omitempty"` // the broker that only this gateway reaches; "" when it has none
}

// Join notes that a gateway is there until ttl has passed by the server's
// clock, or the next Join of the same ID, and returns the others that are. A
// member with a Local broker must be alone: where two would meet of which one
// has one, Join notes nothing, and returns the others and ErrHeld.
func (s *Store) Join(ctx context.Context, m Member, ttl time.Duration) (others []Member, err error) {
	const op = "join members"
	if m.ID == "" || ttl < time.Millisecond {
		return nil, s.fail(ctx, op, m.ID, fmt.Errorf("%w: a member needs an id and a time to live", oms.ErrInvalid))
	}
	if err := s.enter(ctx, op, m.ID); err != nil {
		return nil, err
	}
	record, err := json.Marshal(m)
	if err != nil {
		return nil, s.fail(ctx, op, m.ID, err)
	}
	local := 0
	if m.Local != "" {
		local = 1
	}
	list, err := s.run(ctx, scriptJoin, []string{s.keys.members()}, m.ID, record, ttl.Milliseconds(), local)
	if err != nil && !errors.Is(err, oms.ErrHeld) {
		return nil, s.fail(ctx, op, m.ID, err)
	}
	others, broken := parseMembers(list)
	if broken != nil {
		return nil, s.fail(ctx, op, m.ID, broken)
	}
	if err != nil {
		err = fmt.Errorf("%w: a broker of one gateway's own and another gateway do not go together", oms.ErrHeld)
	}
	return others, s.fail(ctx, op, m.ID, err)
}

// parseMembers reads the others as the script lists them: a JSON list of
// records, or nothing.
func parseMembers(list string) (ms []Member, err error) {
	if list == "" {
		return nil, nil
	}
	var records []string
	if err := json.Unmarshal([]byte(list), &records); err != nil {
		return nil, fmt.Errorf("%w: the list of members: %w", oms.ErrFormat, err)
	}
	for _, record := range records {
		var m Member
		if err := json.Unmarshal([]byte(record), &m); err != nil {
			return nil, fmt.Errorf("%w: the record of a member: %w", oms.ErrFormat, err)
		}
		ms = append(ms, m)
	}
	return ms, nil
}

// Leave notes that a gateway is gone. One that is not there is not an error.
func (s *Store) Leave(ctx context.Context, id string) error {
	const op = "leave members"
	if err := s.enter(ctx, op, id); err != nil {
		return err
	}
	return s.fail(ctx, op, id, s.client.HDel(ctx, s.keys.members(), id).Err())
}

// Keys: members. Arguments: id, record, ttl in ms, 1 for a local broker.
//
// A member's value is until when it counts, in ms, whether it has a local
// broker, and its record. One that counts for longer than a ttl was noted
// before the server's clock was set back.
var scriptJoin = script(`
local now = redis.call('TIME')
now = now[1] * 1000 + math.floor(now[2] / 1000)
local ttl = tonumber(ARGV[3])
local others, refused = {}, false
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
	if all[i] ~= ARGV[1] then
		local expiry, alone, record = string.match(all[i + 1], '^(%d+) ([01]) (.*)$')
		if not expiry or tonumber(expiry) <= now then
			redis.call('HDEL', KEYS[1], all[i])
		else
			if tonumber(expiry) > now + ttl then
				redis.call('HSET', KEYS[1], all[i], string.format('%.0f %s %s', now + ttl, alone, record))
			end
			others[#others + 1] = record
			refused = refused or alone == '1' or ARGV[4] == '1'
		end
	end
end
local list = ''
if #others > 0 then
	list = cjson.encode(others)
end
if refused then
	return {'HELD', list}
end
redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f %s %s', now + ttl, ARGV[4], ARGV[2]))
redis.call('PEXPIRE', KEYS[1], ttl)
return {'OK', list}`)
