-- SPDX-License-Identifier: Apache-2.0
-- logging.level is a key of one pool: of its session, connections, policies and handlers, and of nobody else's.
local policies = require "spec.support.policies"

local folder

-- What an application writes, line by line; it begins on an embedded cluster of two nodes.
local function lines_of(text)
  local path = folder .. "/app.lua"
  policies.write(path, [[
    local moonpool = require "moonpool"
    local function open(level, more)
      local given = { contactPoints = { "127.0.0.1" }, localDataCenter = "datacenter1", logging = { level = level },
        pooling = { reconnectBaseDelay = 50, reconnectMaxDelay = 100 } }
      for key, value in pairs(more or {}) do given[key] = value end
      return moonpool.ConnectionPool(given)
    end
    local function connected(...)
      local pool = open(...)
      assert(pool:connect())
      return pool
    end
    local function say(text) io.stderr:write(text, "\n") end
    local function lose_a_node()
      say "lost"
      moonpool.embedded:kill(2)
      moonpool.sleep(200)
      say "end"
    end
  ]] .. text)
  local pipe = assert(io.popen(string.format("'%s/moonpool' run --embedded 2 '%s' 2>&1", MOONPOOL_BUILD_DIR, path)))
  local lines = {}
  for line in pipe:lines() do lines[#lines + 1] = line end
  pipe:close()
  return lines
end

-- How many of the lines between "lost" and "end" are of a connection: 127.0.0.2:9042#3: ...
local function of_connections(lines)
  local count, inside, ended = 0, false, false
  for _, line in ipairs(lines) do
    inside = (inside or line == "lost") and line ~= "end"
    ended = ended or line == "end"
    if inside and line:find "%d#%d+: " then count = count + 1 end
  end
  assert.is_true(ended, table.concat(lines, "\n"))
  return count
end

local function with(lines, text)
  local count = 0
  for _, line in ipairs(lines) do
    if line:find(text, 1, true) then count = count + 1 end
  end
  return count
end

describe("the level of a pool's log", function()
  before_each(function() folder = policies.folder() end)
  after_each(function() policies.remove(folder) end)

  it("is not that of the pool that was made last, or first", function()
    assert.equal(0, of_connections(lines_of [[
      local quiet = connected "off"
      connected "debug":close()
      lose_a_node()
      quiet:close()
    ]]))
    assert.is_true(of_connections(lines_of [[
      local loud = connected "debug"
      connected "off":close()
      lose_a_node()
      loud:close()
    ]]) > 0)
  end)

  it("is that of its policies", function()
    for _, name in ipairs { "quiet", "loud" } do
      policies.write(folder .. "/" .. name .. ".lua", ([[
        return balance { name = %q, plan = function(plan) log("asked %s") plan:hosts(localDc) end }
      ]]):format(name, name))
    end
    local lines = lines_of(([[
      local loud = connected("warn", { loadBalancing = { policy = "%s/loud.lua" } })
      local quiet = connected("error", { loadBalancing = { policy = "%s/quiet.lua" } })
      for _, pool in ipairs { loud, quiet } do
        assert(pool:execute "SELECT key FROM system.local")
        pool:close()
      end
    ]]):format(folder, folder))
    assert.equal(1, with(lines, "asked loud"), table.concat(lines, "\n"))
    assert.equal(0, with(lines, "asked quiet"), table.concat(lines, "\n"))
  end)

  it("is that of its handlers, and the one of a coroutine is nobody's", function()
    local lines = lines_of [[
      for _, level in ipairs { "error", "off" } do
        local pool = connected(level)
        pool:on("hostDown", function() error("in a handler of " .. level) end)
        moonpool.embedded:kill(2)
        moonpool.sleep(200)
        moonpool.embedded:start(2)
        pool:close()
      end
      require("moonpool.core_loader").start(function() error "in a coroutine" end)
    ]]
    assert.is_true(with(lines, "in a handler of error") > 0, table.concat(lines, "\n"))
    assert.equal(0, with(lines, "in a handler of off"), table.concat(lines, "\n"))
    assert.is_true(with(lines, "in a coroutine") > 0, table.concat(lines, "\n"))
  end)

  it("silences no warning of a configuration, its own or another's", function()
    local lines = lines_of [[
      open("off", { contactPoints = { "127.0.0.1", "127.0.0.1" } }):close()
      open("error", { pooling = { maxConnectionsPerHost = { ["0"] = 1000 } } }):close()
      open("warn", { pooling = { heartBeatInterval = 0 } }):close()
    ]]
    assert.equal(1, with(lines, "contactPoints[2]"), table.concat(lines, "\n"))
    assert.equal(1, with(lines, "pooling.maxConnectionsPerHost"), table.concat(lines, "\n"))
    assert.equal(1, with(lines, "pooling.heartBeatInterval"), table.concat(lines, "\n"))
  end)
end)
