-- SPDX-License-Identifier: Apache-2.0
-- Floods the log with long lines of control characters.
-- must: harmless
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then
      local text = "\n\r\27[2J\0%s%n"
      for _ = 1, 12 do text = text .. text end
      for _ = 1, 100 do log(text) end
      log(req) log(nil) log({}) log(1LL)
    end
    plan:hosts(localDc, inTurn)
  end,
}
