-- SPDX-License-Identifier: Apache-2.0
-- The OpenMetrics text, read by a strict reader.
local moonpool = require "moonpool"
local cjson = require "cjson"
local exporter = require "moonpool.exporter"
local openmetrics = require "spec.http.openmetrics"
local pools = require "moonpool.pool"
local it = require("spec.support.world").inside(it)

local READ = "SELECT key FROM system.local"

local function snake(name) return (name:gsub("%u", function(c) return "_" .. c:lower() end)) end

local function read(...) return openmetrics.read((exporter.text { ... })) end

local function text_of(path)
  local file = assert(io.open(MOONPOOL_ROOT .. "/" .. path))
  local text = file:read "*a"
  file:close()
  return text
end

describe("the OpenMetrics text", function()
  it("is well formed: before connecting, under load, when hosts are down, after the end", function(world)
    local pool = world:newPool()
    read()
    read(pool)
    assert(pool:connect())
    world:waitUp(pool)
    for _ = 1, 50 do pool:executeAsync(READ) end
    read(pool)
    moonpool.sleep(2000)
    world.cluster:kill(2)
    world:waitStatus(pool, 2, "down")
    local families = read(pool)
    assert.equal(0, openmetrics.value(families, "moonpool_host_up", { host = world:host(2) }))
    assert.equal(1, openmetrics.value(families, "moonpool_host_up", { host = world:host(1) }))
    pool:close()
    assert.same({}, read(pool).moonpool_requests.samples)
  end)

  it("has every figure of getStats(), with its value", function(world)
    local pool = world:pool()
    world:waitUp(pool)
    for _ = 1, 20 do pool:execute(READ) end
    for _ = 1, 5 do pool:execute "SELECT nothing" end
    world.cluster:kill(3)
    world:waitStatus(pool, 3, "down")
    local families, stats = read(pool), pool:getStats()
    assert.is_true(stats.errors == 5 and stats.connectionErrors > 0)
    for name, value in pairs(stats) do
      local family = assert(families["moonpool_" .. snake(name)], name)
      assert.equal(value, family.samples[1].value, name)
    end
  end)

  it("counts durations in histograms, within exact bounds", function(world)
    local pool = world:pool()
    world:waitUp(pool)
    local slow = world.cluster:rule { statement = "system.local", delay = 100 }
    for _ = 1, 7 do assert(pool:execute(READ)) end
    slow:remove()
    for _ = 1, 20 do assert(pool:execute(READ)) end
    moonpool.sleep(1500) -- the slot ends
    local families = read(pool)
    local name = "moonpool_request_duration_seconds"
    local function bucket(le) return openmetrics.value(families, name .. "_bucket", { le = le }) end
    assert.equal(27, openmetrics.value(families, name .. "_count"))
    assert.equal(20, bucket "0.065536")
    assert.equal(27, bucket "0.131072")
    assert.equal(27, bucket "+Inf")
    local sum = openmetrics.value(families, name .. "_sum")
    assert.is_true(sum > 0.7 and sum < 0.8, sum)
    local of_hosts = 0
    for node = 1, 3 do
      of_hosts = of_hosts + openmetrics.value(families, "moonpool_host_attempt_duration_seconds_count",
        { host = world:host(node), datacenter = "datacenter1" })
    end
    assert.equal(27, of_hosts)
  end)

  it("keeps the samples of a family together for several pools", function(world)
    local first, second = world:pool(), world:pool()
    for _ = 1, 3 do assert(second:execute(READ)) end
    local families = read(first, second)
    assert.equal(2, #families.moonpool_requests.samples)
    assert.equal(0, openmetrics.value(families, "moonpool_requests_total", { pool = tostring(pools.all[first]) }))
    assert.equal(3, openmetrics.value(families, "moonpool_requests_total", { pool = tostring(pools.all[second]) }))
  end)

  it("has labels of a bounded number", { nodes = 140 }, function(world)
    local pool = world:pool { pooling = { maxConnectionsPerHost = { ["0"] = 1 } } }
    world:waitUp(pool, 140, 60000)
    local families = read(pool)
    assert.equal(129, #families.moonpool_host_connections.samples)
    assert.equal(12, openmetrics.value(families, "moonpool_host_connections", { host = "other" }))
  end)

  it("escapes what a node says", { rf = 1, datacenters = { { 'd"c\\1', 1 } } }, function(world)
    local pool = world:pool { localDataCenter = 'd"c\\1' }
    assert.equal('d"c\\1', read(pool).moonpool_host_up.samples[1].labels.datacenter)
  end)

  it("stands in the manual: beside getStats() each family with its type, its labels and what it says", function(world)
    local told, inside = {}, false
    for line in text_of("docs/metrics.md"):gmatch "[^\n]+" do
      inside = line:find("| metric | type |", 1, true) or inside and line:find "^|" ~= nil
      local name, kind, labels, help = line:match "^| `(moonpool_[%w_]+)` | (%w+) | (.-) | (.*) |$"
      if inside and name then told[name] = { kind, labels, help } end
    end
    local pool = world:pool()
    pool:execute(READ)
    local found = {}
    for name, family in pairs((read(pool))) do
      local labels = {}
      for label in pairs(family.samples[1].labels) do
        if label ~= "le" then labels[#labels + 1] = label end
      end
      table.sort(labels)
      found[name] = { family.type, table.concat(labels, ", "), family.help }
    end
    for name in pairs(pool:getStats()) do -- those stand in docs/lua-api.md
      assert.is_nil(told["moonpool_" .. snake(name)])
      found["moonpool_" .. snake(name)] = nil
    end
    for name, is in pairs(found) do assert.same(is, told[name], name) end
    for name in pairs(told) do assert(found[name], name .. " is in docs/metrics.md only") end
  end)
end)

describe("the Grafana board", function()
  it("names only metrics that exist, with labels that they have", function(world)
    local pool = world:pool()
    local families = read(pool)
    local samples = {}
    for _, family in pairs(families) do
      for _, sample in ipairs(family.samples) do samples[sample.name] = sample.labels end
    end
    local board = cjson.decode(text_of "examples/grafana/moonpool.json")
    local count = 0
    local function check(expr)
      for name in expr:gmatch "moonpool_[%w_]+" do
        count = count + 1
        assert(samples[name], name .. " does not exist: " .. expr)
      end
      for name, inside in expr:gmatch "(moonpool_[%w_]+){(.-)}" do
        for label in inside:gmatch "([%a_][%w_]*)%s*=" do
          assert(label == "job" or samples[name][label], name .. " has no label " .. label)
        end
      end
    end
    for _, panel in ipairs(board.panels) do
      for _, target in ipairs(panel.targets or {}) do check(target.expr) end
    end
    for _, variable in ipairs(board.templating.list) do
      if type(variable.query) == "table" then check(variable.query.query) end
    end
    assert.is_true(count >= 15, count)
  end)
end)
