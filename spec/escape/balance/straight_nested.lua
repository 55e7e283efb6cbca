-- SPDX-License-Identifier: Apache-2.0
-- Puts a text together in one statement.
-- must: error: not enough memory: a text of more than 65536 bytes
local text = "abcdefghijklmnop"
for _ = 1, 8 do text = text .. text end
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then
      local s = text
      s = ((s .. s) .. (s .. s) .. (s .. s) .. (s .. s)) .. ((s .. s) .. (s .. s) .. (s .. s) .. (s .. s))
        .. ((s .. s) .. (s .. s) .. (s .. s) .. (s .. s)) .. ((s .. s) .. (s .. s) .. (s .. s) .. (s .. s))
    end
    plan:hosts(localDc, inTurn)
  end,
}
