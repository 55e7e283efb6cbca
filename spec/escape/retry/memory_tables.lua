-- SPDX-License-Identifier: Apache-2.0
-- Takes all memory by tables.
-- must: error: 
return retry {
  name = "Escape",
  decide = function(err, req)
    if err.required == 77 then
      local t = {}
      while true do t[#t + 1] = { 1, 2, 3 } end
    end
    return err.attempt < 3 and nextHost or giveUp
  end,
}
