-- Reads one session of each user; takes merged calls. KEYS has for each call the user's sessions and
-- the copy of the user, ARGV the time and the id. Returns for each the session's JSON, perhaps of one
-- that has ended, the copy as stored and the time, or false when there is none; an error fails only
-- its own call. Whether it is live is not decided here, where every other call waits for it.
local function find(key, userKey, time, id)
  local session = redis.call("HGET", key, id)
  return session and { session, redis.call("GET", userKey), tonumber(time) or now }
end

local replies = {}
for index = 1, #KEYS, 2 do
  replies[#replies + 1] = attempt(find, KEYS[index], KEYS[index + 1], ARGV[index], ARGV[index + 1])
end
return replies
