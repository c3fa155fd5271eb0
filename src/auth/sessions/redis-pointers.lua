-- Returns the value of each of KEYS; takes merged calls, and an error fails only its own call.
local replies = {}
for index, key in ipairs(KEYS) do replies[index] = redis.pcall("GET", key) end
return replies
