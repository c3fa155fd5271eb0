-- Each key is a sorted set of uses by time. Takes merged calls: ARGV has for each call the time
-- (see above), the use, and its policy, numbers with spaces between them: how much of the last limit
-- is reserved, for fewer uses than how many of the one before it, how many uses may be earned, then
-- the quota and the window in ms of each limit. KEYS has for each call those of its limits, then the
-- one that earns. A call takes from all its limits, or returns the number of the exhausted one
-- with the longest wait until its next use, and that wait. The calls run in turn, and an error fails
-- only its own call.

-- By key: how many uses it has, since when, and for how long it is kept. Calls share keys, above
-- all that of the global budget: it is trimmed and counted for the first of them only.
local uses, trimmedTo, keptMs = {}, {}, {}

local function countUses(key, windowMs)
  local from = now - windowMs
  if trimmedTo[key] ~= from then
    local count = redis.call("ZCARD", key)
    if count > 0 then count = count - redis.call("ZREMRANGEBYSCORE", key, "-inf", from) end
    uses[key], trimmedTo[key], keptMs[key] = count, from, nil
  end
  return uses[key]
end

local function newestUse(key)
  return tonumber(redis.call("ZRANGE", key, -1, -1, "WITHSCORES")[2]) or 0
end

-- Nearly all calls have the same policy.
local policies = {}

local function policyOf(text)
  if not policies[text] then
    local numbers = {}
    for number in text:gmatch("%d+") do numbers[#numbers + 1] = tonumber(number) end
    local policy = { reserved = numbers[1], usesBelow = numbers[2], earns = numbers[3], limits = {} }
    for index = 4, #numbers, 2 do
      table.insert(policy.limits, { quota = numbers[index], windowMs = numbers[index + 1] })
    end
    policies[text] = policy
  end
  return policies[text]
end

-- The number and the wait of the exhausted limit with the longest wait; 0, 0 for none.
local function findExhausted(use, firstKey, policy)
  local exhausted, longestMs, usedBefore = 0, 0, 0
  for index, limit in ipairs(policy.limits) do
    local key, quota = KEYS[firstKey + index - 1], limit.quota
    if index == #policy.limits and usedBefore >= policy.usesBelow then
      quota = quota - policy.reserved
    end
    local used = countUses(key, limit.windowMs)
    if used >= quota and not redis.call("ZSCORE", key, use) then
      -- When this use leaves the window, one less than the quota remains.
      local oldest = redis.call("ZRANGE", key, used - quota, used - quota, "WITHSCORES")[2]
      local retryAfterMs = tonumber(oldest) + limit.windowMs - now
      if retryAfterMs > longestMs then exhausted, longestMs = index, retryAfterMs end
    end
    usedBefore = used
  end
  return exhausted, longestMs
end

-- Whether the limit that earns was used last, and within the window of the first limit, which has
-- not been exceeded by more than may be earned.
local function isEarned(firstKey, policy)
  if policy.earns == 0 then return false end
  local first = policy.limits[1]
  if uses[KEYS[firstKey]] >= first.quota + policy.earns then return false end
  local since = math.max(newestUse(KEYS[firstKey]), now - first.windowMs)
  return newestUse(KEYS[firstKey + #policy.limits]) > since
end

local function take(use, firstKey, policy)
  local exhausted, longestMs = findExhausted(use, firstKey, policy)
  if exhausted > 0 and not isEarned(firstKey, policy) then return { exhausted, longestMs } end
  for index, limit in ipairs(policy.limits) do
    local key = KEYS[firstKey + index - 1]
    uses[key] = uses[key] + redis.call("ZADD", key, "NX", now, use)
    if keptMs[key] ~= limit.windowMs then
      redis.call("PEXPIRE", key, limit.windowMs)
      keptMs[key] = limit.windowMs
    end
  end
  return { 0, 0 }
end

local replies = {}
local firstKey = 1
for at = 1, #ARGV, 3 do
  now = tonumber(ARGV[at]) or now
  local policy = policyOf(ARGV[at + 2])
  replies[#replies + 1] = attempt(take, ARGV[at + 1], firstKey, policy)
  firstKey = firstKey + #policy.limits + (policy.earns > 0 and 1 or 0)
end
return replies
