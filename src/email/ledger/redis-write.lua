-- The one step that writes records of the ledger: each is written if it is still what its caller
-- decided on, at a time when the decision still holds; and it says the time of this server.
--
-- KEYS     the records; for each, in turn, eight of ARGV:
--   1      where to write: "absent" (there must be no record), "whole" (over the text of 2), or the
--          offset of the tail that begins with 2; "look" writes nothing
--   2      what must be there; for "absent", the last time at which to write, in Unix ms
--   3      "" for a text that is written as it is; or how many ms after now its lease ends
--   4 - 7  the new text; with 3, between the pieces are now, the end of the lease, and now again;
--          only the end of the lease where 5 is empty, and no last time where 7 is
--   8      how many blanks follow it
-- Returns for each now, when it was written, or {now, the record as it is}, or its error.
--
-- It runs three times a mail: no patterns, no table where a local will do, a time made once.

-- The calendar of days since 1970-01-01, as in Howard Hinnant's "chrono-compatible date algorithms":
-- years begin in March, eras of 400 years have 146097 days.
local function date_of(day)
  local days = day + 719468
  local day_of_era = days % 146097
  local y = day_of_era - (day_of_era - day_of_era % 1460) / 1460
    + (day_of_era - day_of_era % 36524) / 36524 - (day_of_era - day_of_era % 146096) / 146096
  local year_of_era = (y - y % 365) / 365
  local day_of_year = day_of_era - 365 * year_of_era - (year_of_era - year_of_era % 4) / 4
    + (year_of_era - year_of_era % 100) / 100
  local m = 5 * day_of_year + 2
  local month = (m - m % 153) / 153
  local d = 153 * month + 2
  local day_of_month = day_of_year - (d - d % 5) / 5 + 1
  local year = (days - day_of_era) / 146097 * 400 + year_of_era
  if month < 10 then month = month + 3 else month, year = month - 9, year + 1 end
  return string.format("%04d-%02d-%02d", year, month, day_of_month)
end

local dates = {}

local function rfc3339(ms)
  local in_day = ms % 86400000
  local day = (ms - in_day) / 86400000
  local date = dates[day]
  if not date then
    date = date_of(day)
    dates[day] = date
  end
  local in_minute = in_day % 60000
  local minutes = (in_day - in_minute) / 60000
  local in_second = in_minute % 1000
  return string.format("%sT%02d:%02d:%02d.%03dZ", date, (minutes - minutes % 60) / 60, minutes % 60,
    (in_minute - in_second) / 1000, in_second)
end

local clock = redis.call("TIME")
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local at = rfc3339(now)
local times, blanks = {}, {}

local function new_text(n)
  local lease_ms, a, b, c, d = ARGV[n], ARGV[n + 1], ARGV[n + 2], ARGV[n + 3], ARGV[n + 4]
  local blank_count = ARGV[n + 5]
  local blank = blanks[blank_count]
  if not blank then
    blank = string.rep(" ", blank_count)
    blanks[blank_count] = blank
  end
  if lease_ms == "" then return a .. blank end
  local lease_until = times[lease_ms]
  if not lease_until then
    lease_until = rfc3339(now + lease_ms)
    times[lease_ms] = lease_until
  end
  if b == "" then return a .. lease_until .. c .. blank end
  if d == "" then return a .. at .. b .. lease_until .. c .. blank end
  return a .. at .. b .. lease_until .. c .. at .. d .. blank
end

local replies = {}
for i = 1, #KEYS do
  local key, n = KEYS[i], 8 * i - 7
  local where, expected = ARGV[n], ARGV[n + 1]
  local written = false
  if where == "absent" then
    if now <= tonumber(expected) then
      written = redis.pcall("SET", key, new_text(n + 2), "PX", ttl_ms, "NX")
    end
  elseif where == "whole" then
    if redis.pcall("GET", key) == expected then
      written = redis.pcall("SET", key, new_text(n + 2), "PX", ttl_ms)
    end
  elseif where ~= "look" then
    if redis.pcall("GETRANGE", key, where, where + #expected - 1) == expected then
      written = redis.pcall("SETRANGE", key, where, new_text(n + 2))
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
