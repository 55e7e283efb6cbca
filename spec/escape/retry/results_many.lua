-- SPDX-License-Identifier: Apache-2.0
-- Returns seven thousand values.
-- must: harmless
return retry {
  name = "Escape",
  decide = function(err, req)
    if err.required == 77 then
      local t = { nextHost, 0 }
      for i = 4, 7000 do t[i] = i end
      return unpack(t, 1, 7000)
    end
    return err.attempt < 3 and nextHost or giveUp
  end,
}
