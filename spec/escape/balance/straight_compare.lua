-- SPDX-License-Identifier: Apache-2.0
-- Compares texts of sixty-four KiB that differ in the last letter.
-- must: error: out of fuel
local text = "abcdefghijklmnop"
for _ = 1, 11 do text = text .. text end
local a, b = text .. "a", text .. "b"
local function work()
  local n = 0
  if a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b then n = n + 1 end
  if a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b then n = n + 1 end
  if a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b then n = n + 1 end
  if a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b then n = n + 1 end
  if a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b then n = n + 1 end
  if a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b then n = n + 1 end
  if a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b then n = n + 1 end
  if a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b then n = n + 1 end
  if a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b then n = n + 1 end
  if a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b then n = n + 1 end
  if a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b then n = n + 1 end
  if a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b then n = n + 1 end
  if a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b then n = n + 1 end
  if a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b then n = n + 1 end
  if a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b then n = n + 1 end
  if a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b then n = n + 1 end
  if a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b then n = n + 1 end
  if a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b then n = n + 1 end
  if a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b then n = n + 1 end
  if a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b then n = n + 1 end
  if a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b then n = n + 1 end
  if a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b then n = n + 1 end
  if a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b then n = n + 1 end
  if a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b then n = n + 1 end
  if a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b then n = n + 1 end
  if a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b then n = n + 1 end
  if a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b then n = n + 1 end
  if a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b then n = n + 1 end
  if a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b then n = n + 1 end
  if a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b then n = n + 1 end
  if a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b then n = n + 1 end
  if a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b then n = n + 1 end
  if a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b then n = n + 1 end
  if a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b then n = n + 1 end
  if a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b then n = n + 1 end
  if a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b then n = n + 1 end
  if a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b then n = n + 1 end
  if a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b then n = n + 1 end
  if a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b then n = n + 1 end
  if a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b or a > b then n = n + 1 end
  return work()
end
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then
      work()
    end
    plan:hosts(localDc, inTurn)
  end,
}
