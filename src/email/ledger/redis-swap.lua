-- The one step that writes a record of the ledger: it writes if the record is still what the caller
-- decided on, at a time when the decision still holds, and says the time of this server.
--
-- KEYS[1]  the record
-- ARGV[1]  what must be there: "absent", "begins" or "equals" (ARGV[2]); "look" writes nothing
-- ARGV[2]  the beginning (state, fence, owner, revision: another's write changes it), or the text
-- ARGV[3]  how long it lives, in ms
-- ARGV[4]  the last time at which to write, in Unix ms
-- ARGV[5]  the new text, ARGV[6] so many ms after now as a time, ARGV[7] more text, and so on
-- Returns {1, now}, or {0, now, the record as it is}.
--
-- It runs three times a mail: no patterns, no table where a local will do.

local function is_expected(text)
  if ARGV[1] == "absent" then return not text end
  if ARGV[1] == "begins" then return text and string.sub(text, 1, #ARGV[2]) == ARGV[2] end
  return ARGV[1] == "equals" and text == ARGV[2]
end

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
local text = redis.call("GET", KEYS[1])
if not is_expected(text) or now > tonumber(ARGV[4]) then return {0, now, text} end
local new, after, time = ARGV[5], nil, nil
for i = 6, #ARGV, 2 do
  if ARGV[i] ~= after then
    after = ARGV[i]
    time = rfc3339(now + after)
  end
  new = new .. time .. ARGV[i + 1]
end
redis.call("SET", KEYS[1], new, "PX", ARGV[3])
return {1, now}
