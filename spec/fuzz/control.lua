-- SPDX-License-Identifier: Apache-2.0
-- Whatever line comes over the control socket, the answer is one line of JSON, an object that says whether it went
-- well; and the pool goes on. `eval` is off, as it is by default.
local control = require "moonpool.cli.control"
local json = require "moonpool.cli.json"
local moonpool = require "moonpool"

local MOST = 4095 -- the socket takes no more
local pool

local function open()
  pool = moonpool.ConnectionPool { contactPoints = { "127.0.0.1" }, localDataCenter = "datacenter1",
    logging = { level = "off" }, pooling = { reconnectBaseDelay = 3600000, reconnectMaxDelay = 3600000 } }
end

return function(input)
  if not pool then open() end
  local line = input:sub(1, MOST):gsub("\n", " ")
  moonpool.run(function()
    local answer = control.answer(line)
    assert(type(answer) == "string" and not answer:find("\n", 1, true), "no line")
    local read = json.decode(answer)
    assert(type(read) == "table" and type(read.ok) == "boolean", answer)
  end)
  assert(pool:getStats(), "the pool is gone")
end
