-- More ARGV: the maximum of sessions, the id, the device. Returns the session's JSON.
local sessionsMax, id, device = tonumber(ARGV[4]), ARGV[5], ARGV[6]

local live = {}
for _, session in ipairs(load()) do
  if session.id == id then return save(session) end
  if isLive(session) then
    live[#live + 1] = session
  elseif not session.revokedAt or session.revokedAt + markMs <= now then
    redis.call("HDEL", KEYS[1], session.id)
  end
end
table.sort(live, lastUsedFirst)
for index = sessionsMax, #live do redis.call("HDEL", KEYS[1], live[index].id) end

local text = save({ id = id, device = device, createdAt = now, usedAt = now })
redis.call("PEXPIRE", KEYS[1], string.format("%.0f", math.max(lifetimeMs, markMs)))
return text
