-- Compare-and-swap: writes the new state of an address if the old one is unchanged, before a
-- deadline.
--
-- KEYS    the addresses; for each, in turn, five of ARGV:
--   1     the time in ms, or "" for the server's own (see redis-now.lua)
--   2     the text that must be there, "" for none
--   3     the last time at which to write
--   4     the new text
--   5     how long it is kept, in ms
-- Returns for each 1, when the new text is there, or {now, the text as it is}.
local function swap(key, at)
  local text = redis.call("GET", key) or ""
  if text ~= ARGV[at + 1] or now > tonumber(ARGV[at + 2]) then return { now, text } end
  if text ~= ARGV[at + 3] then redis.call("SET", key, ARGV[at + 3], "PX", ARGV[at + 4]) end
  return 1
end

local replies = {}
for index = 1, #KEYS do
  local at = 5 * index - 4
  now = tonumber(ARGV[at]) or now
  replies[index] = attempt(swap, KEYS[index], at)
end
return replies
