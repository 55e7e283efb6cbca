-- SPDX-License-Identifier: Apache-2.0
-- Lists of hosts as policies write them: lines of addresses, host ids, datacentres and racks.
local ffi = require "ffi"
local C = require "spec.support.c"
local topology = require "spec.support.topology"

describe("a list of hosts", function()
  local view

  local function open(hosts)
    view = topology.view(hosts, "dc1")
    for i, host in ipairs(hosts) do C.mp_view_name_host(view, i - 1, host.address, host.id) end
  end

  after_each(function() topology.free(view) end)

  local function has(bit, slot)
    return math.floor(tonumber(view.hosts[slot].marks) / 2 ^ bit) % 2 == 1
  end

  local function list(lines)
    local text = table.concat(lines, "\n")
    return C.mp_view_list(view, text, #text)
  end

  -- The same, line by line.
  local function matches(lines, host)
    for _, line in ipairs(lines) do
      local folded = line:lower()
      local ip = host.address:match "^(.*):%d+$"
      if folded == host.address:lower() or folded == ip:lower() or "[" .. folded .. "]" == ip:lower()
        or folded == host.id or line == host.dc or line == host.dc .. "/" .. host.rack then return true end
    end
    return false
  end

  it("has the hosts that one of its lines names, for random lists and hosts", function()
    math.randomseed(29)
    local function any(values) return values[math.random(#values)] end
    local dcs, racks = { "dc1", "DC1", "dc2" }, { "r1", "R1" }
    for _ = 1, 60 do
      local hosts = {}
      for i = 1, 12 do
        local six = math.random() < 0.3
        hosts[i] = { dc = any(dcs), rack = any(racks), id = ("%08x-0000-0000-0000-000000000000"):format(i),
          address = (six and "[fe80::A%d]:9042" or "10.0.0.%d:9042"):format(i) }
      end
      open(hosts)
      local pool = { "", "dc1", "DC1", "dc2", "dc1/r1", "dc1/R1", "DC2", "dc2/r1/x", "10.0.0", "10.0.0.1:9043", "x" }
      for i, host in ipairs(hosts) do
        pool[#pool + 1], pool[#pool + 2] = host.address, host.address:match "^(.*):%d+$"
        pool[#pool + 1], pool[#pool + 2] = host.id, host.id:upper()
        pool[#pool + 1] = "fe80::a" .. i
      end
      for _ = 1, 5 do
        local lines = {}
        for i = 1, math.random(0, 8) do lines[i] = any(pool) end
        local bit = list(lines)
        assert.is_true(bit >= 0)
        for i, host in ipairs(hosts) do
          assert.equal(matches(lines, host), has(bit, i - 1), table.concat(lines, ",") .. " " .. host.address)
        end
        -- A host that comes later is looked up in the lists that there are.
        local id = "ffffffff-0000-0000-0000-000000000000"
        local new = { dc = "dc1", rack = "r1", id = id, address = any(pool) .. ":1" }
        if new.address:find "^%d" then
          C.mp_view_name_host(view, 0, new.address, new.id)
          new.dc, new.rack = hosts[1].dc, hosts[1].rack
          assert.equal(matches(lines, new), has(bit, 0))
          C.mp_view_name_host(view, 0, hosts[1].address, hosts[1].id)
        end
      end
      topology.free(view)
    end
    open {}
  end)

  it("may be long, and so may the cluster", function()
    local hosts, lines = {}, {}
    for i = 1, 4000 do
      hosts[i] = { dc = "dc1", rack = "r1", id = ("%08x-0000-0000-0000-000000000000"):format(i),
        address = ("10.%d.%d.%d:9042"):format(i / 65536, i / 256 % 256, i % 256) }
      lines[i] = ("10.%d.%d.%d"):format((i * 2) / 65536, (i * 2) / 256 % 256, (i * 2) % 256)
    end
    open(hosts)
    local bit, count = list(lines), 0
    for i = 0, 3999 do count = count + (has(bit, i) and 1 or 0) end
    assert.equal(2000, count)
  end)

  it("keeps its bit and its meaning, and loses it to others when there are too many", function()
    open { { dc = "dc1", rack = "r1", id = "1", address = "10.0.0.1:9042" } }
    local bit = list { "10.0.0.1" }
    local stamp = view.marks.of[bit].stamp
    assert.equal(bit, list { "10.0.0.1" })
    assert.is_true(C.mp_view_mark_holds(view, bit, stamp))
    for i = 1, C.MP_MARKS_MAX do list { "10.0.1." .. i } end
    assert.is_false(C.mp_view_mark_holds(view, bit, stamp))
    assert.is_false(has(bit, 0))
    assert.is_true(has(list { "x", "10.0.0.1" }, 0))
    assert.equal(C.MP_ETOOBIG, C.mp_view_list(view, ffi.new("char[3]", "a\0b"), 3))
  end)
end)
