-- The end of every script here, for calls that are merged: one key each, and in ARGV for each in
-- turn the time (see above), the policy and the request. Each is answered on its own.
local replies, policyText = {}, nil
for index = 1, #KEYS do
  local at = 3 * (index - 1)
  key = KEYS[index]
  now = tonumber(ARGV[at + 1]) or now
  if ARGV[at + 2] ~= policyText then
    policyText = ARGV[at + 2]
    policy = cjson.decode(policyText)
  end
  request = cjson.decode(ARGV[at + 3])
  replies[index] = attempt(answer)
end
return replies
