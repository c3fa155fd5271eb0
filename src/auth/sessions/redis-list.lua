-- Answers the live ones as JSON with their ids, the one used last first.
local live = {}
for _, session in ipairs(load()) do
  if isLive(session) then live[#live + 1] = session end
end
table.sort(live, lastUsedFirst)
local texts = {}
for index, session in ipairs(live) do texts[index] = cjson.encode(session) end
return texts
