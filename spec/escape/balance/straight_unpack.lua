-- SPDX-License-Identifier: Apache-2.0
-- Unpacks seven thousand values, two hundred times in a row.
-- must: error: out of fuel
local t, n = {}, 0
for i = 1, 7000 do t[i] = i end
local function work()
  n = n + #{ unpack(t) } + #{ unpack(t) }
  n = n + #{ unpack(t) } + #{ unpack(t) }
  n = n + #{ unpack(t) } + #{ unpack(t) }
  n = n + #{ unpack(t) } + #{ unpack(t) }
  n = n + #{ unpack(t) } + #{ unpack(t) }
  n = n + #{ unpack(t) } + #{ unpack(t) }
  n = n + #{ unpack(t) } + #{ unpack(t) }
  n = n + #{ unpack(t) } + #{ unpack(t) }
  n = n + #{ unpack(t) } + #{ unpack(t) }
  n = n + #{ unpack(t) } + #{ unpack(t) }
  n = n + #{ unpack(t) } + #{ unpack(t) }
  n = n + #{ unpack(t) } + #{ unpack(t) }
  n = n + #{ unpack(t) } + #{ unpack(t) }
  n = n + #{ unpack(t) } + #{ unpack(t) }
  n = n + #{ unpack(t) } + #{ unpack(t) }
  n = n + #{ unpack(t) } + #{ unpack(t) }
  n = n + #{ unpack(t) } + #{ unpack(t) }
  n = n + #{ unpack(t) } + #{ unpack(t) }
  n = n + #{ unpack(t) } + #{ unpack(t) }
  n = n + #{ unpack(t) } + #{ unpack(t) }
  n = n + #{ unpack(t) } + #{ unpack(t) }
  n = n + #{ unpack(t) } + #{ unpack(t) }
  n = n + #{ unpack(t) } + #{ unpack(t) }
  n = n + #{ unpack(t) } + #{ unpack(t) }
  n = n + #{ unpack(t) } + #{ unpack(t) }
  n = n + #{ unpack(t) } + #{ unpack(t) }
  n = n + #{ unpack(t) } + #{ unpack(t) }
  n = n + #{ unpack(t) } + #{ unpack(t) }
  n = n + #{ unpack(t) } + #{ unpack(t) }
  n = n + #{ unpack(t) } + #{ unpack(t) }
  n = n + #{ unpack(t) } + #{ unpack(t) }
  n = n + #{ unpack(t) } + #{ unpack(t) }
  n = n + #{ unpack(t) } + #{ unpack(t) }
  n = n + #{ unpack(t) } + #{ unpack(t) }
  n = n + #{ unpack(t) } + #{ unpack(t) }
  n = n + #{ unpack(t) } + #{ unpack(t) }
  n = n + #{ unpack(t) } + #{ unpack(t) }
  n = n + #{ unpack(t) } + #{ unpack(t) }
  n = n + #{ unpack(t) } + #{ unpack(t) }
  n = n + #{ unpack(t) } + #{ unpack(t) }
  n = n + #{ unpack(t) } + #{ unpack(t) }
  n = n + #{ unpack(t) } + #{ unpack(t) }
  n = n + #{ unpack(t) } + #{ unpack(t) }
  n = n + #{ unpack(t) } + #{ unpack(t) }
  n = n + #{ unpack(t) } + #{ unpack(t) }
  n = n + #{ unpack(t) } + #{ unpack(t) }
  n = n + #{ unpack(t) } + #{ unpack(t) }
  n = n + #{ unpack(t) } + #{ unpack(t) }
  n = n + #{ unpack(t) } + #{ unpack(t) }
  n = n + #{ unpack(t) } + #{ unpack(t) }
  n = n + #{ unpack(t) } + #{ unpack(t) }
  n = n + #{ unpack(t) } + #{ unpack(t) }
  n = n + #{ unpack(t) } + #{ unpack(t) }
  n = n + #{ unpack(t) } + #{ unpack(t) }
  n = n + #{ unpack(t) } + #{ unpack(t) }
  n = n + #{ unpack(t) } + #{ unpack(t) }
  n = n + #{ unpack(t) } + #{ unpack(t) }
  n = n + #{ unpack(t) } + #{ unpack(t) }
  n = n + #{ unpack(t) } + #{ unpack(t) }
  n = n + #{ unpack(t) } + #{ unpack(t) }
  n = n + #{ unpack(t) } + #{ unpack(t) }
  n = n + #{ unpack(t) } + #{ unpack(t) }
  n = n + #{ unpack(t) } + #{ unpack(t) }
  n = n + #{ unpack(t) } + #{ unpack(t) }
  n = n + #{ unpack(t) } + #{ unpack(t) }
  n = n + #{ unpack(t) } + #{ unpack(t) }
  n = n + #{ unpack(t) } + #{ unpack(t) }
  n = n + #{ unpack(t) } + #{ unpack(t) }
  n = n + #{ unpack(t) } + #{ unpack(t) }
  n = n + #{ unpack(t) } + #{ unpack(t) }
  n = n + #{ unpack(t) } + #{ unpack(t) }
  n = n + #{ unpack(t) } + #{ unpack(t) }
  n = n + #{ unpack(t) } + #{ unpack(t) }
  n = n + #{ unpack(t) } + #{ unpack(t) }
  n = n + #{ unpack(t) } + #{ unpack(t) }
  n = n + #{ unpack(t) } + #{ unpack(t) }
  n = n + #{ unpack(t) } + #{ unpack(t) }
  n = n + #{ unpack(t) } + #{ unpack(t) }
  n = n + #{ unpack(t) } + #{ unpack(t) }
  n = n + #{ unpack(t) } + #{ unpack(t) }
  n = n + #{ unpack(t) } + #{ unpack(t) }
  n = n + #{ unpack(t) } + #{ unpack(t) }
  n = n + #{ unpack(t) } + #{ unpack(t) }
  n = n + #{ unpack(t) } + #{ unpack(t) }
  n = n + #{ unpack(t) } + #{ unpack(t) }
  n = n + #{ unpack(t) } + #{ unpack(t) }
  n = n + #{ unpack(t) } + #{ unpack(t) }
  n = n + #{ unpack(t) } + #{ unpack(t) }
  n = n + #{ unpack(t) } + #{ unpack(t) }
  n = n + #{ unpack(t) } + #{ unpack(t) }
  n = n + #{ unpack(t) } + #{ unpack(t) }
  n = n + #{ unpack(t) } + #{ unpack(t) }
  n = n + #{ unpack(t) } + #{ unpack(t) }
  n = n + #{ unpack(t) } + #{ unpack(t) }
  n = n + #{ unpack(t) } + #{ unpack(t) }
  n = n + #{ unpack(t) } + #{ unpack(t) }
  n = n + #{ unpack(t) } + #{ unpack(t) }
  n = n + #{ unpack(t) } + #{ unpack(t) }
  n = n + #{ unpack(t) } + #{ unpack(t) }
  n = n + #{ unpack(t) } + #{ unpack(t) }
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
