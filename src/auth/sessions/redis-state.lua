-- The sessions of one user: KEYS[1], a hash of id → JSON. ARGV after the time: idle and lifetime in
-- ms. This file is the beginning of each script.
-- A revoked session leaves a tombstone for a day, so that a late copy of the call that created it,
-- which a frozen server may still run, does not bring it back.
local idleMs, lifetimeMs = tonumber(ARGV[2]), tonumber(ARGV[3])
local markMs = 86400000

local function isLive(session)
  if session.revokedAt then return false end
  return math.min(session.usedAt + idleMs, session.createdAt + lifetimeMs) > now
end

local function load()
  local sessions = {}
  local fields = redis.call("HGETALL", KEYS[1])
  for index = 1, #fields, 2 do
    local session = cjson.decode(fields[index + 1])
    session.id = fields[index]
    sessions[#sessions + 1] = session
  end
  return sessions
end

local function save(session)
  local id = session.id
  session.id = nil
  local text = cjson.encode(session)
  redis.call("HSET", KEYS[1], id, text)
  return text
end

local function lastUsedFirst(a, b)
  if a.usedAt == b.usedAt then return a.id < b.id end
  return a.usedAt > b.usedAt
end
