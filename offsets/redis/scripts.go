package redis

import (
	"context"
	"errors"
	"fmt"

	goredis "github.com/redis/go-redis/v9"

	"github.com/omconnect/omconnect/offsets"
	"github.com/omconnect/omconnect/oms"
)

// The scripts answer with a word and what belongs to it. Each reads and writes
// as one step, and may be sent twice: the second time changes nothing that
// matters.
const (
	answerOK      = "OK"      // and a token or a revision
	answerHeld    = "HELD"    // and the holder
	answerFenced  = "FENCED"  // and the holder, if there is one
	answerLost    = "LOST"    // the connector is not known
	answerExists  = "EXISTS"  // such a definition
	answerAborted = "ABORTED" // and the stored revision, or nothing
	answerOther   = "OTHER"   // and the broker that is noted, or nothing
	answerBroken  = "BROKEN"  // and the stored record, which cannot be read
)

// common are functions for several scripts.
const common = `
local function epoch(token)
	local n = string.match(token or '', '^(%d+):')
	return tonumber(n) or 0
end
-- owned tells whether the token is the task's.
local function owned(pos, task, token)
	local owner = redis.call('HGET', pos, '!owner:' .. task)
	if owner and token ~= '' and owner == token then
		return nil
	end
	if redis.call('HEXISTS', pos, '!rev') == 0 then
		return {'LOST'}
	end
	return {'FENCED', redis.call('HGET', pos, '!holder:' .. task) or ''}
end
local function vacate(pos, task)
	local field = '!owner:' .. task
	local owner = redis.call('HGET', pos, field)
	if owner then
		redis.call('HSET', pos, field, string.format('%.0f:', epoch(owner) + 1))
		redis.call('HDEL', pos, '!holder:' .. task)
	end
end
local function revoke(pos)
	for task = 0, (tonumber(redis.call('HGET', pos, '!tasks')) or 0) - 1 do
		vacate(pos, string.format('%.0f', task))
	end
end
-- chunked calls command with from..to of list, some at a time: Lua can hand
-- over a few thousand at once.
local function chunked(command, key, list, from, to)
	for i = from, to, 1000 do
		redis.call(command, key, unpack(list, i, math.min(i + 999, to)))
	end
end
local function drop(pos, status, keep)
	if keep == '1' then
		if redis.call('EXISTS', pos) == 1 then
			revoke(pos)
		end
	else
		redis.call('DEL', pos)
	end
	redis.call('DEL', status)
end
-- stored returns the revision and the write of a stored definition.
local function stored(record)
	local ok, d = pcall(cjson.decode, record)
	if ok and type(d) == 'table' and d.v == 1 and type(d.revision) == 'number' then
		return d.revision, d.uid
	end
end
`

var (
	// Keys: positions, lease. Arguments: task, holder, a new uuid, ttl in ms.
	scriptAcquire = script(`
local task, holder, uuid, ttl = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local owner = redis.call('HGET', KEYS[1], '!owner:' .. task)
local held = redis.call('GET', KEYS[2])
local token
if held and held == owner then
	local by = redis.call('HGET', KEYS[1], '!holder:' .. task)
	if by ~= holder then
		return {'HELD', by or ''}
	end
	if string.sub(owner, -string.len(uuid)) == uuid then
		token = owner -- the same call again
	end
end
token = token or string.format('%.0f:%s', epoch(owner) + 1, uuid)
redis.call('HSET', KEYS[1], '!owner:' .. task, token, '!holder:' .. task, holder)
redis.call('HSETNX', KEYS[1], '!rev', 1)
if (tonumber(redis.call('HGET', KEYS[1], '!tasks')) or 0) <= tonumber(task) then
	redis.call('HSET', KEYS[1], '!tasks', tonumber(task) + 1)
end
redis.call('SET', KEYS[2], token, 'PX', ttl)
return {'OK', token}`)

	// Keys: positions, lease. Arguments: task, token, ttl in ms.
	scriptRenew = script(`
local no = owned(KEYS[1], ARGV[1], ARGV[2])
if no then
	return no
end
redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
return {'OK', ARGV[2]}`)

	// Keys: positions, lease. Arguments: task, token.
	scriptRelease = script(`
if owned(KEYS[1], ARGV[1], ARGV[2]) == nil then
	redis.call('DEL', KEYS[2])
	vacate(KEYS[1], ARGV[1])
end
return {'OK', ''}`)

	// Keys: positions. Arguments: task, token, partitions and records in turn.
	scriptCommit = script(`
local no = owned(KEYS[1], ARGV[1], ARGV[2])
if no then
	return no
end
chunked('HSET', KEYS[1], ARGV, 3, #ARGV)
return {'OK', ''}`)

	// Keys: positions. Arguments: the number of partitions to delete, these,
	// partitions and records in turn.
	scriptAlter = script(`
local n = tonumber(ARGV[1])
redis.call('HINCRBY', KEYS[1], '!rev', 1)
revoke(KEYS[1])
chunked('HDEL', KEYS[1], ARGV, 2, n + 1)
chunked('HSET', KEYS[1], ARGV, n + 2, #ARGV)
return {'OK', ''}`)

	// Keys: meta. Arguments: a new uuid, format version, name of the program.
	scriptID = script(`
redis.call('HSETNX', KEYS[1], 'store_id', ARGV[1])
redis.call('HSETNX', KEYS[1], 'schema', ARGV[2])
redis.call('HSETNX', KEYS[1], 'min_reader', ARGV[2])
redis.call('HSETNX', KEYS[1], 'created_by', ARGV[3])
return {'OK', redis.call('HGET', KEYS[1], 'store_id')}`)

	// Keys: meta, definitions. Arguments: name, revision it was read at, uuid
	// of this call, record up to where the revision belongs.
	scriptPut = script(`
local record = redis.call('HGET', KEYS[2], ARGV[1])
local wanted = tonumber(ARGV[2])
if record then
	local revision, write = stored(record)
	if not revision then
		return {'BROKEN', record}
	end
	if write == ARGV[3] then
		return {'OK', string.format('%.0f', revision)} -- the same call again
	end
	if wanted == 0 then
		return {'EXISTS'}
	end
	if revision ~= wanted then
		return {'ABORTED', string.format('%.0f', revision)}
	end
elseif wanted ~= 0 then
	return {'ABORTED', ''}
end
local revision = string.format('%.0f', redis.call('HINCRBY', KEYS[1], 'rev', 1))
redis.call('HSET', KEYS[2], ARGV[1], ARGV[4] .. revision .. ',"uid":"' .. ARGV[3] .. '"}')
return {'OK', revision}`)

	// Keys: meta, definitions, and where they may be in one script with these,
	// positions and status. Arguments: name, revision, 1 to keep positions,
	// 1 to remove, 0 to only tell whether it could be.
	scriptRemove = script(`
local record = redis.call('HGET', KEYS[2], ARGV[1])
if not record then
	return {'OK', ''}
end
local revision = stored(record)
if not revision then
	return {'BROKEN', record}
end
if revision ~= tonumber(ARGV[2]) then
	return {'ABORTED', string.format('%.0f', revision)}
end
if ARGV[4] == '0' then
	return {'OK', ''}
end
if KEYS[3] then
	drop(KEYS[3], KEYS[4], ARGV[3])
end
redis.call('HDEL', KEYS[2], ARGV[1])
redis.call('HINCRBY', KEYS[1], 'rev', 1)
return {'OK', ''}`)

	// Keys: positions, status. Arguments: 1 to keep positions.
	scriptDrop = script(`
drop(KEYS[1], KEYS[2], ARGV[1])
return {'OK', ''}`)

	// Keys: status. Arguments: task, ttl in ms, status.
	scriptPublish = script(`
local now = redis.call('TIME')
local expiry = now[1] * 1000 + math.floor(now[2] / 1000) + ARGV[2]
redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f %s', expiry, ARGV[3]))
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[2]) then
	redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return {'OK', ''}`)

	// Keys: status. Arguments: the first task to withdraw.
	scriptWithdraw = script(`
for _, task in ipairs(redis.call('HKEYS', KEYS[1])) do
	if (tonumber(task) or 0) >= tonumber(ARGV[1]) then
		redis.call('HDEL', KEYS[1], task)
	end
end
return {'OK', ''}`)
)

func script(body string) *goredis.Script { return goredis.NewScript(common + body) }

// An answer is what a script says.
type answer struct{ word, value string }

// parseAnswer reads a script's answer.
func parseAnswer(reply any, err error) (answer, error) {
	if err != nil {
		return answer{}, err
	}
	list, ok := reply.([]any)
	if !ok || len(list) == 0 {
		return answer{}, fmt.Errorf("%w: the script answers %v", oms.ErrFormat, reply)
	}
	var a answer
	a.word, _ = list[0].(string)
	if len(list) > 1 {
		a.value, _ = list[1].(string)
	}
	return a, nil
}

// err returns what an answer means, nil for OK.
func (a answer) err() error {
	switch a.word {
	case answerOK:
		return nil
	case answerHeld:
		return fmt.Errorf("%w: by %s", oms.ErrHeld, a.value)
	case answerFenced:
		if a.value == "" {
			return oms.ErrFenced
		}
		return fmt.Errorf("%w: it is %s's now", oms.ErrFenced, a.value)
	case answerLost:
		return fmt.Errorf("%w: the store does not know the connector", offsets.ErrStateLost)
	case answerExists:
		return oms.ErrExists
	case answerAborted:
		if a.value == "" {
			return fmt.Errorf("%w: there is no such definition any more", oms.ErrAborted)
		}
		return fmt.Errorf("%w: it was changed meanwhile: it has revision %s now", oms.ErrAborted, a.value)
	case answerOther:
		return offsets.OtherBroker(a.value)
	}
	return fmt.Errorf("%w: the script answers %q", oms.ErrFormat, a.word)
}

// run runs a script that need not be durable. A server that does not know it
// gets its text.
func (s *Store) run(ctx context.Context, sc *goredis.Script, ks []string, args ...any) (string, error) {
	a, err := parseAnswer(sc.Run(ctx, s.client, ks, args...).Result())
	if err == nil {
		err = a.err()
	}
	return a.value, err
}

func isNoScript(err error) bool {
	return errors.Is(err, goredis.ErrNoScript) || goredis.HasErrorPrefix(err, "NOSCRIPT")
}
