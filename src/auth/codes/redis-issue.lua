local function charge(state, code)
  state.charges[#state.charges + 1] = now
  code.chargedAt = now
end

local function issue(state)
  local newest
  for _, code in ipairs(state.codes) do
    if code.messageId == request.messageId then return { kind = "issued", code = shown(code) } end
    if code.purpose == request.purpose then newest = code end
  end
  if newest and newest.messageId ~= request.supersedes then
    local repeatableMs = newest.timestamp + policy.repeatWindowMs - now
    if repeatableMs > 0 and newest.chargedAt > 0 then
      if newest.repeats >= policy.repeatsMax then
        return { kind = "rate_limited", limit = "repeats", retryAfterMs = repeatableMs }
      end
      newest.repeats = newest.repeats + 1
      return { kind = "repeated", code = shown(newest) }
    end
    if repeatableMs > 0 and #state.charges < policy.codesMax then
      charge(state, newest)
      return { kind = "repeated", code = shown(newest) }
    end
  end
  if #state.charges >= policy.codesMax then
    local retryAfterMs = state.charges[1] + policy.codesWindowMs - now
    return { kind = "rate_limited", limit = "codes", retryAfterMs = retryAfterMs }
  end
  local code = {
    purpose = request.purpose,
    messageId = request.messageId,
    timestamp = now,
    expiresAt = now + policy.lifetimeMs,
    keyId = request.keyId,
    verifier = request.verifier,
    data = request.data,
    repeats = 0,
    chargedAt = 0,
  }
  charge(state, code)
  state.codes[#state.codes + 1] = code
  if #state.codes > policy.liveCodesMax then table.remove(state.codes, 1) end
  return { kind = "issued", code = shown(code) }
end

local function answer()
  local state = load()
  local outcome = issue(state)
  save(state)
  return cjson.encode(outcome)
end
