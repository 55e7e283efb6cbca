-- SPDX-License-Identifier: Apache-2.0
-- What a request that failed says of its attempts.
local ffi = require "ffi"
local C = require "spec.support.c"
local rows = require "spec.support.rows"
local session_world = require "spec.support.session_world"
local str = require("spec.support.peer").str

describe("the error of a request", function()
  local world, failing

  before_each(function()
    world = session_world.connected()
    world:until_true(function() return world:up_count() == 3 end)
    world.on_statement = function(_, link, request)
      if failing then rows.error(link, request, { code = failing, message = "words" }) else link:close(true) end
      return true
    end
  end)
  after_each(function() world:close() end)

  it("is that of its only attempt", function()
    failing = C.MP_SE_INVALID
    local err = world:execute("SELECT v FROM t", { pinned_host = world:find("127.0.0.1").index }).err
    assert.equal("127.0.0.1:9042: INVALID: words", err.message)
    assert.same({ "INVALID", 1, 1, tonumber(failing) }, { err.code, err.total, #err.attempts, err.server_code })
  end)

  it("counts several, and names each with its host", function()
    failing = C.MP_SE_IS_BOOTSTRAPPING
    local err = world:execute("SELECT v FROM t").err
    assert.equal(3, err.total)
    assert.truthy(err.message:find(" (3 attempts; before: 127.0.0.", 1, true), err.message)
    for i = 1, 3 do assert.truthy(err.message:find("127.0.0." .. i .. ":9042: IS_BOOTSTRAPPING", 1, true)) end
  end)

  it("keeps the newest attempts of many, in their order, and counts them all", function()
    local err = ffi.new "struct mp_error"
    local kept = ffi.sizeof(err.attempts) / ffi.sizeof(err.attempts[0])
    for n = 1, 30 do
      C.mp_error_add(err, "host " .. n, C.MP_ELOST, -1, n, str("words " .. n))
      assert.equal(n, err.attempt_total)
      assert.equal(math.min(n, kept), err.attempt_count)
      for i = 0, err.attempt_count - 1 do
        local at = n - err.attempt_count + 1 + i
        local attempt = err.attempts[i]
        assert.same({ "host " .. at, "words " .. at, at }, { ffi.string(attempt.host), ffi.string(attempt.message),
          attempt.ms })
      end
    end
  end)

  it("cuts words where a letter begins, and has no control characters", function()
    local err = ffi.new "struct mp_error"
    local room = ffi.sizeof(err.attempts[0].message) - 1
    for before = 0, 3 do
      local letters = ("\240\159\140\149"):rep(room)
      C.mp_error_add(err, "host", C.MP_ELOST, -1, 1, str(("x"):rep(before) .. letters))
      local told = ffi.string(err.attempts[before].message)
      assert.equal(before + math.floor((room - before) / 4) * 4, #told)
      assert.equal(("x"):rep(before) .. letters:sub(1, #told - before), told)
    end
    C.mp_error_add(err, "host", C.MP_ELOST, -1, 1, str "a\nb\27[31mc\0d")
    assert.equal("a b [31mc d", ffi.string(err.attempts[4].message))
  end)

  it("says how many values a statement takes now that its table is another", function()
    world.on_statement = nil
    local insert = "INSERT INTO t (k, v) VALUES (?, ?)"
    local columns = { { "k", "int" }, { "v", "int" }, { "w", "int" } }
    local function takes(count)
      world.shapes[insert] = { params = { unpack(columns, 1, count) }, pk_indexes = { 0 }, metadata_id = "-" }
      for _, node in ipairs(world.nodes) do node.known = {} end
    end
    takes(2)
    local statement, had = assert(world:prepare(insert)), 2
    for _, count in ipairs { 1, 3 } do
      takes(count)
      local err = world:execute(statement, { values = { "\0\0\0\1", "\0\0\0\1" } }).err
      assert.same({ "STATEMENT_CHANGED", false }, { err.code, err.maybe_applied })
      assert.truthy(err.message:find(("it had %d parameters and has %d"):format(had, count), 1, true), err.message)
      had = count
    end
  end)

  it("names three of many hosts that are down, and counts the others", function()
    world:close()
    world = session_world.connected { nodes = { {}, {}, {}, {}, {}, {} } }
    world:until_true(function() return world:up_count() == 6 end)
    for _, node in ipairs(world.nodes) do world:kill(node) end
    world:until_true(function() return world:up_count() == 0 end)
    local message = world:execute("SELECT v FROM t").err.message
    local _, named = message:gsub("127%.0%.0%.%d:9042: ", "")
    assert.same({ 3, true }, { named, message:find("; and 3 more", 1, true) ~= nil }, message)
  end)

  it("has no server's code when no server spoke", function()
    failing = nil
    local err = world:execute("UPDATE t SET v = 1 WHERE k = 1").err
    assert.same({ "CONNECTION_LOST", -1, -1 }, { err.code, err.server_code, err.attempts[1].server_code })
    assert.is_true(err.maybe_applied)
  end)
end)
