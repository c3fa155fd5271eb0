local function answer()
  local state = load()

  for _, code in ipairs(state.codes) do
    if code.messageId == request.messageId then
      if code.repeats > 0 then
        code.repeats = code.repeats - 1
      else
        for index, at in ipairs(state.charges) do
          if at == code.chargedAt then
            table.remove(state.charges, index)
            break
          end
        end
        code.chargedAt = 0
      end
      save(state)
      break
    end
  end
  return cjson.encode({ kind = "refunded" })
end
