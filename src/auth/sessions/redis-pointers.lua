-- The value of each of KEYS, for calls that are merged; an error fails its own call alone.
local replies = {}
for index, key in ipairs(KEYS) do replies[index] = redis.pcall("GET", key) end
return replies
