-- SPDX-License-Identifier: Apache-2.0
-- BATCH by the tiny client of rawclient.lua.
local ffi = require "ffi"
local C = require "spec.support.c"
local raw = require "spec.support.rawclient"
local str = raw.str

local batch = {}

-- `statements`: texts, prepared statements, or { either, value, ... }. The stream, for conn:wait().
function batch.start(conn, kind, statements, options)
  return conn:ask(function(buf, stream)
    local params, anchors = raw.query_params(options or {})
    local bytes = raw.with_buf(function(run)
      for i, statement in ipairs(statements) do
        if type(statement) ~= "table" or statement.kind then statement = { statement } end
        local what, values = statement[1], { unpack(statement, 2) }
        local bound, kept = raw.query_params { values = values }
        local one = ffi.new("struct mp_batch_statement", { value_count = #values, values = bound.values })
        if type(what) == "string" then one.cql = str(what) else one.id = str(what.id) end
        anchors[2 + i] = kept
        C.mp_batch_put(run, one)
      end
    end)
    local body = ffi.new("struct mp_batch_body", { type = C["MP_BATCH_" .. kind], count = #statements,
      statements = str(bytes) })
    C.mp_encode_batch(buf, conn.version, options and options.tracing and C.MP_FLAG_TRACING or 0, stream, body, params)
    return anchors
  end)
end

function batch.run(conn, ...) return conn:wait(batch.start(conn, ...)) end

return batch
