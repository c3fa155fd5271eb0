-- Each key is a sorted set of uses by time. Takes merged calls: ARGV has for each call the time
-- (see above), the use, how many of KEYS are its own, then the quota and the window in ms of each
-- of these. A call takes from all its keys, or returns the number of the exhausted key with the
-- longest wait until its next use, and that wait. The calls run in turn, and an error fails only
-- its own call.

-- By key: how many uses it has, since when, and for how long it is kept. Calls share keys, above
-- all that of the global budget: it is trimmed and counted for the first of them only.
local uses, trimmedTo, keptMs = {}, {}, {}

local function countUses(key, windowMs)
  local from = now - windowMs
  if trimmedTo[key] ~= from then
    redis.call("ZREMRANGEBYSCORE", key, "-inf", from)
    uses[key], trimmedTo[key], keptMs[key] = redis.call("ZCARD", key), from, nil
  end
  return uses[key]
end

local function take(use, firstKey, count, firstPolicy)
  local exhausted, longestMs = 0, 0
  for index = 1, count do
    local key, at = KEYS[firstKey + index - 1], firstPolicy + 2 * (index - 1)
    local quota, windowMs = tonumber(ARGV[at]), tonumber(ARGV[at + 1])
    local used = countUses(key, windowMs)
    if used >= quota and not redis.call("ZSCORE", key, use) then
      -- When this use leaves the window, one less than the quota remains.
      local oldest = redis.call("ZRANGE", key, used - quota, used - quota, "WITHSCORES")[2]
      local retryAfterMs = tonumber(oldest) + windowMs - now
      if retryAfterMs > longestMs then exhausted, longestMs = index, retryAfterMs end
    end
  end
  if exhausted > 0 then return { exhausted, longestMs } end

  for index = 1, count do
    local key, windowMs = KEYS[firstKey + index - 1], ARGV[firstPolicy + 2 * (index - 1) + 1]
    uses[key] = uses[key] + redis.call("ZADD", key, "NX", now, use)
    if keptMs[key] ~= windowMs then
      redis.call("PEXPIRE", key, windowMs)
      keptMs[key] = windowMs
    end
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
