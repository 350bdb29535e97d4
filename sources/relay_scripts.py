"""Relay scripts: what Redis runs, in Lua, for the process that has or takes the lease.

Redis runs each as a whole, with nothing else between its lines. What fails ends it, and what it did
before stays done: so each asks and appends first, and renews the lease at the end, as a server that
is full refuses to append and not to renew. What needs the lease returns 1, or the wishes that were
asked, or whose the lease is.
"""

from __future__ import annotations

from typing import Final

__all__ = ["BEAT", "CLEAR", "RELEASE", "SET", "TAKE"]

TAKE: Final = """
local lease, seconds, released = KEYS[1], KEYS[2], KEYS[3]
local holder, ttl_ms, seen = ARGV[1], ARGV[2], tonumber(ARGV[3])
if redis.call('GET', lease) then return nil end
local time = redis.call('TIME')
local term = math.max(time[1] * 1000 + math.floor(time[2] / 1000), seen + 1)
for _, entry in ipairs(redis.call('XREVRANGE', seconds, '+', '-', 'COUNT', 1)) do
    local fields = entry[2]
    for at = 1, #fields, 2 do
        if fields[at] == 'term' then term = math.max(term, (tonumber(fields[at + 1]) or 0) + 1) end
    end
end
term = string.format('%.0f', term)
redis.call('SET', lease, holder .. ':' .. term, 'PX', ttl_ms)
redis.call('DEL', released)
return term
"""

BEAT: Final = """
local lease, seconds, status, wishes = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local term, ttl_ms, status_ms, keep_ms = ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5])
local held = redis.call('GET', lease)
if held ~= ARGV[1] then return held or '' end
local published = -1
for _, entry in ipairs(redis.call('XREVRANGE', seconds, '+', '-', 'COUNT', 1)) do
    local fields = {}
    for at = 1, #entry[2], 2 do fields[entry[2][at]] = entry[2][at + 1] end
    if fields.term == term then published = tonumber(fields.seq) or -1 end
end
local time = redis.call('TIME')
local oldest = string.format('%.0f', math.max(0, time[1] * 1000 - keep_ms))
for at = 7, #ARGV, 4 do
    if tonumber(ARGV[at + 1]) > published then
        redis.call('XADD', seconds, 'MINID', '~', oldest, '*', 'v', ARGV[at], 'term', term,
            'seq', ARGV[at + 1], 'sec', ARGV[at + 2], 'body', ARGV[at + 3])
    end
end
local asked = {}
if wishes then
    for _, entry in ipairs(redis.call('XRANGE', wishes, '-', '+')) do
        asked[#asked + 1] = entry[2][2]
    end
    if #asked > 0 then redis.call('DEL', wishes) end
end
redis.call('SET', status, ARGV[6], 'PX', status_ms)
redis.call('PEXPIRE', lease, ttl_ms)
return asked
"""

RELEASE: Final = """
local held = redis.call('GET', KEYS[1])
if held ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1])
-- Not before: a server that is full refuses it unless something was deleted.
redis.call('SET', KEYS[2], held .. ':' .. redis.call('TIME')[1])
return 1
"""

CLEAR: Final = """
local held = redis.call('GET', KEYS[1])
if held ~= ARGV[1] then return held or '' end
redis.call('DEL', KEYS[2], KEYS[3])
return 1
"""

SET: Final = """
local held = redis.call('GET', KEYS[1])
if held ~= ARGV[1] then return held or '' end
if ARGV[3] == '0' then
    redis.call('SET', KEYS[2], ARGV[2])
else
    redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
end
return 1
"""
