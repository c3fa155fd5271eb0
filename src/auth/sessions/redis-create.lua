-- KEYS[1]: the session; ARGV after the time: the user, the life in ms.
local text = cjson.encode({ userId = ARGV[2], createdAt = now, usedAt = now })
redis.call("SET", KEYS[1], text, "PX", ARGV[3])
return text
