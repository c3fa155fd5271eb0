-- Finds one session of each user; takes merged calls. KEYS has for each call the user's sessions and
-- the copy of the user, ARGV the common arguments (time, idle, lifetime), the touch interval in ms
-- and the id. Returns for each the session's JSON, the copy as stored and the time, or false when the
-- session does not exist or has ended; an error fails only its own call.
-- The key needs no new expiry: no session outlives the lifetime after its creation.
local function find(key, userKey, touchEveryMs, id)
  local text = redis.call("HGET", key, id)
  if not text then return false end
  local session = cjson.decode(text)
  if not isLive(session) then return false end
  if now - session.usedAt >= touchEveryMs then
    session.usedAt = now
    text = cjson.encode(session)
    redis.call("HSET", key, id, text)
  end
  return { text, redis.call("GET", userKey), now }
end

local replies = {}
for index = 1, #KEYS / 2 do
  local at = 5 * (index - 1)
  now = tonumber(ARGV[at + 1]) or now
  idleMs, lifetimeMs = tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3])
  replies[index] = attempt(find, KEYS[2 * index - 1], KEYS[2 * index], tonumber(ARGV[at + 4]), ARGV[at + 5])
end
return replies
