-- SPDX-License-Identifier: Apache-2.0
-- A fixed range of seeds of each generator that says how many the suite runs (`suite`); scripts/hunt goes on from
-- there. Generators with specs of their own beside them have no such number.
local pipe = assert(io.popen("cd '" .. MOONPOOL_ROOT .. "/spec/hunt' && ls"))
for file in pipe:lines() do
  local name = file:match "^(.*)%.lua$"
  if name and not name:match "_spec$" and name ~= "hunt" and name ~= "random" then
    local generator = require("spec.hunt." .. name)
    for seed = 1, generator.suite or 0 do
      it("finds nothing: " .. name .. ", seed " .. seed, function()
        local found = generator.run(seed)
        assert(not found, found)
      end)
    end
  end
end
pipe:close()
