-- More ARGV: the id to revoke, or "" for all but the next; the id to keep, or "".
-- Returns how many live sessions were revoked.
local only, kept = ARGV[4], ARGV[5]
local count = 0
for _, session in ipairs(load()) do
  local meant = session.id ~= kept and (only == "" or session.id == only)
  if meant and isLive(session) then
    save({ id = session.id, revokedAt = now })
    count = count + 1
  end
end
return count
