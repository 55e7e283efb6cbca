-- SPDX-License-Identifier: Apache-2.0
-- Home serves until too few of its hosts have been up for `downFor`; then the most wanted datacentre that is well does,
-- by `priority` in regionSettings. That one gives way to another by the same rule, and to home when home has been well
-- for `upFor`: leaving is for an outage, so it takes seconds; returning is for good, so it takes a minute.
local spread = random() -- not all clients return at the same moment

local function least(dc, options)
  return math.max(1, math.min(dc.total, math.max(options.minUpHosts, dc.total * options.minUpRatio)))
end

return failover {
  name = "DatacentreFailoverPolicy",
  options = {
    minUpHosts = 1,  -- with fewer hosts up a datacentre is not usable ...
    minUpRatio = 0,  -- ... nor with less than this part of them
    downFor = 10000, -- ms it must have been unusable before another one serves
    upFor = 60000,   -- ms home must have been usable before it serves again, and up to a quarter longer by chance
  },
  check = function(options)
    for _, name in ipairs { "minUpHosts", "downFor", "upFor" } do
      if options[name] < 0 then error(name .. ": got " .. options[name] .. "; must be 0 or more") end
    end
    local ratio = options.minUpRatio
    if ratio < 0 or ratio > 1 then error("minUpRatio: got " .. ratio .. "; must be 0 to 1") end
  end,
  decide = function(home, serving, options)
    if not serving.isHome and home:upFor(least(home, options)) >= options.upFor * (1 + spread / 4) then return home end
    if serving:downFor(least(serving, options)) < options.downFor then return serving end

    local best
    for _, dc in dcs() do
      local well = dc:upFor(least(dc, options))
      if well >= options.downFor then return dc end -- well for a while: the first of these
      if well > 0 and not best then best = dc end
    end
    return best or serving
  end,
}
