-- Records a use. More ARGV: the id. Returns the session's JSON, or false when it does not exist or has
-- ended. The key needs no new expiry: no session outlives the lifetime after its creation.
local text = redis.call("HGET", KEYS[1], ARGV[4])
if not text then return false end
local session = cjson.decode(text)
if not isLive(session) then return false end
session.usedAt = now
session.id = ARGV[4]
return save(session)
