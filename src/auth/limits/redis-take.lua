-- Each key is a sorted set of uses by their time. ARGV after the time: the use, then the quota and
-- the window in ms of each key. Takes from all, or answers the number of the spent key that takes
-- longest to have some again, and how long that is.
local use = ARGV[2]
local spent, longestMs = 0, 0

for index, key in ipairs(KEYS) do
  local quota, windowMs = tonumber(ARGV[2 * index + 1]), tonumber(ARGV[2 * index + 2])
  redis.call("ZREMRANGEBYSCORE", key, "-inf", now - windowMs)
  local count = redis.call("ZCARD", key)
  if count >= quota and not redis.call("ZSCORE", key, use) then
    -- The use whose end leaves one less than the quota.
    local at = redis.call("ZRANGE", key, count - quota, count - quota, "WITHSCORES")[2]
    local retryAfterMs = tonumber(at) + windowMs - now
    if retryAfterMs > longestMs then spent, longestMs = index, retryAfterMs end
  end
end
if spent > 0 then return { spent, longestMs } end

for index, key in ipairs(KEYS) do
  redis.call("ZADD", key, "NX", now, use)
  redis.call("PEXPIRE", key, ARGV[2 * index + 2])
end
return { 0, 0 }
