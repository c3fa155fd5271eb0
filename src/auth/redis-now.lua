-- The beginning of every script here. ARGV[1]: the time in ms, or "" for the server's own, so that
-- all replicas go by one clock (tests bring theirs).
local now = tonumber(ARGV[1])
if not now then
  local time = redis.call("TIME")
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end
