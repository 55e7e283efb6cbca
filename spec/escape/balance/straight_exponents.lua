-- SPDX-License-Identifier: Apache-2.0
-- Reckons with short texts that LuaJIT takes long to read as numbers.
-- must: error: out of fuel
local text = "x999999999999e-300"
local function work()
  local s = text:sub(2)
  local x0 = s + s + s + s + s + s + s + s
  local x1 = s + s + s + s + s + s + s + s
  local x2 = s + s + s + s + s + s + s + s
  local x3 = s + s + s + s + s + s + s + s
  local x4 = s + s + s + s + s + s + s + s
  local x5 = s + s + s + s + s + s + s + s
  local x6 = s + s + s + s + s + s + s + s
  local x7 = s + s + s + s + s + s + s + s
  local x8 = s + s + s + s + s + s + s + s
  local x9 = s + s + s + s + s + s + s + s
  local x10 = s + s + s + s + s + s + s + s
  local x11 = s + s + s + s + s + s + s + s
  local x12 = s + s + s + s + s + s + s + s
  local x13 = s + s + s + s + s + s + s + s
  local x14 = s + s + s + s + s + s + s + s
  local x15 = s + s + s + s + s + s + s + s
  local x16 = s + s + s + s + s + s + s + s
  local x17 = s + s + s + s + s + s + s + s
  local x18 = s + s + s + s + s + s + s + s
  local x19 = s + s + s + s + s + s + s + s
  local x20 = s + s + s + s + s + s + s + s
  local x21 = s + s + s + s + s + s + s + s
  local x22 = s + s + s + s + s + s + s + s
  local x23 = s + s + s + s + s + s + s + s
  local x24 = s + s + s + s + s + s + s + s
  local x25 = s + s + s + s + s + s + s + s
  local x26 = s + s + s + s + s + s + s + s
  local x27 = s + s + s + s + s + s + s + s
  local x28 = s + s + s + s + s + s + s + s
  local x29 = s + s + s + s + s + s + s + s
  local x30 = s + s + s + s + s + s + s + s
  local x31 = s + s + s + s + s + s + s + s
  local x32 = s + s + s + s + s + s + s + s
  local x33 = s + s + s + s + s + s + s + s
  local x34 = s + s + s + s + s + s + s + s
  local x35 = s + s + s + s + s + s + s + s
  local x36 = s + s + s + s + s + s + s + s
  local x37 = s + s + s + s + s + s + s + s
  local x38 = s + s + s + s + s + s + s + s
  local x39 = s + s + s + s + s + s + s + s
  return work()
end
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then work() end
    plan:hosts(localDc, inTurn)
  end,
}
