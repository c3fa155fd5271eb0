-- Puts an id (ARGV) first in each list (KEYS): ids with blanks between, each once, at most ids_max,
-- for ttl_ms from now. Most recipients have one mail a day, and cost one command.

local replies = {}
for i = 1, #KEYS do
  local key, id = KEYS[i], ARGV[i]
  local before = redis.pcall("SET", key, id, "PX", ttl_ms, "GET")
  if type(before) == "string" and before ~= id then
    local ids, count = { id }, 1
    for other in string.gmatch(before, "%S+") do
      if other ~= id and count < ids_max then
        count = count + 1
        ids[count] = other
      end
    end
    redis.call("SET", key, table.concat(ids, " "), "PX", ttl_ms)
  end
  replies[i] = type(before) == "table" and before or 1
end
return replies
