-- SPDX-License-Identifier: Apache-2.0
-- What happens to a world (spec/support/world.lua) that means no good, by chance: each begins something that ends by
-- itself after a while, by the function that it returns, or at once.
local moonpool = require "moonpool"

local disturbances = {}

local codes = { "OVERLOADED", "SERVER_ERROR", "IS_BOOTSTRAPPING", "READ_TIMEOUT", "WRITE_TIMEOUT", "UNAVAILABLE",
  "TRUNCATE_ERROR", "READ_FAILURE", "WRITE_FAILURE" }

-- disturbances.list[i](world, node): nil, or a function that undoes it.
disturbances.list = {
  function(world, node)
    if not world.cluster:node(node).running then return end
    world.cluster:kill(node)
    return function() if not world.cluster:node(node).serving then world.cluster:start(node) end end
  end,
  function(world, node)
    local info = world.cluster:node(node)
    if not info.running or info.paused then return end
    world.cluster:pause(node)
    return function() if world.cluster:node(node).paused then world.cluster:resume(node) end end
  end,
  function(world, node) world.sim:cut(node) end,
  function(world, node)
    world:blackhole(node)
    return function() world:blackhole(node, false) end
  end,
  function(world, node)
    world:partition(node)
    return function() world:partition(node, false) end
  end,
  function(world, node)
    local address = world.cluster:node(node).address
    world.sim:latency(5 + world.random(200), 50, address)
    return function() world.sim:latency(0.25, 0, address) end
  end,
  function(world, node)
    local code = codes[world.random(#codes) + 1]
    local rule = world.cluster:rule { node = node, opcode = "EXECUTE", probability = 0.5, error = { code = code,
      received = 1, required = 2 } }
    return function() rule:remove() end
  end,
  function(world, node)
    world.cluster:rule { node = node, opcode = "EXECUTE", reset = true, apply = world.random(2) == 0, times = 1,
      skip = world.random(20) }
  end,
  function(world, node)
    world.cluster:rule { node = node, opcode = "EXECUTE", drop = true, times = 1 + world.random(4) }
  end,
  function(world, node)
    world.cluster:rule { node = node, opcode = "EXECUTE", late = 200 + world.random(1500), times = 1 + world.random(4) }
  end,
  function(world, node)
    world.cluster:rule { node = node, opcode = "EXECUTE", cut = world.random(30), times = 1 }
  end,
  function(world, node)
    world.cluster:rule { node = node, opcode = "EXECUTE", corrupt = world.random(30), times = 1 }
  end,
  function(world, node) world.cluster:forgetPrepared(node) end,
  function(world, node)
    local info = world.cluster:node(node)
    if not info.running or info.paused or not info.serving then return end
    world.cluster:drain(node)
    return function() if not world.cluster:node(node).serving then world.cluster:start(node) end end
  end,
  function(world)
    if world.joined then return end
    world.joined = world.cluster:addNode()
    return function()
      moonpool.sleep(3000)
      local info = world.cluster:node(world.joined)
      if info.serving and not info.paused then
        world.cluster:removeNode(world.joined)
        world.joined = nil
      end
    end
  end,
  function(world, node)
    local info = world.cluster:node(node)
    if not info.running or info.paused or not info.serving then return end
    world.moved = (world.moved or 100) % 250 + 1
    world.cluster:setAddress(node, "127.0.1." .. world.moved)
  end,
}

-- One after the other, at most `pause` ms apart, each for at most `span` ms, until stop.now; of `list`.
function disturbances.run(world, stop, pause, span, list)
  list = list or disturbances.list
  while not stop.now do
    moonpool.sleep(20 + world.random(pause))
    local node = world.random(world.nodes) + 1
    local undo = list[world.random(#list) + 1](world, node)
    if undo then
      local lasts = 50 + world.random(span)
      world:spawn(function()
        moonpool.sleep(lasts)
        undo()
        return true
      end)
    end
  end
  return true
end

return disturbances
