-- SPDX-License-Identifier: Apache-2.0
-- The simulated cluster's honesty: the DataStax Python driver runs one script against it and against a real Cassandra,
-- and gets the same answers, line by line.
local certificates = require "spec.support.certificates"
local live = require "spec.support.live"
local ports = require "spec.support.ports"
local sim = require "moonpool.sim"
local it = live.inCoroutine(it)

local function crud(interpreter, version, port, authority)
  return (live.run(string.format("CRUD_CA='%s' '%s' '%s/spec/live/support/crud.py' %d %d 127.0.0.1 127.0.0.2 127.0.0.3",
    authority or "", interpreter, MOONPOOL_ROOT, version, port)))
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
      assert.is_true(#real >= 50)
      for i = 1, math.max(#real, #simulated) do assert.equal(real[i], simulated[i]) end
    end)
  end

  for _, version in ipairs { 5, 4, 3 } do
    it("works against the simulated cluster over TLS as well, over v" .. version, function()
      local folder = certificates.folder()
      local cluster = sim.cluster { nodes = 3, port = ports.at(20), tlsCert = folder .. "/good.pem",
        tlsKey = folder .. "/good.key" }
      assert.is_true(#crud(live.python(), version, ports.at(20), folder .. "/ca.pem") >= 50)
      cluster:close()
      certificates.remove(folder)
    end)
  end

  it("works against the simulated cluster over v3 as well", function()
    local cluster = sim.cluster{ nodes = 3, port = ports.at(20) }
    assert.is_true(#crud(live.python(), 3, ports.at(20)) >= 50)
    cluster:close()
  end)
end)
