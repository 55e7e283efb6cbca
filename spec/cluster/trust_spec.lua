-- SPDX-License-Identifier: Apache-2.0
-- The TLS of a session below its sessions: which options are others, files that change, and memory that lacks.
local ffi = require "ffi"
local C = require "spec.support.c"
local certificates = require "spec.support.certificates"
local policies = require "spec.support.policies"
local sim_world = require "spec.support.sim_world"

if not C.mp_tls_is_built() then return end

describe("the TLS of a session", function()
  local folder, loop, lines, kept, why, err, log

  setup(function() folder = certificates.folder() end)
  teardown(function() certificates.remove(folder) end)
  before_each(function()
    loop, lines, kept, why, err = sim_world.loop(1), {}, {}, ffi.new "char[300]", ffi.new "int[1]"
    log = C.mp_loop_log(loop.handle)
    log.level = C.MP_LOG_INFO
    log.sink = loop:callback("void (*)(void *, enum mp_log_level, const char *)",
      function(_, level, line) lines[#lines + 1] = tonumber(level) .. " " .. ffi.string(line) end)
  end)
  after_each(function()
    C.mp_mem_fail_at(0, false)
    log.level, log.sink = C.MP_LOG_OFF, nil
    loop:close()
  end)

  local function options_of(fields)
    local options = ffi.new "struct mp_tls_options"
    for name, value in pairs(fields) do
      if type(value) == "string" then
        kept[#kept + 1] = value
        value = ffi.cast("const char *", value)
      end
      options[name] = value
    end
    return options
  end
  local function fields(changes)
    local all = { ca = folder .. "/ca.pem", cert = folder .. "/good.pem", key = folder .. "/good.key",
      ciphers = "ECDHE-ECDSA-AES128-GCM-SHA256" }
    for name, value in pairs(changes or {}) do all[name] = value ~= "none" and value or nil end
    return all
  end
  local function new(changes)
    local trust = C.mp_trust_new(loop.handle, options_of(fields(changes)), why, 300, err)
    if trust == nil then return nil, ffi.string(why), err[0] end
    return trust
  end

  it("is of its options and of no others", function()
    local trust = assert(new())
    assert.is_true(C.mp_trust_is_of(trust, options_of(fields()))) -- texts of their own
    for name, value in pairs { ca = folder .. "/other.pem", cert = folder .. "/other.pem", key = "none",
      crl = folder .. "/crl.pem", pass_phrase = "x", ciphers = "none", unverified = true, minor = 3, identity = 1 } do
      assert.is_false(C.mp_trust_is_of(trust, options_of(fields { [name] = value })), name)
    end
    C.mp_trust_free(trust)
    C.mp_trust_free(nil)
    assert.equal(nil, C.mp_trust_context(nil))
  end)

  it("is none without memory, whichever allocation fails, and says so", function()
    local trust, said, rc
    local failures = 0
    repeat
      C.mp_mem_fail_at(failures + 1, false)
      trust, said, rc = new { pass_phrase = "not asked for" }
      C.mp_mem_fail_at(0, false)
      if not trust then
        assert.equal(C.MP_ENOMEM, rc, said)
        assert.matches("memory", said)
        failures = failures + 1
      end
    until trust
    C.mp_trust_free(trust)
    -- itself, three files, the pass phrase, the ciphers, a context, the text of the key
    assert.is_true(failures >= 8, failures)
  end)

  it("follows its files, and stays what it was while they cannot be used", function()
    local trust = assert(new())
    local first = C.mp_trust_context(trust)
    local cert = fields().cert
    local text = policies.read(cert)
    C.mp_loop_sim_touch(loop.handle, cert)
    loop:pass(1000)
    assert.same({ "2 tls: the files were read anew, for new connections" }, lines)
    local second = C.mp_trust_context(trust)
    assert.is_true(second ~= nil)
    policies.write(cert, "nonsense")
    C.mp_loop_sim_touch(loop.handle, cert)
    loop:pass(1000)
    assert.equal(second, C.mp_trust_context(trust))
    assert.matches("^0 tls: .*good.pem.*; what was read before stays in force$", lines[2])
    policies.write(cert, text)
    for _, name in ipairs { "ca", "cert", "key" } do
      local before = #lines
      C.mp_loop_sim_touch(loop.handle, fields()[name])
      loop:pass(1000)
      assert.equal(before + 1, #lines, name)
    end
    assert.is_true(first ~= nil)
    C.mp_trust_free(trust)
  end)
end)
