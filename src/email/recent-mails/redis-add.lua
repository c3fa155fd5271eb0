-- Adds an id as the newest of each sorted set in KEYS. ARGV has for each, in turn: the id, how many
-- the set keeps at most, and how long it lives from now, in ms. Its scores are this server's time.

local time = redis.call("TIME")
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local replies = {}
for i = 1, #KEYS do
  local key, at = KEYS[i], 3 * i
  local added = redis.pcall("ZADD", key, "GT", now, ARGV[at - 2])
  if type(added) == "number" then
    local surplus = redis.call("ZCARD", key) - ARGV[at - 1]
    if surplus > 0 then redis.call("ZREMRANGEBYRANK", key, 0, surplus - 1) end
    redis.call("PEXPIRE", key, ARGV[at])
  end
  replies[i] = added
end
return replies
