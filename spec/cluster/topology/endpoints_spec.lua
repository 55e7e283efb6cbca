-- SPDX-License-Identifier: Apache-2.0
-- The ways to one host, without a network.
local ffi = require "ffi"
local C = require "spec.support.c"
local sim_world = require "spec.support.sim_world"

describe("the endpoints of a host", function()
  local endpoints

  local function addr(text) return sim_world.addr(text, 9042) end

  local function text_of(address)
    local text = ffi.new "char[64]"
    C.mp_addr_format_ip(address, text)
    return ffi.string(text)
  end

  local function used() return text_of(C.mp_endpoints_addr(endpoints)) end

  -- translated: { ["10.0.0.1"] = "127.0.0.1" }
  local function say(names, translated)
    C.mp_endpoints_forget_said(endpoints)
    for _, name in ipairs(names) do
      C.mp_endpoints_say(endpoints, addr(name), addr(translated and translated[name] or name))
    end
    C.mp_endpoints_take_said(endpoints)
  end

  local function all()
    local list = {}
    for i = 0, endpoints.count - 1 do list[i + 1] = text_of(endpoints.all[i].addr) end
    return list
  end

  before_each(function() endpoints = ffi.new "struct mp_endpoints" end)

  it("are the named ones in their order, then the one that worked, then the one that was reached", function()
    say { "10.0.0.1", "10.0.0.2" }
    C.mp_endpoints_reached(endpoints, addr "127.0.0.1")
    C.mp_endpoints_works(endpoints, addr "127.0.0.9")
    assert.same({ "10.0.0.1", "10.0.0.2", "127.0.0.9", "127.0.0.1" }, all())
    assert.equal("127.0.0.9", used())
    C.mp_endpoints_reached(endpoints, addr "10.0.0.2") -- named, too
    assert.same({ "10.0.0.1", "10.0.0.2", "127.0.0.9" }, all())
  end)

  it("take turns, each once in a round", function()
    say { "10.0.0.1", "10.0.0.2" }
    C.mp_endpoints_reached(endpoints, addr "127.0.0.1")
    local order = {}
    for i = 1, 6 do
      order[i] = used()
      assert.equal(i % 3 ~= 0, C.mp_endpoints_next(endpoints))
    end
    assert.same({ "10.0.0.1", "10.0.0.2", "127.0.0.1", "10.0.0.1", "10.0.0.2", "127.0.0.1" }, order)
  end)

  it("begin a round anew when one works", function()
    say { "10.0.0.1", "10.0.0.2" }
    assert.is_true(C.mp_endpoints_next(endpoints))
    C.mp_endpoints_works(endpoints, addr "10.0.0.2")
    assert.is_true(C.mp_endpoints_next(endpoints))
    assert.equal("10.0.0.1", used())
  end)

  it("keep the one in use while the cluster says the same, in whatever order, or still names it", function()
    say { "10.0.0.1", "10.0.0.2" }
    C.mp_endpoints_works(endpoints, addr "10.0.0.2")
    say { "10.0.0.2", "10.0.0.1" }
    assert.equal("10.0.0.2", used())
    say { "10.0.0.1", "10.0.0.2", "10.0.0.3" }
    assert.equal("10.0.0.2", used())
    say { "10.0.0.2" }
    assert.equal("10.0.0.2", used())
    C.mp_endpoints_works(endpoints, addr "127.0.0.1")
    say { "10.0.0.2" }
    assert.equal("127.0.0.1", used())
  end)

  it("go to the first that is named when the cluster says something else", function()
    say { "10.0.0.1" }
    C.mp_endpoints_works(endpoints, addr "10.0.0.1")
    say { "10.0.0.5", "10.0.0.6" }
    assert.equal("10.0.0.5", used())
    assert.same({ "10.0.0.5", "10.0.0.6", "10.0.0.1" }, all()) -- what worked is not forgotten
  end)

  it("follow a translation that changes, and nothing else of it", function()
    say({ "10.0.0.1", "10.0.0.2" }, { ["10.0.0.1"] = "127.0.0.1" })
    assert.equal("127.0.0.1", used())
    C.mp_endpoints_works(endpoints, addr "127.0.0.1")
    say({ "10.0.0.1", "10.0.0.2" }, { ["10.0.0.1"] = "127.0.0.1" })
    assert.equal("127.0.0.1", used())
    say({ "10.0.0.1", "10.0.0.2" }, { ["10.0.0.1"] = "127.0.0.7" })
    assert.equal("127.0.0.7", used())
    assert.is_true(C.mp_endpoints_have(endpoints, addr "10.0.0.1"))
    assert.is_true(C.mp_endpoints_have(endpoints, addr "127.0.0.7"))
    assert.is_false(C.mp_endpoints_have(endpoints, addr "127.0.0.8"))
  end)

  it("are so many at most, each once", function()
    local names = {}
    for i = 1, 10 do names[i] = "10.0.0." .. math.ceil(i / 2) end
    say(names)
    assert.same({ "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4" }, all())
  end)

  it("hold what they promise whatever happens", function()
    math.randomseed(17)
    for _ = 1, 300 do
      endpoints = ffi.new "struct mp_endpoints"
      local function any() return "10.0.0." .. math.random(1, 6) end
      say { any() }
      local worked
      for _ = 1, 40 do
        local choice = math.random(1, 4)
        if choice == 1 then
          local names = {}
          for i = 1, math.random(1, 5) do names[i] = any() end
          say(names)
          for _, name in ipairs(names) do
            assert.is_true(endpoints.named_count == C.MP_ENDPOINTS_NAMED or C.mp_endpoints_have(endpoints, addr(name)))
          end
        elseif choice == 2 then
          C.mp_endpoints_reached(endpoints, addr(any()))
        elseif choice == 3 then
          worked = used()
          C.mp_endpoints_works(endpoints, addr(worked))
          assert.equal(worked, used())
        else
          C.mp_endpoints_next(endpoints)
        end
        local seen = {}
        for _, address in ipairs(all()) do
          assert.is_nil(seen[address])
          seen[address] = true
        end
        assert.is_true(endpoints.at < endpoints.count and endpoints.failed < endpoints.count)
        if worked then assert.is_true(seen[worked] or false) end
      end
    end
  end)
end)
