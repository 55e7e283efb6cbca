-- SPDX-License-Identifier: Apache-2.0
-- Settings for a datacentre that is none are told, once for each configuration.
local ffi = require "ffi"
local C = require "spec.support.c"
local session_world = require "spec.support.session_world"

describe("settings of a region", function()
  local world, lines

  local function listen()
    lines = {}
    local log = C.mp_session_log(world.session)
    log.level = C.MP_LOG_WARN
    log.sink = world.loop:callback("void (*)(void *, enum mp_log_level, const char *)", function(_, _, line)
      lines[#lines + 1] = ffi.string(line)
    end)
  end

  local function regions(...)
    local names = { ... }
    local list = ffi.new("struct mp_region[?]", #names)
    for i, name in ipairs(names) do
      list[i - 1].dc, list[i - 1].max_connections = ffi.cast("const char *", name), 4
    end
    return list, #names, names
  end

  local function told()
    local found = {}
    for _, line in ipairs(lines) do
      local name = line:match "regionSettings%['(.-)'%] has no effect"
      if name then found[#found + 1] = name end
    end
    return found
  end

  after_each(function() world:close() end)

  it("that does not exist are a warning that names those which do", function()
    local list, count, kept = regions("dc1", "dc3", "DC2")
    world = session_world.open {
      nodes = { {}, { dc = "dc2" } }, config = { regions = list, region_count = count, local_dc = "dc1" },
    }
    listen()
    assert.is_nil(world:connect())
    assert.same({ "dc3", "DC2" }, told())
    assert.equal("regionSettings['dc3'] has no effect: no host is in such a datacentre; the cluster has: dc1, dc2",
      lines[1])
    world:pass(10000)
    assert.equal(2, #told())
    assert.equal(3, #kept)
  end)

  it("that exist are not", function()
    local list, count = regions("dc1", "dc2")
    world = session_world.open {
      nodes = { {}, { dc = "dc2" } }, config = { regions = list, region_count = count, local_dc = "dc1" },
    }
    listen()
    assert.is_nil(world:connect())
    assert.same({}, told())
  end)
end)
