-- Reads the states of addresses. KEYS: the addresses; ARGV: for each the time in ms, or "" for the
-- server's own (see redis-now.lua). Returns for each {now, the text, "" for none}; a key of another
-- type reads as none, and fails the swap.
local texts = redis.call("MGET", unpack(KEYS))
for index = 1, #KEYS do
  texts[index] = { tonumber(ARGV[index]) or now, texts[index] or "" }
end
return texts
