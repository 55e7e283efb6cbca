-- SPDX-License-Identifier: Apache-2.0
-- The examples of the seed document that need no faults (examples/seed), on a real Cassandra.
local moonpool = require "moonpool"
local live = require "spec.support.live"

local FOLDER = MOONPOOL_ROOT .. "/examples/seed/"

describe("on a real Cassandra the seed document's example", function()
  setup(function() live.cluster() end)

  local pipe = assert(io.popen("grep -L 'seed.faults()' '" .. FOLDER .. "'[0-9]*.lua"))
  for path in pipe:lines() do
    local name = path:match "([^/]*)%.lua$"
    it(name:gsub("_", " "), function()
      local chunk = assert(loadfile(path))
      setfenv(chunk, setmetatable({ print = function() end }, { __index = _G }))
      assert.is_nil(moonpool.embedded)
      moonpool.run(chunk)
    end)
  end
  pipe:close()
end)
