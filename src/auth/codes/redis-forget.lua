local function answer()
  local state = load()
  state.codes = {}
  state.used = nil
  save(state)
  return cjson.encode({ kind = "forgotten" })
end
