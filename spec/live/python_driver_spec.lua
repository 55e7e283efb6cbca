-- SPDX-License-Identifier: Apache-2.0
-- The simulated cluster's honesty: the DataStax Python driver runs one script against it and against a real Cassandra,
-- and gets the same answers, line by line.
local live = require "spec.support.live"
local ports = require "spec.support.ports"
local sim = require "moonpool.sim"
local it = live.inCoroutine(it)

local function lines_of(path)
  local list = {}
  for line in io.lines(path) do list[#list + 1] = line end
  return list
end

-- Runs the script while this process goes on serving; its lines.
local function crud(interpreter, version, port)
  local out = os.tmpname()
  local command = string.format("'%s' '%s/spec/live/support/crud.py' %d %d 127.0.0.1 127.0.0.2 127.0.0.3", interpreter,
    MOONPOOL_ROOT, version, port)
  -- The status appears by a rename, so that it is never read half written.
  os.execute(string.format("( %s >'%s' 2>'%s.err'; echo $? >'%s.part'; mv '%s.part' '%s.rc' ) </dev/null &",
    command, out, out, out, out, out))
  local status
  live.eventually(300000, "the script ends", function()
    local file = io.open(out .. ".rc")
    if not file then return false end
    status = file:read "*l"
    file:close()
    return true
  end)
  local answers, errors = lines_of(out), table.concat(lines_of(out .. ".err"), "\n")
  for _, suffix in ipairs { "", ".err", ".rc" } do os.remove(out .. suffix) end
  assert(status == "0", "crud.py failed on port " .. port .. ":\n" .. errors:sub(-3000))
  return answers
end

describe("the Python driver", function()
  for _, version in ipairs { 5, 4 } do
    it("gets from the simulated cluster what it gets from a real one, over v" .. version, function()
      local interpreter = live.python()
      local cluster = sim.cluster{ nodes = 3, port = ports.at(20) }
      local simulated = crud(interpreter, version, ports.at(20))
      cluster:close()
      live.cluster()
      local real = crud(interpreter, version, 9042)
      assert.is_true(#real >= 28)
      for i = 1, math.max(#real, #simulated) do assert.equal(real[i], simulated[i]) end
    end)
  end

  it("works against the simulated cluster over v3 as well", function()
    local cluster = sim.cluster{ nodes = 3, port = ports.at(20) }
    assert.is_true(#crud(live.python(), 3, ports.at(20)) >= 28)
    cluster:close()
  end)
end)
