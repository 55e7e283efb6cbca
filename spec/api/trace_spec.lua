-- SPDX-License-Identifier: Apache-2.0
-- The C API: what the nodes wrote down about a request that was traced.
local api = require "spec.support.capi"
local C, ffi = api.C, api.ffi

local TOLD = "void (*)(void *, const struct moonpool_trace *, const struct moonpool_error *)"

local function on_cluster(name, body)
  it(name, function()
    api.on_cluster(function(env)
      local session = assert(env:open())
      assert.is_nil(env:connect(session))
      body(env, session)
    end)
  end)
end

local function copy(trace)
  local told = { id = ffi.string(trace.id, 16), events = {}, parameters = {}, duration = tonumber(trace.duration_us),
    started = tonumber(trace.started_ms) }
  for _, field in ipairs { "coordinator", "client", "command", "request" } do told[field] = ffi.string(trace[field]) end
  for i = 0, tonumber(trace.parameter_count) - 1 do
    told.parameters[ffi.string(trace.parameters[i].name)] = ffi.string(trace.parameters[i].value)
  end
  for i = 0, tonumber(trace.event_count) - 1 do
    local event = trace.events[i]
    told.events[i + 1] = { ffi.string(event.source), tonumber(event.elapsed_us) }
    assert.is_true(#ffi.string(event.activity) > 0 and #ffi.string(event.thread) > 0)
  end
  return told
end

-- Begins to read one: a table that gets `trace` or `err`, and `done`.
local function begin(env, session, id)
  local told = {}
  assert.equal(0, C.moonpool_session_trace(session, id, env:callback(TOLD, function(_, trace, err)
    assert.is_nil(told.done)
    told.done, told.err = true, env:error(err)
    told.trace = trace ~= nil and copy(trace) or nil
  end), nil))
  assert.is_nil(told.done)
  return told
end

describe("a trace of the C API", function()
  on_cluster("is what the nodes wrote down about a request", function(env, session)
    local id, host = ffi.new "uint8_t[16]", nil
    local request = C.moonpool_request_new_query(session, "SELECT key FROM system.local", -1)
    assert.equal(0, C.moonpool_request_set_trace(request, true))
    assert(env:execute(request, function(result)
      assert.equal(0, C.moonpool_result_trace_id(result, id))
      host = ffi.string(C.moonpool_result_host(result))
    end))
    local told = begin(env, session, id)
    env:wait("told", function() return told.done end)
    assert.is_nil(told.err)
    local trace = told.trace
    assert.equal(ffi.string(id, 16), trace.id)
    assert.same({ host:match "^[^:]+", "QUERY", "Execute CQL3 query" },
      { trace.coordinator, trace.command, trace.request })
    assert.equal("SELECT key FROM system.local", trace.parameters.query)
    assert.is_true(trace.duration > 0 and trace.started / 1000 > os.time() - 600)
    assert.equal(4, #trace.events)
    for i, event in ipairs(trace.events) do assert.same({ trace.coordinator, 25 * i }, event) end
    env:close(session)
  end)

  on_cluster("ends with the session that it is looked for in, and by an error", function(env, session)
    local none = ffi.new "uint8_t[16]"
    env.cluster:rule { statement = "system_traces", error = "SYNTAX_ERROR", times = 1 }
    local told = begin(env, session, none)
    env:wait("told", function() return told.done end)
    assert.equal("SYNTAX_ERROR", told.err.name)
    told = begin(env, session, none) -- nobody writes it
    local other = begin(env, session, none)
    env:wait("looked for", function() return env.cluster:requests(1) + env.cluster:requests(2) +
      env.cluster:requests(3) > 10 end)
    assert.is_nil(told.done)
    env:close(session)
    assert.same({ C.MOONPOOL_CLOSED, C.MOONPOOL_CLOSED }, { told.err.code, other.err.code })
  end)

  on_cluster("is none in a session that is not connected", function(env, session)
    local other = assert(env:open())
    local never = env:callback(TOLD, function() error "called" end)
    assert.equal(C.MOONPOOL_CLOSED, C.moonpool_session_trace(other, ffi.new "uint8_t[16]", never, nil))
    env:close(other)
    env:close(session)
  end)
end)
