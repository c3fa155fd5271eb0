-- KEYS[1]: the session; ARGV after the time: idle, lifetime and touch in ms.
-- Answers the session's JSON, or false when it is not there or over.
local idleMs, lifetimeMs, touchEveryMs = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])

local text = redis.call("GET", KEYS[1])
if not text then return false end
local session = cjson.decode(text)
local endsInMs = math.min(session.usedAt + idleMs, session.createdAt + lifetimeMs) - now
if endsInMs <= 0 then return false end
if now - session.usedAt < touchEveryMs then return text end

session.usedAt = now
text = cjson.encode(session)
endsInMs = math.min(now + idleMs, session.createdAt + lifetimeMs) - now
redis.call("SET", KEYS[1], text, "PX", string.format("%.0f", endsInMs))
return text
