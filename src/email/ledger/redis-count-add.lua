-- Adds ARGV[1] to this minute's total of new records in the hash KEYS[1]. The first to come in a
-- minute drops the totals older than a day, so the hash never has more than 1441 fields.

local minute = math.floor(redis.call("TIME")[1] / 60)
local total = redis.call("HINCRBY", KEYS[1], minute, ARGV[1])
if total == tonumber(ARGV[1]) then
  for _, field in ipairs(redis.call("HKEYS", KEYS[1])) do
    if tonumber(field) <= minute - 1440 then redis.call("HDEL", KEYS[1], field) end
  end
end
redis.call("EXPIRE", KEYS[1], 90000)
return total
