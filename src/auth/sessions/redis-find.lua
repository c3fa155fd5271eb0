-- ARGV further: touch in ms, the id. Answers the session's JSON, or false when it is not there or
-- over. The key needs no new expiry: no session outlives the lifetime after its creation.
local touchEveryMs, id = tonumber(ARGV[4]), ARGV[5]

local text = redis.call("HGET", KEYS[1], id)
if not text then return false end
local session = cjson.decode(text)
if not isLive(session) then return false end
if now - session.usedAt < touchEveryMs then return text end
session.id = id
session.usedAt = now
return save(session)
