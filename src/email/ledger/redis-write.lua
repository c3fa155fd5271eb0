-- The one step that writes records of the ledger: each is written if it is still what its caller
-- decided on, at a time when the decision still holds; and it says the time of this server.
--
-- KEYS     the records; for each, in turn, six of ARGV:
--   1      where to write: "absent" (there must be no record), "whole" (over the text of 2), or the
--          offset of the tail that begins with 2; "look" writes nothing
--   2      what must be there; for "absent", the last time at which to write, in Unix ms
--   3      "" for a text that is written as it is; or how many ms after now its lease ends
--   4, 5   the new text; with 3, in 5 "%s" is now, then the end of the lease, then now again
--   6      how many blanks follow it
-- Returns for each now, when it was written, or {now, the record as it is}, or its error.
--
-- It runs three times a mail: no patterns, no table where a local will do, a time made once.

-- The calendar of days since 1970-01-01, as in Howard Hinnant's "chrono-compatible date algorithms":
-- years begin in March, eras of 400 years have 146097 days.
local function rfc3339(ms)
  local in_day = ms % 86400000
  local days = (ms - in_day) / 86400000 + 719468
  local day_of_era = days % 146097
  local y = day_of_era - (day_of_era - day_of_era % 1460) / 1460
    + (day_of_era - day_of_era % 36524) / 36524 - (day_of_era - day_of_era % 146096) / 146096
  local year_of_era = (y - y % 365) / 365
  local day_of_year = day_of_era - 365 * year_of_era - (year_of_era - year_of_era % 4) / 4
    + (year_of_era - year_of_era % 100) / 100
  local m = 5 * day_of_year + 2
  local month = (m - m % 153) / 153
  local d = 153 * month + 2
  local day = day_of_year - (d - d % 5) / 5 + 1
  local year = (days - day_of_era) / 146097 * 400 + year_of_era
  if month < 10 then month = month + 3 else month, year = month - 9, year + 1 end
  local minutes = (in_day - in_day % 60000) / 60000
  return string.format("%04d-%02d-%02dT%02d:%02d:%06.3fZ", year, month, day,
    (minutes - minutes % 60) / 60, minutes % 60, in_day % 60000 / 1000)
end

local clock = redis.call("TIME")
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local at = rfc3339(now)
local times, blanks = {}, {}

local function new_text(lease_ms, start, text, blank_count)
  if lease_ms ~= "" then
    local lease_until = times[lease_ms]
    if not lease_until then
      lease_until = rfc3339(now + lease_ms)
      times[lease_ms] = lease_until
    end
    text = string.format(text, at, lease_until, at)
  end
  local blank = blanks[blank_count]
  if not blank then
    blank = string.rep(" ", blank_count)
    blanks[blank_count] = blank
  end
  return start .. text .. blank
end

local replies = {}
for i = 1, #KEYS do
  local key, n = KEYS[i], 6 * i - 5
  local where, expected = ARGV[n], ARGV[n + 1]
  local written = false
  if where == "absent" then
    if now <= tonumber(expected) then
      local text = new_text(ARGV[n + 2], ARGV[n + 3], ARGV[n + 4], ARGV[n + 5])
      written = redis.pcall("SET", key, text, "PX", ttl_ms, "NX")
    end
  elseif where == "whole" then
    if redis.pcall("GET", key) == expected then
      local text = new_text(ARGV[n + 2], ARGV[n + 3], ARGV[n + 4], ARGV[n + 5])
      written = redis.pcall("SET", key, text, "PX", ttl_ms)
    end
  elseif where ~= "look" then
    if redis.pcall("GETRANGE", key, where, where + #expected - 1) == expected then
      local text = new_text(ARGV[n + 2], ARGV[n + 3], ARGV[n + 4], ARGV[n + 5])
      written = redis.pcall("SETRANGE", key, where, text)
      if type(written) == "number" then redis.call("PEXPIRE", key, ttl_ms) end
    end
  end
  if not written then
    local text = redis.pcall("GET", key)
    replies[i] = type(text) == "table" and text or { now, text }
  elseif type(written) == "table" and written.err then
    replies[i] = written -- an error of this record alone
  else
    replies[i] = now
  end
end
return replies
