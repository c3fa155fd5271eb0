-- The one step that writes records of the ledger: each is written if it is still what its caller
-- decided on, at a time when the decision still holds; and it says the time of this server.
--
-- KEYS     the records; for each, in turn, four of ARGV:
--   1      what must be there: "absent", "begins" or "equals" (2); "look" writes nothing
--   2      the beginning (state, fence, owner, revision: another's write changes it), or the text
--   3      the last time at which to write, in Unix ms
--   4      the new text; in it "\1 number \1" is the time so many ms after now
-- Returns for each now, when it was written, or {now, the record as it is}.
--
-- It runs three times a mail: no patterns, no table where a local will do, a time made once.

local function is_expected(condition, expected, text)
  if condition == "absent" then return not text end
  if condition == "begins" then return text and string.sub(text, 1, #expected) == expected end
  return condition == "equals" and text == expected
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
local times = {}

local function with_times(text)
  local pieces, count, from = {}, 0, 1
  while true do
    local opens = string.find(text, "\1", from, true)
    if not opens then break end
    local closes = string.find(text, "\1", opens + 1, true)
    local after = string.sub(text, opens + 1, closes - 1)
    local time = times[after]
    if not time then
      time = rfc3339(now + after)
      times[after] = time
    end
    pieces[count + 1] = string.sub(text, from, opens - 1)
    pieces[count + 2] = time
    count = count + 2
    from = closes + 1
  end
  pieces[count + 1] = string.sub(text, from)
  return table.concat(pieces)
end

local replies = {}
for i = 1, #KEYS do
  local at = 4 * i
  local text = redis.pcall("GET", KEYS[i])
  if type(text) == "table" then
    replies[i] = text -- an error of this record alone
  elseif not is_expected(ARGV[at - 3], ARGV[at - 2], text) or now > tonumber(ARGV[at - 1]) then
    replies[i] = { now, text }
  else
    redis.call("SET", KEYS[i], with_times(ARGV[at]), "PX", ttl_ms)
    replies[i] = now
  end
end
return replies
