"""The steps of the Redis queue, in Lua: Redis runs each as a whole or not at all.

Every key of a queue starts with ``KEYS[1]``, which holds a hash tag, so that all
of them stand on one node of a cluster:

- ``job:ID``: hash of body, tenant, rank (of the priority), seq (order), tries,
  at (enqueued, ms) and the token of its last holder, who may finish although his
  lease has ended, as long as nobody else has the message
- ``ready:RANK:TENANT``: ids by seq; ``turn:RANK``: tenants with ready ids, by
  the number of the turn they had last; ``served``: that number for every tenant
- ``leased`` and ``delayed``: ids by the time (ms of the server) they end
- ``letter:N``: hash of a dead letter; ``dead``: their numbers in order
- ``seq``: the counter behind every order
"""

from __future__ import annotations

from typing import Final

_PRELUDE: Final = """
local base = KEYS[1]
local function whole(number) return string.format('%.0f', number) end
local function now_ms()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end
local function tick() return redis.call('INCR', base .. 'seq') end
local function job(id) return base .. 'job:' .. id end
local function letter(number) return base .. 'letter:' .. number end
local function ready(rank, tenant) return base .. 'ready:' .. rank .. ':' .. tenant end
local function turn(rank) return base .. 'turn:' .. rank end

local function line_up(id, rank, tenant, seq)
  redis.call('ZADD', ready(rank, tenant), seq, id)
  if not redis.call('ZSCORE', turn(rank), tenant) then
    local last = redis.call('HGET', base .. 'served', rank .. ':' .. tenant)
    redis.call('ZADD', turn(rank), last or 0, tenant)
  end
end
local function again(id)
  local kept = redis.call('HMGET', job(id), 'rank', 'tenant', 'seq')
  if kept[1] then line_up(id, kept[1], kept[2], kept[3]) end
end
local function take_out(id)
  if redis.call('ZREM', base .. 'leased', id) == 1 then return end
  local kept = redis.call('HMGET', job(id), 'rank', 'tenant')
  local list = ready(kept[1], kept[2])
  redis.call('ZREM', list, id)
  if redis.call('EXISTS', list) == 0 then redis.call('ZREM', turn(kept[1]), kept[2]) end
end
local function add(id, rank, tenant, at, body)
  if redis.call('EXISTS', job(id)) == 1 then return 0 end
  local seq = tick()
  redis.call('HSET', job(id), 'body', body, 'tenant', tenant, 'rank', rank,
    'seq', seq, 'tries', 0, 'at', at)
  line_up(id, rank, tenant, seq)
  return 1
end
local function sweep(at_most)
  local now = whole(now_ms())
  for _, key in ipairs({base .. 'leased', base .. 'delayed'}) do
    for _, id in ipairs(redis.call('ZRANGEBYSCORE', key, '-inf', now, 'LIMIT', 0, at_most)) do
      redis.call('ZREM', key, id)
      again(id)
    end
  end
end
local function holds(id, token) return redis.call('HGET', job(id), 'token') == token end
"""

PUT: Final = (
    _PRELUDE
    + """
local added = 0
for i = 1, #ARGV, 5 do
  added = added + add(ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], ARGV[i + 4])
end
return added
"""
)
"""(id, rank, tenant, enqueued in ms, body)* -> how many were added; an id that waits or is leased is left alone."""

RECEIVE: Final = (
    _PRELUDE
    + """
local limit, ends, token = tonumber(ARGV[1]), now_ms() + tonumber(ARGV[2]), ARGV[3]
local full, full_count = {}, #ARGV - 3
for i = 4, #ARGV do full[ARGV[i]] = true end
sweep(1000)
local taken, count = {}, 0
for rank = 0, 2 do
  local moved = true
  while moved and count < limit do
    moved = false
    for _, tenant in ipairs(redis.call('ZRANGE', turn(rank), 0, limit - count + full_count - 1)) do
      if count < limit and not full[tenant] then
        local list = ready(rank, tenant)
        local id = redis.call('ZPOPMIN', list)[1]
        local number = tick()
        redis.call('HSET', base .. 'served', rank .. ':' .. tenant, number)
        if redis.call('EXISTS', list) == 1 then
          redis.call('ZADD', turn(rank), number, tenant)
        else
          redis.call('ZREM', turn(rank), tenant)
        end
        moved = true
        local body = id and redis.call('HGET', job(id), 'body')
        if body then
          local tries = redis.call('HINCRBY', job(id), 'tries', 1)
          redis.call('HSET', job(id), 'token', token)
          redis.call('ZADD', base .. 'leased', whole(ends), id)
          count = count + 1
          taken[count] = {id, tries, body}
        end
      end
    end
  end
end
return taken
"""
)
"""limit, lease in ms, token, full tenant* -> (id, tries, body)*, leased under the token."""

EXTEND: Final = (
    _PRELUDE
    + """
local ends, lost = whole(now_ms() + tonumber(ARGV[1])), {}
for i = 2, #ARGV, 2 do
  if holds(ARGV[i], ARGV[i + 1]) then
    take_out(ARGV[i])
    redis.call('ZADD', base .. 'leased', ends, ARGV[i])
  else
    lost[#lost + 1] = (i - 2) / 2
  end
end
return lost
"""
)
"""lease in ms, (id, token)* -> places (from 0) of those that are held no longer."""

ACK: Final = (
    _PRELUDE
    + """
for i = 1, #ARGV, 2 do
  if holds(ARGV[i], ARGV[i + 1]) then
    take_out(ARGV[i])
    redis.call('DEL', job(ARGV[i]))
  end
end
"""
)
"""(id, token)*"""

NACK: Final = (
    _PRELUDE
    + """
local id, token, delay, counted = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4]
if not holds(id, token) then return end
take_out(id)
redis.call('HDEL', job(id), 'token')
if counted == '0' then redis.call('HINCRBY', job(id), 'tries', -1) end
if delay > 0 then
  redis.call('ZADD', base .. 'delayed', whole(now_ms() + delay), id)
else
  again(id)
end
"""
)
"""id, token, delay in ms, counted (0 or 1)"""

DEAD: Final = (
    _PRELUDE
    + """
local id, token, code = ARGV[1], ARGV[2], ARGV[3]
if not holds(id, token) then return end
local kept = redis.call('HMGET', job(id), 'body', 'tenant', 'rank', 'tries', 'at')
local number = tick()
redis.call('HSET', letter(number), 'id', id, 'body', kept[1], 'tenant', kept[2], 'rank', kept[3],
  'tries', kept[4], 'at', kept[5], 'code', code, 'died', whole(now_ms()))
redis.call('ZADD', base .. 'dead', number, number)
take_out(id)
redis.call('DEL', job(id))
"""
)
"""id, token, code"""

STATUS: Final = (
    _PRELUDE
    + """
sweep(10000)
local tenants, oldest = {}, nil
for rank = 0, 2 do
  for _, tenant in ipairs(redis.call('ZRANGE', turn(rank), 0, -1)) do
    local list = ready(rank, tenant)
    tenants[#tenants + 1] = {tenant, redis.call('ZCARD', list)}
    local first = redis.call('ZRANGE', list, 0, 0)[1]
    local at = first and tonumber(redis.call('HGET', job(first), 'at') or '')
    if at and (not oldest or at < oldest) then oldest = at end
  end
end
local age = oldest and math.max(0, now_ms() - oldest) or -1
return {redis.call('ZCARD', base .. 'delayed'), redis.call('ZCARD', base .. 'leased'),
  redis.call('ZCARD', base .. 'dead'), age, tenants}
"""
)
"""-> delayed, leased, dead, age of the oldest ready message in ms or -1, (tenant, ready)*"""

LETTERS: Final = (
    _PRELUDE
    + """
local found = {}
for _, number in ipairs(redis.call('ZREVRANGE', base .. 'dead', 0, tonumber(ARGV[1]) - 1)) do
  found[#found + 1] = redis.call('HMGET', letter(number), 'id', 'tenant', 'rank', 'code', 'tries', 'died')
end
return found
"""
)
"""limit -> (id, tenant, rank, code, tries, died in ms)*, the newest first"""

RETRY: Final = (
    _PRELUDE
    + """
local code, after, moved = ARGV[1], ARGV[2], 0
local numbers = redis.call('ZRANGEBYSCORE', base .. 'dead', '(' .. after, ARGV[3], 'LIMIT', 0, 500)
for _, number in ipairs(numbers) do
  after = number
  local kept = redis.call('HMGET', letter(number), 'id', 'rank', 'tenant', 'at', 'body', 'code')
  if code == '' or kept[6] == code then
    if kept[1] then moved = moved + add(kept[1], kept[2], kept[3], kept[4], kept[5]) end
    redis.call('ZREM', base .. 'dead', number)
    redis.call('DEL', letter(number))
  end
end
return {#numbers, after, moved}
"""
)
"""code or '', number to go on after, last number -> how many were looked at, the last of them, how many went back"""

PURGE: Final = (
    _PRELUDE
    + """
local left, gone = 1000, 0
for rank = 0, 2 do
  for _, tenant in ipairs(redis.call('ZRANGE', turn(rank), 0, -1)) do
    local list = ready(rank, tenant)
    while left > gone do
      local id = redis.call('ZPOPMIN', list)[1]
      if not id then break end
      redis.call('DEL', job(id))
      gone = gone + 1
    end
    if redis.call('EXISTS', list) == 0 then redis.call('ZREM', turn(rank), tenant) end
  end
end
while left > gone do
  local id = redis.call('ZPOPMIN', base .. 'delayed')[1]
  if not id then break end
  redis.call('DEL', job(id))
  gone = gone + 1
end
return gone
"""
)
"""-> how many waiting messages went, at most 1000 at a time"""

PURGE_DEAD: Final = (
    _PRELUDE
    + """
local gone = 0
while gone < 1000 do
  local number = redis.call('ZPOPMIN', base .. 'dead')[1]
  if not number then break end
  redis.call('DEL', letter(number))
  gone = gone + 1
end
return gone
"""
)
"""-> how many dead letters went, at most 1000 at a time"""
