-- The beginning of every script here. ARGV[1]: the time in ms, or "" for the server's own, so that
-- all replicas use one clock (tests pass their own).
local now = tonumber(ARGV[1])
if not now then
  local time = redis.call("TIME")
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end

-- For merged calls: an error becomes the reply of its own call. Before Redis 7 it is a string,
-- since then a reply.
local function attempt(call, ...)
  local isDone, reply = pcall(call, ...)
  if isDone or type(reply) == "table" then return reply end
  return redis.error_reply(reply)
end
