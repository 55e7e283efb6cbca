-- SPDX-License-Identifier: Apache-2.0
-- The C API: what a session tells by itself, what it shows, and how it is steered. Its misuse stands in
-- misuse_session.c.
local api = require "spec.support.capi"
local policies = require "spec.support.policies"
local C, ffi = api.C, api.ffi

local EVENT = "void (*)(void *, const struct moonpool_event *)"
local LINE = "void (*)(void *, enum moonpool_log_level, const char *)"

local function on_cluster(name, body)
  it(name, function()
    local folder = policies.folder()
    finally(function() policies.remove(folder) end)
    api.on_cluster(function(env) body(env, folder) end)
  end)
end

local function connected(env, text)
  local session = assert(env:open(text))
  assert.is_nil(env:connect(session))
  return session
end

-- A list that grows by each event: { name, host, reason, from, to, ... }.
local function listen(env, session)
  local list = {}
  assert.equal(0, C.moonpool_session_on_event(session, env:callback(EVENT, function(_, event)
    local one = { kind = tonumber(event.kind), generation = event.generation, from_size = event.from_size,
      to_size = event.to_size, count = event.count }
    for _, field in ipairs { "name", "host", "from", "to", "reason", "keyspace", "table", "policy", "file" } do
      one[field] = ffi.string(event[field])
    end
    list[#list + 1] = one
  end), nil))
  function list.named(name)
    for _, event in ipairs(list) do
      if event.name == name then return event end
    end
  end
  return list
end

local function host_at(env, session, node)
  for i = 0, C.moonpool_session_hosts(session) - 1 do
    local host = C.moonpool_session_host(session, i)
    if ffi.string(host.address) == ("127.0.0.%d:%d"):format(node, env.port) then return host end
  end
end

local function status(env, session, node) return ffi.string(host_at(env, session, node).status) end

describe("events of the C API", function()
  on_cluster("tell hosts, connections and the schema, until the session is closed", function(env)
    local session = assert(env:open())
    local events = listen(env, session)
    assert.is_nil(env:connect(session))
    env:wait("hostUp", function() return events.named "hostUp" and events.named "connectionAdded" end)
    env.cluster:schema "CREATE TABLE ks.told (id int PRIMARY KEY)"
    env:wait("schemaChange", function() return events.named "schemaChange" end)
    local change = events.named "schemaChange"
    assert.same({ "ks", "told", "CREATED", tonumber(C.MOONPOOL_EVENT_SCHEMA_CHANGED) },
      { change.keyspace, change.table, change.reason, change.kind })
    env.cluster:kill(3)
    env:wait("hostDown", function() return events.named "hostDown" end)
    local down = events.named "hostDown"
    assert.equal(("127.0.0.3:%d"):format(env.port), down.host)
    assert.is_true(#down.reason > 0)
    assert.equal(down.host, events.named "connectionLost".host)
    assert.equal(0, C.moonpool_session_on_event(session, nil, nil))
    local count = #events
    env.cluster:start(3)
    env:wait("the host is up", function() return status(env, session, 3) == "up" end)
    assert.equal(count, #events)
    env:close(session)
  end)

  on_cluster("may close the session from inside", function(env)
    local session = assert(env:open())
    local closed = false
    local done = env:callback("void (*)(void *)", function() closed = true end)
    assert.equal(0, C.moonpool_session_on_event(session, env:callback(EVENT, function()
      C.moonpool_session_close(session, done, nil)
    end), nil))
    C.moonpool_session_connect(session, env:callback("void (*)(void *, const struct moonpool_error *)",
      function() end), nil)
    env:wait("closed", function() return closed end)
  end)
end)

describe("the log of the C API", function()
  on_cluster("goes to a callback, which may call nothing else", function(env)
    local lines, codes = {}, {}
    local config = env.config:gsub("'off'", "'debug'")
    local session
    assert.equal(0, C.moonpool_loop_on_log(env.loop, env:callback(LINE, function(_, level, line)
      lines[#lines + 1] = tonumber(level) .. " " .. ffi.string(line)
      codes[C.moonpool_loop_stop(env.loop)] = true
      if session ~= nil then
        codes[C.moonpool_session_close(session, nil, nil)] = true
        codes[C.moonpool_session_hosts(session) == 0 and C.moonpool_last_code()] = true
      end
    end), nil))
    session = connected(env, config)
    env:wait("lines", function() return #lines > 3 end)
    assert.matches("3 session: new %-> connecting", table.concat(lines, "\n"))
    assert.same({ [C.MOONPOOL_INVALID_ARGUMENT] = true }, codes)
    env:close(session)
    assert.equal(0, C.moonpool_loop_on_log(env.loop, nil, nil))
  end)

  on_cluster("goes to a callback without what is secret", function(env)
    local lines = {}
    assert.equal(0, C.moonpool_loop_on_log(env.loop, env:callback(LINE, function(_, _, line)
      lines[#lines + 1] = ffi.string(line)
    end), nil))
    local config = env.config:gsub("'off'", "'debug', logConnections = true, logRequests = true, logErrors = true")
      :gsub("keyspace", "auth = { username = 'ana', password = 'CANARY1', required = false }, keyspace", 1)
    local session = connected(env, config)
    for _, cql in ipairs { "INSERT INTO nothing (id, v) VALUES (1, 'CANARY2')", "SELECT 'CANARY4 FROM x",
      "CREATE ROLE r WITH PASSWORD = 'CANARY3'" } do env:execute(C.moonpool_request_new_query(session, cql, -1)) end
    local statement = assert(env:prepare(session, "SELECT key FROM system.local WHERE key = ?"))
    local request = C.moonpool_request_new(statement)
    assert.equal(0, C.moonpool_bind_text(request, "CANARY5", 7))
    env:execute(request)
    env:wait("lines of each request", function() return table.concat(lines):find "system.local WHERE" end)
    assert.is_true(#lines > 10, #lines)
    for _, line in ipairs(lines) do assert.is_nil(line:find "CANARY", line) end
    env:close(session)
    assert.equal(0, C.moonpool_loop_on_log(env.loop, nil, nil))
  end)
end)

describe("slow callbacks of the C API", function()
  on_cluster("are told with what they are of, while somebody wants to hear of it", function(env)
    local told, marks = {}, {}
    local function spin()
      local from = os.clock()
      repeat until os.clock() - from > 0.005
    end
    local function mark(name)
      marks[#marks + 1] = name .. "\0" -- kept
      return ffi.cast("void *", marks[#marks])
    end
    assert.equal(0, C.moonpool_loop_on_slow(env.loop, 3, env:callback(
      "void (*)(void *, const struct moonpool_slow *)", function(_, slow)
        assert.is_true(slow.ms >= 3)
        if slow.data ~= nil then told[ffi.string(slow.of)] = ffi.string(slow.data) end
      end), nil))
    local session = assert(env:open())
    local heard = false
    assert.equal(0, C.moonpool_session_on_event(session, env:callback(EVENT, function()
      if not heard then spin() end
      heard = true
    end), mark "listener"))
    assert.equal(0, C.moonpool_session_connect(session, env:callback(
      "void (*)(void *, const struct moonpool_error *)", spin), mark "connected"))
    env:wait("connected", function() return told["end"] end)
    assert.equal(0, C.moonpool_prepare(session, "SELECT key FROM system.local", -1, env:callback(
      "void (*)(void *, struct moonpool_statement *, const struct moonpool_error *)", spin), mark "prepared"))
    local function ask(name)
      local done = false
      assert.equal(0, C.moonpool_execute(C.moonpool_request_new_query(session, "SELECT key FROM system.local", -1),
        env:callback("void (*)(void *, const struct moonpool_result *, const struct moonpool_error *)", function()
          spin()
          done = true
        end), mark(name)))
      env:wait("answered", function() return done end)
    end
    ask "asked"
    env:wait("told", function() return told.statement and told.answer and told.event end)
    assert.same({ ["end"] = "connected", event = "listener", statement = "prepared", answer = "asked" }, told)
    assert.equal(0, C.moonpool_loop_on_slow(env.loop, 0, nil, nil))
    ask "not timed"
    assert.equal("asked", told.answer)
    env:close(session)
  end)
end)

describe("hosts of the C API", function()
  on_cluster("are shown as they are", function(env)
    local session = connected(env)
    assert.equal(3, C.moonpool_session_hosts(session))
    assert.is_true(C.moonpool_session_host(session, 3) == nil)
    env:wait("up", function() return status(env, session, 2) == "up" and host_at(env, session, 2).connections > 0 end)
    local host = host_at(env, session, 2)
    assert.same({ "datacenter1", "local", "closed", "", 1, 1 }, { ffi.string(host.datacenter),
      ffi.string(host.distance), ffi.string(host.breaker), ffi.string(host.reason), host.weight, host.share })
    assert.is_true(#ffi.string(host.release_version) > 0 and #ffi.string(host.rack) > 0)
    assert.is_true(ffi.string(host.host_id, 16) ~= ("\0"):rep(16))
    assert.is_true(host.wanted_connections > 0 and host.most_connections >= host.wanted_connections)
    env:close(session)
  end)

  on_cluster("have connections, which are shown as they were counted", function(env)
    local session = connected(env)
    for node = 1, 3 do
      env:wait("up", function() return host_at(env, session, node).connections > 0 end)
    end
    assert(env:query(session, "SELECT key FROM system.local"))
    local count = C.moonpool_session_connections(session)
    local ids, hosts, used = {}, {}, false
    for i = 0, count - 1 do
      local connection = C.moonpool_session_connection(session, i)
      ids[tostring(connection.id)] = true
      hosts[ffi.string(connection.host)] = true
      used = used or connection.last_used_ms >= connection.created_ms
      assert.is_true(connection.created_ms / 1000 > os.time() - 600 and connection.in_flight == 0)
      assert.equal("ready", ffi.string(connection.state))
    end
    assert.is_true(count >= 3 and used)
    local function size(set)
      local n = 0
      for _ in pairs(set) do n = n + 1 end
      return n
    end
    assert.same({ count, 3 }, { size(ids), size(hosts) })
    assert.is_true(C.moonpool_session_connection(session, count) == nil)
    local kept = C.moonpool_session_connection(session, 0)
    assert.equal(0, C.moonpool_host_kill(session, kept.host))
    assert.equal("ready", ffi.string(kept.state)) -- a copy
    env:wait("gone", function() return C.moonpool_session_connections(session) < count end)
    env:close(session)
  end)

  on_cluster("are paused, drained, resumed, sized and told to policies", function(env, folder)
    policies.write(folder .. "/tagged.lua", [[
      return balance { name = "Tagged", plan = function(plan)
        plan:only(tagged "canary") plan:hosts(localDc) plan:allowAll() plan:hosts(localDc)
      end }
    ]])
    local session = connected(env, (env.config:gsub("keyspace",
      ("loadBalancing = { policy = %q }, keyspace"):format(folder .. "/tagged.lua"))))
    local address = "127.0.0.2"
    local function answers(times)
      local seen = {}
      for _ = 1, times do
        seen[#seen + 1] = env:query(session, "SELECT key FROM system.local", function(result)
          return ffi.string(C.moonpool_result_host(result))
        end)
      end
      return table.concat(seen, " ")
    end
    env:wait("up", function() return status(env, session, 2) == "up" end)
    local tags = ffi.new("const char *[2]", { "canary", "other" })
    assert.equal(0, C.moonpool_host_set_tags(session, address, tags, 2))
    local shown = host_at(env, session, 2)
    assert.equal(2, tonumber(shown.tag_count))
    local names = { ffi.string(shown.tags[0]), ffi.string(shown.tags[1]) }
    table.sort(names)
    assert.same({ "canary", "other" }, names)
    assert.equal(0, tonumber(host_at(env, session, 1).tag_count))
    assert.equal(("127.0.0.2:%d "):format(env.port):rep(5):sub(1, -2), answers(5))
    assert.equal(0, C.moonpool_host_pause(session, address))
    assert.equal("paused", status(env, session, 2))
    assert.equal("paused", ffi.string(host_at(env, session, 2).held))
    assert.equal("", ffi.string(host_at(env, session, 1).held))
    assert.not_matches("127.0.0.2", answers(9), 1, true)
    assert.equal(0, C.moonpool_host_resume(session, address, 0.25))
    assert.equal(0.25, host_at(env, session, 2).share)
    assert.equal(0, C.moonpool_host_resume(session, address, 1))
    assert.equal(0, C.moonpool_host_set_weight(session, address, 7))
    assert.equal(7, host_at(env, session, 2).weight)
    assert.equal(0, C.moonpool_host_resize(session, address, 3, 5))
    env:wait("three connections", function() return host_at(env, session, 2).connections == 3 end)
    assert.equal(5, host_at(env, session, 2).most_connections)
    assert.equal(0, C.moonpool_host_resize(session, address, 0, 0))
    assert.equal(0, C.moonpool_host_reconnect(session, address))
    assert.equal(0, C.moonpool_host_drain(session, address))
    env:wait("drained", function() return host_at(env, session, 2).connections == 0 end)
    assert.equal("draining", status(env, session, 2))
    assert.equal(0, C.moonpool_host_resume(session, address, 1))
    assert.equal(0, C.moonpool_host_set_tags(session, address, nil, 0))
    assert.equal(0, tonumber(host_at(env, session, 2).tag_count))
    env:wait("connected", function() return host_at(env, session, 2).connections > 0 end)
    assert.equal(0, C.moonpool_host_kill(session, address))
    env:wait("killed", function() return host_at(env, session, 2).connections == 0 end)
    assert.equal("draining", status(env, session, 2))
    assert.not_matches("127.0.0.2", answers(9), 1, true)
    assert.equal(0, C.moonpool_host_resume(session, address, 1))
    assert.equal(0, C.moonpool_session_serve_from(session, "datacenter1"))
    assert.equal(C.MOONPOOL_NOT_FOUND, C.moonpool_session_serve_from(session, "nowhere"))
    assert.equal(0, C.moonpool_session_serve_from(session, nil))
    env:close(session)
  end)
end)

describe("figures of the C API", function()
  on_cluster("have all names of getStats(), the window and OpenMetrics text", function(env)
    local session = connected(env)
    for _ = 1, 4 do assert(env:query(session, "SELECT key FROM system.local")) end
    local stats, value = ffi.new "struct moonpool_stats", ffi.new "uint64_t[1]"
    assert.equal(0, C.moonpool_session_stats(session, stats))
    for name in pairs(require("moonpool").ConnectionPool({ contactPoints = { "127.0.0.1" },
      logging = { level = "off" } }):getStats()) do
      assert.equal(0, C.moonpool_session_figure(session, name, value), name)
    end
    assert.equal(0, C.moonpool_session_figure(session, "requests", value))
    assert.equal(4, tonumber(value[0]))
    assert.equal(4, tonumber(stats.requests))
    local metrics = C.moonpool_session_metrics(session)
    assert.equal("datacenter1", ffi.string(metrics.serving_datacenter))
    assert.is_true(metrics.error_rate == 0 and metrics.window_ms >= 0)
    local text = ffi.new "char[65536]"
    local len = C.moonpool_session_openmetrics(session, text, 65536)
    assert.equal(len, #ffi.string(text))
    assert.matches("\nmoonpool_requests_total{[^\n]*} 4\n", ffi.string(text))
    assert.matches("# EOF\n$", ffi.string(text))
    assert.equal(len, C.moonpool_session_openmetrics(session, text, 6))
    assert.equal(5, #ffi.string(text))
    env:close(session)
  end)
end)

describe("what a window has of the C API", function()
  on_cluster("is told of each host, and of their connections together", function(env)
    local session = connected(env)
    for node = 1, 3 do
      env:wait("up", function() return host_at(env, session, node).connections > 0 end)
    end
    for _ = 1, 9 do
      local request = C.moonpool_request_new_query(session, "SELECT key FROM system.local", -1)
      assert.equal(0, C.moonpool_request_set_host(request, "127.0.0.2"))
      assert(env:execute(request))
    end
    local host = host_at(env, session, 2)
    assert.is_true(host.requests_per_second > 0 and host.error_rate == 0)
    assert.is_true(host.latency_p50_ms > 0 and host.latency_p95_ms >= host.latency_p50_ms)
    assert.is_true(host.latency_p999_ms >= host.latency_p99_ms and host.latency_max_ms >= host.latency_p999_ms)
    assert.same({ 1, 0, 0, 0 }, { tonumber(host.connections_opened), tonumber(host.connections_closed),
      tonumber(host.connects_failed), host.crowded })
    assert.is_true(host.utilization >= 0 and host.utilization <= 1)
    local before = C.moonpool_session_metrics(session)
    assert.is_true(before.connection_turnover == 0 and before.pool_utilization >= 0 and before.pool_utilization <= 1)
    env.cluster:kill(3)
    env:wait("down", function() return status(env, session, 3) == "down" end)
    env:wait("tried again", function() return host_at(env, session, 3).connects_failed > 0 end)
    assert.equal(1, tonumber(host_at(env, session, 3).connections_closed))
    assert.is_true(C.moonpool_session_metrics(session).connection_turnover > 0)
    env:close(session)
  end)

  on_cluster("and policies tell what they cost and since when they serve", function(env, folder)
    policies.write(folder .. "/looping.lua", [[
      return balance { name = "Looping", plan = function(plan)
        local sum = 0 for i = 1, 3 do sum = sum + i end if sum == 0 then plan:refuse() end
        plan:hosts(localDc)
      end }
    ]])
    local session = connected(env)
    local policy = C.moonpool_session_policy(session, C.MOONPOOL_POLICY_BALANCE)
    assert.same({ "fast", 0 }, { ffi.string(policy.cost_class), policy.bytes_per_call })
    assert.is_true(policy.since_ms / 1000 > os.time() - 600)
    local first = policy.since_ms
    assert.equal(0, C.moonpool_session_use_policy(session, C.MOONPOOL_POLICY_BALANCE, folder .. "/looping.lua", nil,
      nil, 0))
    policy = C.moonpool_session_policy(session, C.MOONPOOL_POLICY_BALANCE)
    assert.equal("slow", ffi.string(policy.cost_class))
    assert.is_true(policy.since_ms >= first)
    env:close(session)
  end)
end)

describe("a question of the C API", function()
  local function asked(session, fields)
    local question = ffi.new "struct moonpool_question"
    for key, value in pairs(fields) do question[key] = value end
    local plan = C.moonpool_session_explain(session, question)
    assert(plan ~= nil, ffi.string(C.moonpool_last_message()))
    local hosts = {}
    for i = 0, tonumber(plan.host_count) - 1 do hosts[i + 1] = plan.hosts[i] end
    return hosts, plan
  end

  on_cluster("is answered by what the policy plans now", function(env, folder)
    env.cluster:schema "CREATE KEYSPACE one WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}"
    local session = assert(env:open())
    local early = ffi.new "struct moonpool_question"
    assert.is_true(C.moonpool_session_explain(session, early) == nil)
    assert.equal(C.MOONPOOL_CLOSED, C.moonpool_last_code())
    assert.is_nil(env:connect(session))
    env:wait("up", function() return status(env, session, 2) == "up" and status(env, session, 3) == "up" end)
    local level = { consistency = C.MOONPOOL_LOCAL_QUORUM, is_read = true }
    local hosts, plan = asked(session, level)
    assert.same({ 3, false, false, false }, { #hosts, plan.is_refused, plan.is_fallback, plan.has_replicas })
    for id = 1, 8 do
      local key = "\0\0\0" .. string.char(id)
      level.routing_key, level.routing_key_len, level.keyspace = ffi.cast("const char *", key), 4, "one"
      -- The keyspace is looked up when it is named first.
      env:wait("replicas", function() return select(2, asked(session, level)).has_replicas end)
      hosts, plan = asked(session, level)
      assert.same({ 3, true }, { #hosts, plan.has_replicas })
      assert.equal(("127.0.0.%d:%d"):format(env.cluster:replicas("one", key)[1], env.port),
        ffi.string(hosts[1].address))
      assert.same({ true, false, true }, { hosts[1].is_replica, hosts[2].is_replica, hosts[1].is_local })
      assert.matches("replicas", ffi.string(hosts[1].why))
      assert.equal("datacenter1", ffi.string(hosts[1].datacenter))
    end
    policies.write(folder .. "/none.lua", [[return balance { name = "None", plan = function(plan) plan:refuse() end }]])
    assert.equal(0, C.moonpool_session_use_policy(session, C.MOONPOOL_POLICY_BALANCE, folder .. "/none.lua", nil, nil,
      0))
    hosts, plan = asked(session, level)
    assert.same({ 0, true, false }, { #hosts, plan.is_refused, plan.is_fallback })
    env:close(session)
  end)
end)

describe("the decision log of the C API", function()
  on_cluster("gives its last lines", function(env)
    local session = connected(env, (env.config:gsub("keyspace", "decisionLog = { sample = 1 }, keyspace")))
    for _ = 1, 5 do assert(env:query(session, "SELECT key FROM system.local")) end
    local text = ffi.new "char[65536]"
    local len = C.moonpool_session_decisions(session, 3, text, 65536)
    local all = ffi.string(text)
    assert.equal(len, #all)
    local lines = {}
    for line in all:gmatch "([^\n]+)\n" do lines[#lines + 1] = assert(tonumber(line:match '"number":(%d+)'), line) end
    assert.equal(3, #lines)
    assert.is_true(lines[1] < lines[2] and lines[2] < lines[3])
    assert.equal(len, C.moonpool_session_decisions(session, 3, text, 10))
    assert.equal(all:sub(1, 9), ffi.string(text))
    assert.equal(0, C.moonpool_session_decisions(session, 0, text, 10))
    env:close(session)
  end)
end)

describe("the schema of the C API", function()
  on_cluster("has keyspaces, tables, views, types, indexes, functions and aggregates, too", function(env)
    env.cluster:schema "CREATE TYPE ks.pair (a int, b text)"
    env.cluster:schema "CREATE TABLE ks.one (a int PRIMARY KEY, b frozen<pair>)"
    local session = connected(env)
    local text, len = ffi.new "const char *[1]", ffi.new "size_t[1]"
    local function names(part, column, keyspace)
      local list = {}
      assert(env:execute(C.moonpool_request_new_schema_part(session, C["MOONPOOL_SCHEMA_" .. part], keyspace),
        function(result)
          while C.moonpool_result_next(result) > 0 do
            assert.equal(0, C.moonpool_get_text(result, C.moonpool_result_column(result, column), text, len))
            list[ffi.string(text[0], len[0])] = true
          end
        end))
      return list
    end
    assert.same({ pair = true }, names("TYPES", "type_name", "ks"))
    assert.same({ one = true }, names("TABLES", "table_name", "ks"))
    assert.same({ ks = true }, names("KEYSPACES", "keyspace_name", "ks"))
    assert.is_true(names("KEYSPACES", "keyspace_name").ks and names("TABLES", "table_name").one)
    for part, column in pairs { VIEWS = "view_name", INDEXES = "index_name", FUNCTIONS = "function_name",
      AGGREGATES = "aggregate_name" } do assert.same({}, names(part, column)) end
    env:close(session)
  end)

  on_cluster("is asked for by table, by keyspace and whole", function(env)
    env.cluster:schema "CREATE TABLE ks.\"Its\" (a int, b text, v float, PRIMARY KEY (a, b))"
    local session = connected(env)
    local function columns(keyspace, of)
      local text, len, list = ffi.new "const char *[1]", ffi.new "size_t[1]", {}
      assert(env:execute(C.moonpool_request_new_schema(session, keyspace, of), function(result)
        while C.moonpool_result_next(result) > 0 do
          local words = {}
          for _, name in ipairs { "table_name", "column_name", "kind", "type" } do
            C.moonpool_get_text(result, C.moonpool_result_column(result, name), text, len)
            words[#words + 1] = ffi.string(text[0], len[0])
          end
          list[#list + 1] = table.concat(words, " ")
        end
      end))
      table.sort(list)
      return list
    end
    local expected = { "Its a partition_key int", "Its b clustering text", "Its v regular float" }
    assert.same(expected, columns("ks", "Its"))
    assert.same(expected, columns("ks", nil))
    assert.is_true(#columns(nil, nil) > 20)
    assert.same({}, columns("ks", "its"))
    assert.same({}, columns("it's", "' OR 1"))
    env:close(session)
  end)
end)
