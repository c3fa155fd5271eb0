-- KEYS[1]: the copy of a user, "<until>:<JSON>". ARGV after the time: by when to keep this one, for how
-- many ms, and its JSON; "" for none, which replaces any.
-- A late copy of the call, which a frozen server may still run, keeps nothing: its time is over.
local keepBy, keptMs, user = tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4]
if now > keepBy then return end
local kept = redis.call("GET", KEYS[1])
if user ~= "" and kept and tonumber(string.match(kept, "^%d+")) > now then return end
redis.call("SET", KEYS[1], string.format("%.0f:%s", now + keptMs, user), "PX", keptMs)
