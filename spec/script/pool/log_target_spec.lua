-- SPDX-License-Identifier: Apache-2.0
-- Where the lines of the log go: the journal with fields, syslog, and the standard error when neither takes them.
local datagrams = require "spec.script.datagrams"
local unix = require "spec.support.unix"
local it_in = require("spec.support.world").inside(it)

local function pool_with(world, to, more)
  local logging = { level = "error", logRequests = true, to = to }
  for key, value in pairs(more or {}) do logging[key] = value end
  local pool = world:pool { logging = logging }
  world:waitUp(pool)
  return pool
end

local function all(socket)
  local list = {}
  for line in function() return socket:take() end do list[#list + 1] = line end
  return list
end

describe("the log", function()
  local socket
  after_each(function()
    if socket then socket:close() end
    socket = nil
  end)

  it_in("goes to the journal, a field for each of its own", function(world)
    socket = datagrams.open "MOONPOOL_JOURNAL"
    local pool = pool_with(world, "journal", { logConnections = true })
    local said = unix.said_by(function() assert(pool:execute "SELECT key FROM system.local WHERE key = 'local'") end)
    assert.equal("", said)
    local lines = all(socket)
    local line = lines[#lines]
    for _, field in ipairs { "^PRIORITY=6\n", "\nSYSLOG_IDENTIFIER=moonpool\n", "\nMESSAGE=request: ",
      "\nMOONPOOL_EVENT=request\n", "\nMOONPOOL_STATEMENT=SELECT key FROM system.local WHERE key = %?\n",
      "\nMOONPOOL_HOST=127%.0%.0%.%d:9042\n", "\nMOONPOOL_ATTEMPTS=1\n" } do
      assert.matches(field, line)
    end
    for each in line:gmatch "[^\n]+" do assert.matches("^[A-Z_]+=", each) end
    assert.matches("MOONPOOL_EVENT=connectionOpened\n", lines[1], 1, true)
    pool:close()
    local closed = table.concat(all(socket))
    assert.matches("\nMOONPOOL_AGE_MS=%d+\n", closed)
    assert.matches("\nMOONPOOL_IN_FLIGHT=0\n", closed)
  end)

  it_in("has one line for a field, and no secret, whatever stands in it", function(world)
    socket = datagrams.open "MOONPOOL_JOURNAL"
    local pool = pool_with(world, "journal", { logErrors = true })
    pool:execute "SELECT nonsense FROM\nPRIORITY=0\nMESSAGE=forged"
    pool:execute "CREATE ROLE ana WITH PASSWORD = 'CANARY'"
    local said = table.concat(all(socket), "\n--\n")
    assert.is_nil(said:find("\nPRIORITY=0", 1, true))
    assert.is_nil(said:find "CANARY")
    assert.is_nil(said:find("\nMESSAGE=forged", 1, true))
    pool:close()
  end)

  it_in("goes to syslog, in its format", function(world)
    socket = datagrams.open "MOONPOOL_SYSLOG"
    local pool = pool_with(world, "syslog", { format = "logfmt", timestamps = false })
    assert(pool:execute "SELECT key FROM system.local")
    assert.matches("^<30>moonpool%[%d+%]: level=info event=request ", (socket:take()))
    pool:execute "SELECT nonsense FROM"
    pool:close()
  end)

  it_in("goes to the standard error when nobody takes it", function(world)
    for _, to in ipairs { "journal", "syslog" } do
      socket = datagrams.open(to == "journal" and "MOONPOOL_JOURNAL" or "MOONPOOL_SYSLOG")
      os.remove(socket.folder .. "/socket")
      local pool = pool_with(world, to)
      local said = unix.said_by(function() assert(pool:execute "SELECT key FROM system.local") end)
      assert.matches("^moonpool info: request: ", said)
      pool:close()
      socket:close()
      socket = nil
    end
  end)
end)
