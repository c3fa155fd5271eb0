-- Returns the live sessions as JSON with their ids, most recently used first.
local live = {}
for _, session in ipairs(load()) do
  if isLive(session) then live[#live + 1] = session end
end
table.sort(live, lastUsedFirst)
local texts = {}
for index, session in ipairs(live) do texts[index] = cjson.encode(session) end
return texts
