-- Each key is a sorted set of uses by their time. For calls that are merged: ARGV has for each call
-- the time (see above), the use, how many of KEYS are its own, then the quota and the window in ms
-- of each of these. A call takes from all its keys, or answers the number of the exhausted key that
-- takes longest to have a use again, and how long that is. The calls run one after the other, and an
-- error of one fails that one alone.
local function take(use, firstKey, count, firstPolicy)
  local exhausted, longestMs = 0, 0
  for index = 1, count do
    local key, at = KEYS[firstKey + index - 1], firstPolicy + 2 * (index - 1)
    local quota, windowMs = tonumber(ARGV[at]), tonumber(ARGV[at + 1])
    redis.call("ZREMRANGEBYSCORE", key, "-inf", now - windowMs)
    local uses = redis.call("ZCARD", key)
    if uses >= quota and not redis.call("ZSCORE", key, use) then
      -- The use whose end leaves one less than the quota.
      local oldest = redis.call("ZRANGE", key, uses - quota, uses - quota, "WITHSCORES")[2]
      local retryAfterMs = tonumber(oldest) + windowMs - now
      if retryAfterMs > longestMs then exhausted, longestMs = index, retryAfterMs end
    end
  end
  if exhausted > 0 then return { exhausted, longestMs } end

  for index = 1, count do
    local key = KEYS[firstKey + index - 1]
    redis.call("ZADD", key, "NX", now, use)
    redis.call("PEXPIRE", key, ARGV[firstPolicy + 2 * (index - 1) + 1])
  end
  return { 0, 0 }
end

local replies = {}
local firstKey, at = 1, 1
while at <= #ARGV do
  local count = tonumber(ARGV[at + 2])
  now = tonumber(ARGV[at]) or now
  replies[#replies + 1] = attempt(take, ARGV[at + 1], firstKey, count, at + 3)
  firstKey, at = firstKey + count, at + 3 + 2 * count
end
return replies
