-- SPDX-License-Identifier: Apache-2.0
-- pool:batch(statements, options): what is a matter of control flow. Texts with parameters are prepared before any
-- value is bound; a statement whose table may have changed is asked about again.
local core = require "moonpool.core_loader"
local async = require "moonpool.async"
local answer = require("moonpool.result").answer

local checkBatch, submitBatch = core.checkBatch, core.submitBatch

local batch = {}

-- Statements by their texts, and how long it took; or nil and why not, with the statement's number.
local function prepare_all(self, asked, timeout)
  local began, known, spent = core.now(), {}, 0
  for _, wanted in ipairs(asked) do
    local left = timeout and math.max(1, timeout - math.floor(spent))
    local statement, err = core.prepare(self, wanted.cql, { keyspace = wanted.keyspace, timeout = left })
    if not statement then
      if type(err) == "table" then err.message = "statement " .. wanted.number .. ": " .. err.message end
      return nil, err
    end
    known[wanted.cql] = statement
    spent = core.now() - began
  end
  return known, math.floor(spent)
end

-- result | nil, err
function batch.run(self, statements, options)
  local asked = checkBatch(self, statements, options, "batch")
  local known, spent
  if asked then
    known, spent = prepare_all(self, asked, options and options.timeout)
    if not known then return nil, spent end
  end
  local result, err = submitBatch(self, statements, options, known, spent)
  if result == nil and err == nil then return answer() end
  return result, err
end

-- a future of the same
function batch.start(self, statements, options)
  local asked = checkBatch(self, statements, options, "batchAsync")
  if asked then
    return async.request(function() return prepare_all(self, asked, options and options.timeout) end,
      function(to, known, spent) submitBatch(self, statements, options, known, spent, to) end)
  end
  local future = core.future(true)
  submitBatch(self, statements, options, nil, nil, future)
  return future
end

return batch
