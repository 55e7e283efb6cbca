-- SPDX-License-Identifier: Apache-2.0
-- The control socket below its verbs: lines each way over the loop's own sockets.
local core = require "moonpool.core_loader"
local moonpool = require "moonpool"
local policies = require "spec.support.policies"
local it_in = require("spec.support.world").inside(it)

describe("a control socket", function()
  local folder, path
  before_each(function()
    folder = policies.folder()
    path = folder .. "/ctl.sock"
  end)
  after_each(function() os.execute("rm -rf '" .. folder .. "'") end)

  local function with_server(handler, body)
    moonpool.run(function()
      local server
      server = assert(core.listenControl(path, function(client, line) handler(server, client, line) end))
      local ok, why = pcall(body, server)
      core.closeControl(server)
      if not ok then error(why, 0) end
    end)
    assert.is_nil(io.open(path))
  end

  it("carries a line and its answer, of any length up to the bounds", function()
    with_server(function(server, client, line) core.replyControl(server, client, line:rep(1000)) end, function()
      for _, line in ipairs { "", "hello", ("x"):rep(4000) } do
        assert.equal(line:rep(1000), core.askControl(path, line, 5000))
      end
      local answer, why = core.askControl(path, ("x"):rep(4096), 5000)
      assert.is_nil(answer)
      assert.equal("the process closed the connection without an answer", why)
    end)
  end)

  it("serves many at once, and answers those that wait for a handler", function()
    with_server(function(server, client, line)
      moonpool.sleep(20)
      core.replyControl(server, client, line .. "!")
    end, function()
      local futures = {}
      for i = 1, 16 do futures[i] = moonpool.spawn(core.askControl, path, tostring(i), 5000) end
      local results = assert(moonpool.all(futures))
      for i = 1, 16 do assert.equal(i .. "!", results[i]) end
    end)
  end)

  it("tells when there is no answer in time, or nobody", function()
    with_server(function() end, function(server)
      local answer, why = core.askControl(path, "x", 30)
      assert.is_nil(answer)
      assert.equal("no answer in time", why)
      local future = moonpool.spawn(core.askControl, path, "x", 5000)
      moonpool.sleep(20)
      core.closeControl(server)
      answer, why = future:wait()
      assert.is_nil(answer)
      assert.equal("the process closed the connection without an answer", why)
      assert.same({ nil, "no process serves it" }, { core.askControl(path, "x", 30) })
    end)
  end)

  it("is one at a path, and its removal touches no other", function()
    with_server(function(server, client) core.replyControl(server, client, "first") end, function(server)
      assert.same({ nil, "another process serves it" }, { core.listenControl(path, function() end) })
      assert.equal("first", core.askControl(path, "x", 1000))
      os.execute("rm '" .. path .. "'")
      local second = assert(core.listenControl(path, function() end))
      core.closeControl(server)
      assert.is_true(os.execute("test -S '" .. path .. "'") == 0)
      core.closeControl(second)
    end)
  end)

  it("forgets an answer that comes too late", function()
    local late
    with_server(function(server, client)
      late = function() core.replyControl(server, client, "late") end
    end, function()
      core.askControl(path, "x", 20)
      moonpool.sleep(20)
      late()
      core.replyControl(assert(core.listenControl(path .. "2", function() end)), 99, "nobody")
    end)
    late()
  end)

  it_in("does not exist in virtual time", function()
    assert.same({ nil, "not supported" }, { core.listenControl("/tmp/x", function() end) })
    assert.same({ nil, "not supported" }, { core.askControl("/tmp/x", "x", 10) })
  end)
end)
