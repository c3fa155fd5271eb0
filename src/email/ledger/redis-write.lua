-- The one step that writes records of the ledger: each is written if it is still what its caller
-- decided on, at a time that is this server's to within `drift_ms`. It returns this server's time.
--
-- KEYS     the records; for each, in turn, four of ARGV:
--   1      where to write: "absent" (there must be no record), "whole" (over the text of 3), or the
--          offset of the tail that begins with 3; "look" writes nothing
--   2      as of when it was decided, in Unix ms
--   3      what must be there; for "absent", the last time at which to write, in Unix ms
--   4      the new text
-- Returns for each now, when it was written, or {now, the record as it is}, or its error.

local clock = redis.call("TIME")
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

local replies = {}
for i = 1, #KEYS do
  local key, n = KEYS[i], 4 * i - 3
  local where, expected, text = ARGV[n], ARGV[n + 2], ARGV[n + 3]
  local written = false
  if where == "look" or math.abs(ARGV[n + 1] - now) > drift_ms then
    -- it is decided again, on what is returned
  elseif where == "absent" then
    if now <= tonumber(expected) then
      written = redis.pcall("SET", key, text, "PX", ttl_ms, "NX")
    end
  elseif where == "whole" then
    if redis.pcall("GET", key) == expected then
      written = redis.pcall("SET", key, text, "PX", ttl_ms)
    end
  elseif redis.pcall("GETRANGE", key, where, where + #expected - 1) == expected then
    written = redis.pcall("SETRANGE", key, where, text)
    if type(written) == "number" then redis.call("PEXPIRE", key, ttl_ms) end
  end
  if not written then
    local found = redis.pcall("GET", key)
    replies[i] = type(found) == "table" and found or { now, found }
  elseif type(written) == "table" and written.err then
    replies[i] = written -- an error of this record alone
  else
    replies[i] = now
  end
end
return replies
