-- Finds one session of each user in KEYS; takes merged calls. ARGV has for each call: the common
-- arguments (time, idle, lifetime), the touch interval in ms and the id. Returns for each the
-- session's JSON, or false when it does not exist or has ended; an error fails only its own call.
-- The key needs no new expiry: no session outlives the lifetime after its creation.
local function find(key, touchEveryMs, id)
  local text = redis.call("HGET", key, id)
  if not text then return false end
  local session = cjson.decode(text)
  if not isLive(session) then return false end
  if now - session.usedAt < touchEveryMs then return text end
  session.usedAt = now
  local touched = cjson.encode(session)
  redis.call("HSET", key, id, touched)
  return touched
end

local replies = {}
for index, key in ipairs(KEYS) do
  local at = 5 * (index - 1)
  now = tonumber(ARGV[at + 1]) or now
  idleMs, lifetimeMs = tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3])
  replies[index] = attempt(find, key, tonumber(ARGV[at + 4]), ARGV[at + 5])
end
return replies
