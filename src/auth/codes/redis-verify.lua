-- Verifiers are compared with ==: Lua keeps each string once and compares addresses, in constant
-- time. All of them are compared, whichever matches.
local function countWrongTry(state)
  state.tries[#state.tries + 1] = now
  if #state.tries < policy.triesMax then return { kind = "wrong" } end
  local lockedForMs = math.min(policy.lockMs * 2 ^ state.locks, policy.lockMsMax)
  state.lockedUntil = now + lockedForMs
  state.locks = state.locks + 1
  state.tries = {}
  return { kind = "wrong", lockedForMs = lockedForMs }
end

local function answer()
  local state = load()
  if state.used and state.used.attempt == request.attempt then
    return cjson.encode({ kind = "verified", messageId = state.used.messageId })
  end
  if state.lockedUntil > now then
    return cjson.encode({ kind = "locked", retryAfterMs = state.lockedUntil - now })
  end

  local matched
  for _, code in ipairs(state.codes) do
    for _, verifier in ipairs(request.verifiers) do
      local equal = code.verifier == verifier
      if equal and code.purpose == request.purpose then matched = code.messageId end
    end
  end

  if not matched then
    local outcome = countWrongTry(state)
    save(state)
    return cjson.encode(outcome)
  end
  if request.consume then
    state.codes = keep(state.codes, function(code) return code.purpose ~= request.purpose end)
    state.used = { attempt = request.attempt, messageId = matched }
    state.locks = 0
    save(state)
  end
  return cjson.encode({ kind = "verified", messageId = matched })
end
