-- SPDX-License-Identifier: Apache-2.0
-- The benchmark runs and prints what it promises. Its figures are not judged here: other programs run meanwhile.
local ports = require "spec.support.ports"
local program = require "spec.support.program"

local RELEASE = MOONPOOL_ROOT .. "/build/release/bench/policy_cost"

local function sh(command) return program.sh("cd '" .. MOONPOOL_ROOT .. "' && { " .. command .. "; }") end

local function is_built()
  local file = io.open(RELEASE)
  if file then file:close() end
  return file ~= nil
end

describe("bench/run", function()
  it("says how it is used, and which word it does not know", function()
    local said, status = sh "bench/run --help"
    assert.equal(0, status)
    for _, word in ipairs { "--seconds", "--rounds", "--outstanding", "--only", "--v5", "--plot", "policies", "rows",
      "nodes", "connect", "latency", "memory", "tls", "wire", "--quick" } do
      assert.truthy(said:find(word, 1, true), said)
    end
    said, status = sh "bench/run polices"
    assert.equal(2, status)
    assert.truthy(said:find("unknown argument 'polices'", 1, true), said)
  end)

  it("measures answers of every size, many nodes, a first connect, and memory", function()
    if not is_built() then
      pending "the release build is not there"
      return
    end
    local said, status = sh("MOONPOOL_BENCH_PORT=" .. ports.at(25) ..
      " bench/run --only rows,nodes,connect,latency,memory --rounds 1 --quick --v5")
    assert.equal(0, status, said)
    local NUMBER, NONE = " +%d+%.%d+ |", " +%- |"
    for _, what in ipairs { "kv", "kv1k", "kv10k", "wide" } do
      assert.matches("\n| " .. what .. " +| +64 |" .. NUMBER:rep(3) .. NONE .. NUMBER:rep(2) .. "\n", said)
    end
    assert.matches("\n| page +| +6 |" .. NUMBER:rep(6) .. "\n", said)
    for _, nodes in ipairs { 3, 30, 300, 1000 } do
      assert.matches("\n| " .. nodes .. " +| +1024 |" .. NUMBER:rep(5) .. "\n", said)
      assert.matches("\n| " .. nodes .. " +|" .. NUMBER:rep(4) .. "\n", said)
    end
    for _, client in ipairs { "c", "lua" } do
      local looks = {}
      for _, us in ipairs { 0, 200 } do
        looks[us] = tonumber(said:match("\n| " .. client .. " +| +" .. us .. " |" .. NUMBER .. " +%d+ | +%d+ |" ..
          NUMBER .. " +(%d+%.%d) |\n"))
      end
      assert.equal(0, looks[0], said)
      assert.is_true(looks[200] > 0, said)
    end
    for _, what in ipairs { "host", "connection", "statement", "coroutine" } do
      assert.matches("\n| " .. what .. " +| +%d+ | +%d+ |" .. NUMBER .. "\n", said)
    end
  end)

  it("measures what policies cost", function()
    if not is_built() then
      pending "the release build is not there"
      return
    end
    local said, status = sh("MOONPOOL_BENCH_PORT=" .. ports.at(25) .. " bench/run policies --quick")
    assert.equal(0, status, said)
    local decisions = {}
    for hosts, lua, c, ratio in said:gmatch "\n| (%d+) +| +(%d+%.%d) | +(%d+%.%d) | +(%d+%.%d%d) |[^\n]*" do
      decisions[hosts] = tonumber(lua) > 0 and tonumber(c) > 0 and tonumber(ratio) > 0
    end
    assert.same({ ["12"] = true, ["100"] = true, ["1000"] = true }, decisions, said)
    for _, row in ipairs { "\n| 48 +| +[%d.]+ |", "\n| 1600 +| +[%d.]+ |", "\n| 16000 +| +[%d.]+ |",
      "\n| all +| +[1-9]%d* |", "\n| %- files +| +%d+ |", "\n| %- contract +| +%d+ |", "\n| %- again +| +%d+ |",
      "\n| %- warm up +| +%d+ |", "\n| a state, made ahead in another turn +| +[1-9]%d* |",
      "\n| 64 +| +0 | +[1-9]%d* |", "\n| 64 +| +[1-9]%d* | +[1-9]%d* |" } do
      assert.matches(row, said)
    end
  end)
end)
