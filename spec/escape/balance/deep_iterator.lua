-- SPDX-License-Identifier: Apache-2.0
-- Recurses in an iterator.
-- must: error
return balance {
  name = "Escape",
  plan = function(plan, req)
    if req.tag == tags.evil then
      local function f()
        local a, b, c, d, e, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, v, w, x, y, z
        for _ in f do a = 1 end
        return a, b, c, d, e, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, v, w, x, y, z
      end
      f()
    end
    plan:hosts(localDc, inTurn)
  end,
}
