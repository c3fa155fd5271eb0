-- The sum of the last 1440 minutes' totals in the hash KEYS[1].

local minute = math.floor(redis.call("TIME")[1] / 60)
local totals = redis.call("HGETALL", KEYS[1])
local sum = 0
for i = 1, #totals, 2 do
  if tonumber(totals[i]) > minute - 1440 then sum = sum + tonumber(totals[i + 1]) end
end
return sum
