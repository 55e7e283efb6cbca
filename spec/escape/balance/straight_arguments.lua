-- SPDX-License-Identifier: Apache-2.0
-- Has eighty calls on long texts as arguments of one.
-- must: error: out of fuel
local text = "abcdefghijklmnop"
for _ = 1, 12 do text = text .. text end
local up = string.upper
local function f() end
local function work()
  local u, s = up, text
  f(
    u(s), u(s), u(s), u(s), u(s), u(s), u(s), u(s), u(s), u(s), u(s), u(s), u(s), u(s), u(s), u(s), 
    u(s), u(s), u(s), u(s), u(s), u(s), u(s), u(s), u(s), u(s), u(s), u(s), u(s), u(s), u(s), u(s), 
    u(s), u(s), u(s), u(s), u(s), u(s), u(s), u(s), u(s), u(s), u(s), u(s), u(s), u(s), u(s), u(s), 
    u(s), u(s), u(s), u(s), u(s), u(s), u(s), u(s), u(s), u(s), u(s), u(s), u(s), u(s), u(s), u(s), 
    u(s), u(s), u(s), u(s), u(s), u(s), u(s), u(s), u(s), u(s), u(s), u(s), u(s), u(s), u(s), u(s), 
    1)
end
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then
      while true do work() end
    end
    plan:hosts(localDc, inTurn)
  end,
}
