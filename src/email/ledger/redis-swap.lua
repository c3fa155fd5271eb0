-- The one step that writes a record of the ledger: it writes if the record is still what the caller
-- decided on, at a time when the decision still holds, and says the time of this server.
--
-- KEYS[1]  the record
-- ARGV[1]  what must be there: "absent", "begins" or "equals" (ARGV[2]); "look" writes nothing
-- ARGV[2]  the beginning (state, fence, owner, revision: another's write changes it), or the text
-- ARGV[3]  the new text; a time in it that depends on now stands as \1<ms after now>\1
-- ARGV[4]  how long it lives, in ms
-- ARGV[5]  the last time at which to write, in Unix ms
-- Returns {1, now}, or {0, now, the record as it is}.

local function is_expected(text)
  if ARGV[1] == "absent" then return not text end
  if ARGV[1] == "begins" then return text and string.sub(text, 1, #ARGV[2]) == ARGV[2] end
  return ARGV[1] == "equals" and text == ARGV[2]
end

-- The calendar of days since 1970-01-01, as in Howard Hinnant's "chrono-compatible date algorithms".
local function rfc3339(ms)
  local days = math.floor(ms / 86400000)
  local rest = ms - days * 86400000
  local era = math.floor((days + 719468) / 146097)
  local doe = days + 719468 - era * 146097
  local yoe = math.floor((doe - math.floor(doe / 1460) + math.floor(doe / 36524)
    - math.floor(doe / 146096)) / 365)
  local doy = doe - (365 * yoe + math.floor(yoe / 4) - math.floor(yoe / 100))
  local march_month = math.floor((5 * doy + 2) / 153)
  local day = doy - math.floor((153 * march_month + 2) / 5) + 1
  local month = march_month < 10 and march_month + 3 or march_month - 9
  local year = yoe + era * 400 + (month <= 2 and 1 or 0)
  return string.format("%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", year, month, day,
    math.floor(rest / 3600000), math.floor(rest / 60000) % 60, math.floor(rest / 1000) % 60,
    rest % 1000)
end

local clock = redis.call("TIME")
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local text = redis.call("GET", KEYS[1])
if not is_expected(text) or now > tonumber(ARGV[5]) then return {0, now, text} end
local dated = string.gsub(ARGV[3], "\1(%d+)\1", function(ms) return rfc3339(now + ms) end)
redis.call("SET", KEYS[1], dated, "PX", ARGV[4])
return {1, now}
