-- SPDX-License-Identifier: Apache-2.0
local ffi = require "ffi"
local C = require "spec.support.c"
local policies = require "spec.support.policies"
local topology = require "spec.support.topology"

local file = assert(io.open(MOONPOOL_ROOT .. "/runtime/cli/watchdog.h"))
ffi.cdef((file:read "*a":gsub("//[^\n]*", ""):gsub("#[^\n]*", ""):gsub("MP_MUST_CHECK", "")))
file:close()
ffi.cdef [[
int pipe(int fds[2]);
int fcntl(int fd, int command, ...);
ssize_t read(int fd, void *to, size_t size);
int close(int fd);
int usleep(unsigned us);
uint64_t mp_vm_cpu_ns(void);
]]
local F_SETFL, O_NONBLOCK = 4, 2048

describe("the watchdog", function()
  local beat, watched, calls, alarm, fds, said

  before_each(function()
    beat, watched = ffi.new "struct mp_beat", ffi.new "struct mp_watched"
    calls, alarm, fds, said = ffi.new("uint64_t[1]", 1), ffi.new "bool[1]", ffi.new "int[2]", ""
    watched.what, watched.calls, watched.alarm = "the thing\n", calls, alarm
    assert(ffi.C.pipe(fds) == 0)
    assert(ffi.C.fcntl(fds[0], F_SETFL, ffi.cast("int", O_NONBLOCK)) == 0)
    assert.equal(0, C.mp_watchdog_start(beat, fds[1]))
  end)
  after_each(function()
    C.mp_watchdog_stop()
    C.mp_watchdog_stop()
    ffi.C.close(fds[0])
    ffi.C.close(fds[1])
  end)

  local function listen()
    local bytes = ffi.new "char[4096]"
    local count = ffi.C.read(fds[0], bytes, 4096)
    if count > 0 then said = said .. ffi.string(bytes, count) end
    return said
  end
  jit.off(listen)

  -- Works for so many milliseconds of the processor, or until `done()`.
  local function work(ms, done)
    local till = C.mp_vm_cpu_ns() + ms * 1000000ULL
    while C.mp_vm_cpu_ns() < till do
      if done and done() then return true end
    end
    return false
  end
  jit.off(work)

  it("tells of a policy that does not come back, once, and makes it give way", function()
    local from = C.mp_vm_cpu_ns()
    beat.policy = watched
    assert.is_true(work(5000, function() return watched.is_stuck end))
    assert.is_true(C.mp_vm_cpu_ns() - from >= 100000000ULL)
    work(300)
    beat.policy = nil
    assert.is_true(alarm[0])
    assert.equal("moonpool warn: the thing  has been in one call for 100 ms: it gives way at its next one\n", listen())
  end)

  it("tells nothing of one that is called again and again, or waits", function()
    beat.policy = watched
    work(400, function() calls[0] = calls[0] + 1 end)
    for _ = 1, 8 do ffi.C.usleep(50000) end -- no time of the processor's
    beat.policy = nil
    assert.is_false(watched.is_stuck or alarm[0])
    assert.equal("", listen())
  end)

  it("tells of a handler that does not come back, also when it waits in the system", function()
    beat.handler = watched
    for _ = 1, 400 do
      if listen() ~= "" then break end
      ffi.C.usleep(25000)
    end
    beat.handler = nil
    assert.equal("moonpool warn: the thing  has not come back for a second: nothing else goes on meanwhile\n", said)
    assert.is_false(watched.is_stuck)
  end)

  it("is one in a process", function()
    assert.equal(C.MP_EINVAL, C.mp_watchdog_start(beat, 2))
  end)
end)

describe("what the watchdog looks at", function()
  after_each(policies.close_all)
  local view
  setup(function() view = topology.view({ { dc = "a" }, { dc = "a" } }, "a") end)
  teardown(function() topology.free(view) end)

  -- What a watchdog does when it comes while the policy calls log().
  local function open(text, options)
    local p = assert(policies.of(text, options))
    local beat = C.mp_loop_beat(p.loop)
    function p.on_log()
      local watched = beat.policy
      if watched == nil then return end
      p.called = ffi.string(watched.what)
      watched.is_stuck, watched.alarm[0] = true, true
      p.on_log = nil
    end
    assert.equal(0, p:bind(view))
    return p, beat
  end

  local STUCK = "return balance { name = 'Stuck', plan = function(plan, req) plan:hosts(localDc)\n"
    .. "if req.tag == 77 then log 'here' end end }"

  it("is a policy as long as it is asked; one that was stuck rests", function()
    local p, beat = open(STUCK)
    assert.is_true(beat.policy == nil)
    assert.is_true((p:plan(view, {})))
    assert.is_true((p:plan(view, { tag = 77 })))
    assert.is_true(beat.policy == nil)
    assert.matches("^policy Stuck %(.*policy.lua%)$", p.called)
    assert.is_false((p:plan(view, {})))
    local info = p:info()
    assert.is_true(info.is_suspended)
    assert.equal(1, tonumber(info.errors))
    assert.matches("policy.lua: one call took more than 100 ms", ffi.string(info.last_error))
  end)

  it("is asked again after a while, and serves when it comes back in time", function()
    local p = open(STUCK, { sim = true })
    p:plan(view, { tag = 77 })
    assert.is_false((p:plan(view, {})))
    p:pass(1100)
    assert.is_true((p:plan(view, {})))
    assert.is_false(p:info().is_suspended)
  end)

  it("gives way to the generation before", function()
    local p = open("return balance { name = 'Good', plan = function(plan) plan:hosts(localDc, inTurn, 1) end }")
    policies.write(p.file, STUCK)
    assert.is_true((p:reload()))
    assert.equal(2, p:info().generation)
    p:plan(view, { tag = 77 })
    assert.equal(1, #p:walk(view, {}))
    assert.equal(1, p:info().generation)
    assert.matches("policy Stuck %(generation 2%) keeps failing: .*one call took more than 100 ms; "
      .. "generation 1 is back", table.concat(p.log, "\n"))
  end)

  it("are policies of other kinds, too", function()
    local folder = policies.folder()
    finally(function() policies.remove(folder) end)
    policies.write(folder .. "/stuck.lua", "return retry { name = 'Stuck', decide = function(err)\n"
      .. "if err.required == 77 then log 'here' end return giveUp end }")
    local p = open(STUCK, { retry = folder .. "/stuck.lua" })
    assert.equal("giveUp", (p:decide { code = C.MP_SE_UNAVAILABLE, required = 77 }))
    p:decide { code = C.MP_SE_UNAVAILABLE, required = 2 }
    assert.is_true(p:info(C.MP_POLICY_RETRY).is_suspended)
    assert.is_false(p:info().is_suspended)
  end)
end)

describe("moonpool run", function()
  it("tells of handlers that do not come back, and of what they started", function()
    local path = os.tmpname()
    finally(function() os.remove(path) end)
    local app = assert(io.open(path, "w"))
    app:write [[
      local moonpool = require "moonpool"
      local spun
      local function spin()
        local till = os.clock() + 1.4
        while os.clock() < till do end
      end
      local pool = moonpool.ConnectionPool{ localDataCenter = "datacenter1", contactPoints = { "127.0.0.1" } }
      pool:on("connectionAdded", function()
        if spun then return end
        spun = true
        moonpool.spawn(function() moonpool.sleep(1) spin() end)
        moonpool.sleep(50)
        spin()
      end)
      assert(pool:connect())
      moonpool.sleep(100)
      pool:close()
    ]]
    app:close()
    local pipe = assert(io.popen(("MOONPOOL_EMBEDDED_PORT=%d '%s/moonpool' run --embedded 1 %s 2>&1"):format(25180,
      MOONPOOL_BUILD_DIR, path)))
    local output = pipe:read "*a"
    pipe:close()
    local line = "a handler of 'connectionAdded' %(" .. path:gsub("%p", "%%%0")
      .. ":%d+%) has not come back for a second"
    assert.is_true(select(2, output:gsub(line, "")) >= 2, output)
  end)
end)
