-- SPDX-License-Identifier: Apache-2.0
-- A copy of a session's configuration has each text of its own, and takes all of them with it.
local ffi = require "ffi"
local C = require "spec.support.c"

local TEXTS = { "local_dc", "local_rack", "keyspace", "username", "password", "tls_name" }

describe("a copy of a configuration", function()
  local kept, config, copy

  local function text(value)
    kept[#kept + 1] = value
    return ffi.cast("const char *", value)
  end
  local function held()
    local stats = C.mp_mem_stats()
    return tonumber(stats.allocs - stats.frees)
  end

  before_each(function()
    kept, config, copy = {}, ffi.new "struct mp_session_config", ffi.new "struct mp_session_config"
    C.mp_session_config_defaults(config)
    for _, name in ipairs(TEXTS) do config[name] = text("the " .. name) end
    config.health.query, config.decisions.file = text "the query", text "the file"
    local points, regions, profiles = ffi.new "struct mp_contact_point[2]", ffi.new "struct mp_region[2]",
      ffi.new "struct mp_profile[2]"
    for i = 0, 1 do
      points[i].host, points[i].port = text("host" .. i), i == 0 and 0 or 7000
      regions[i].dc, regions[i].priority = text("dc" .. i), i + 1
      profiles[i].name, profiles[i].tag = text("profile" .. i), text("tag" .. i)
    end
    kept[#kept + 1], kept[#kept + 2], kept[#kept + 3] = points, regions, profiles
    config.contact_points, config.contact_point_count = points, 2
    config.regions, config.region_count = regions, 2
    config.profiles, config.profile_count = profiles, 2
  end)
  after_each(function() C.mp_mem_fail_at(0, false) end)

  it("has texts of its own, and leaves nothing behind", function()
    local before = held()
    assert.equal(0, C.mp_session_config_copy(copy, config))
    local function same(own, given)
      assert.equal(ffi.string(given), ffi.string(own))
      assert.is_true(own ~= given)
    end
    for _, name in ipairs(TEXTS) do same(copy[name], config[name]) end
    same(copy.health.query, config.health.query)
    same(copy.decisions.file, config.decisions.file)
    assert.same({ 2, 2, 2 },
      { tonumber(copy.contact_point_count), tonumber(copy.region_count), tonumber(copy.profile_count) })
    for i = 0, 1 do
      same(copy.contact_points[i].host, config.contact_points[i].host)
      same(copy.regions[i].dc, config.regions[i].dc)
      same(copy.profiles[i].name, config.profiles[i].name)
      same(copy.profiles[i].tag, config.profiles[i].tag)
      assert.equal(i + 1, copy.regions[i].priority)
    end
    assert.same({ config.port, 7000 }, { copy.contact_points[0].port, copy.contact_points[1].port })
    C.mp_session_config_free(copy)
    assert.equal(before, held())
  end)

  it("that no memory is left for is freed as far as it came", function()
    local before, failures = held(), 0
    for nth = 1, 100 do
      C.mp_mem_fail_at(nth, false)
      local rc = C.mp_session_config_copy(copy, config)
      C.mp_mem_fail_at(0, false)
      C.mp_session_config_free(copy)
      assert.equal(before, held(), nth)
      if rc == 0 then break end
      assert.equal(C.MP_ENOMEM, rc)
      failures = failures + 1
    end
    assert.equal(19, failures) -- eight texts, three lists, two hosts, two datacentres, two profiles with tags
  end)
end)
