-- What one address has, as JSON under one key: the same state and the same changes as
-- code-state.ts. This part stands before each of the scripts, and redis-each.lua, which sets these
-- for one call after the other, behind it.
local key, policy, request

local function keep(list, wanted)
  local kept = {}
  for _, item in ipairs(list) do
    if wanted(item) then kept[#kept + 1] = item end
  end
  return kept
end

local function load()
  local text = redis.call("GET", key)
  local state = text and cjson.decode(text)
    or { codes = {}, charges = {}, tries = {}, locks = 0, lockedUntil = 0 }
  state.codes = keep(state.codes, function(code) return code.expiresAt > now end)
  state.charges = keep(state.charges, function(at) return at > now - policy.codesWindowMs end)
  state.tries = keep(state.tries, function(at) return at > now - policy.triesWindowMs end)
  if state.lockedUntil + policy.lockMemoryMs <= now then state.locks = 0 end
  return state
end

local function save(state)
  local lifeMs = math.max(policy.lifetimeMs, policy.triesWindowMs, policy.codesWindowMs)
  if state.locks > 0 then
    lifeMs = math.max(lifeMs, state.lockedUntil + policy.lockMemoryMs - now)
  end
  redis.call("SET", key, cjson.encode(state), "PX", string.format("%.0f", lifeMs))
end

local function shown(code)
  return {
    messageId = code.messageId,
    timestamp = code.timestamp,
    expiresAt = code.expiresAt,
    keyId = code.keyId,
    data = code.data,
  }
end
