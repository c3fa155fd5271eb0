-- Notes the id ARGV[1] as the newest of the sorted set KEYS[1], which keeps at most ARGV[2] and
-- lives ARGV[3] ms from now. Its scores are this server's time.

local time = redis.call("TIME")
redis.call("ZADD", KEYS[1], "GT", time[1] * 1000 + math.floor(time[2] / 1000), ARGV[1])
local surplus = redis.call("ZCARD", KEYS[1]) - ARGV[2]
if surplus > 0 then redis.call("ZREMRANGEBYRANK", KEYS[1], 0, surplus - 1) end
redis.call("PEXPIRE", KEYS[1], ARGV[3])
return 1
