-- SPDX-License-Identifier: Apache-2.0
-- Has six hundred calls on texts of four KiB in a row.
-- must: error: out of fuel
local text = "abcdefghijklmnop"
for _ = 1, 8 do text = text .. text end
local up, low = string.upper, string.lower
local TEXT = up(text)
local function work(i)
  local u, l, s, S = up, low, text, TEXT
  u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S)
  u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S)
  u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S)
  u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S)
  u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S)
  u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S)
  u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S)
  u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S)
  u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S)
  u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S)
  u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S)
  u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S)
  u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S)
  u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S)
  u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S)
  u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S)
  u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S)
  u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S)
  u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S)
  u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S)
  u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S)
  u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S)
  u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S)
  u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S)
  u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S)
  u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S)
  u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S)
  u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S)
  u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S)
  u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S)
  u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S)
  u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S)
  u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S)
  u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S)
  u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S)
  u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S)
  u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S)
  u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S)
  u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S)
  u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S)
  u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S)
  u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S)
  u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S)
  u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S)
  u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S)
  u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S)
  u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S)
  u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S)
  u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S)
  u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S) u(s) l(S)
  if i > 0 then return work(i - 1) end
end
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then
      work(1000)
    end
    plan:hosts(localDc, inTurn)
  end,
}
