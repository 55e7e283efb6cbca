-- SPDX-License-Identifier: Apache-2.0
-- What only the libuv body can show: a host's own uv loop, the machine's limits, and what the kernel does to sockets.
local ffi = require "ffi"
local C = require "spec.support.c"
local effort = require "spec.support.effort"
local loops = require "spec.support.loops"
local ports = require "spec.support.ports"

ffi.cdef [[
  size_t uv_loop_size(void);
  int uv_loop_init(void *);
  int uv_run(void *, int);
  int uv_loop_close(void *);
  int uv_loop_alive(const void *);
  struct spec_rlimit { unsigned long cur, max; };
  int getrlimit(int, struct spec_rlimit *);
  int setrlimit(int, const struct spec_rlimit *);
  int dup(int);
  int close(int);
  void (*signal(int number, void (*handler)(int)))(int);
  unsigned int getpid(void);
]]

local NOFILE, SIGPIPE = 7, 13
local RUN_DEFAULT, RUN_ONCE, RUN_NOWAIT = 0, 1, 2
local at = loops.addr("127.0.0.1", ports.at(10))

local function open_descriptors()
  local count = 0
  for _ in require "lfs".dir "/proc/self/fd" do count = count + 1 end
  return count
end

local function echo() return { read = function(sock, text) sock:send(text) end } end

-- While `fn` runs this process can open no further descriptor.
local function without_descriptors(fn)
  local old, new = ffi.new "struct spec_rlimit", ffi.new "struct spec_rlimit"
  assert(C.getrlimit(NOFILE, old) == 0)
  local free = C.dup(0)
  C.close(free)
  new.cur, new.max = free, old.max
  assert(C.setrlimit(NOFILE, new) == 0)
  local ok, err = pcall(fn)
  assert(C.setrlimit(NOFILE, old) == 0)
  if not ok then error(err, 0) end
end

describe("the libuv loop", function()
  local loop
  before_each(function() loop = loops.uv(1) end)
  after_each(function() if loop then loop:close() end end)

  local function pair(on_client, on_server)
    local listener = assert(loop:listen(at, function() return on_server end))
    local client = assert(loop:connect(at, on_client))
    loop:until_true(function() return client.connected and listener.accepted[1] end)
    listener.close()
    return client, listener.accepted[1]
  end

  it("allocates nothing for reads, writes, timers and tasks once it is warm", function()
    local rounds = 0
    local client, server
    local timer = loop:timer(function() end)
    local task = loop:task(function() rounds = rounds + 1 end)
    local answer = ("x"):rep(1000)
    client, server = pair({ read = function(sock)
      loop:start(timer, 1000)
      loop:post(task)
      loop:post(task, "flush")
      sock:write(answer)
    end }, { read = function(sock) sock:write(answer) end })
    client.collect, server.collect = false, false
    client:write(answer)
    loop:until_true(function() return rounds >= 10 end)
    local before = C.mp_mem_stats()
    loop:until_true(function() return rounds >= 500 end)
    local after = C.mp_mem_stats()
    assert.is_true(after.allocs == before.allocs)
    assert.is_true(after.frees == before.frees)
    client:close()
    server:close()
    C.mp_timer_stop(timer)
  end)

  it("sleeps when there is nothing to do, also after turns that did not", function()
    local flushes = 0
    local chain
    chain = loop:task(function()
      flushes = flushes + 1
      if flushes < 10 then loop:post(chain, "flush") end
    end)
    loop:post(chain, "flush")
    local timer = loop:timer(function() end)
    loop:start(timer, 60000)
    while flushes < 10 do loop:turn(10) end
    effort.at_most(0.05, loop.turn, loop, 150) -- of the processor, not of the clock
    C.mp_timer_stop(timer)
  end)

  it("returns every descriptor", function()
    loop:close()
    local before = open_descriptors()
    loop = loops.uv(1)
    local client, server = pair()
    client:close()
    server:close(true)
    local listener = assert(loop:listen(at))
    local early = assert(loop:connect(at))
    early:close()
    listener.close()
    loop:close()
    loop = nil
    assert.equal(before, open_descriptors())
  end)

  it("survives writing to a connection that was reset, with SIGPIPE at its default", function()
    local old = C.signal(SIGPIPE, nil)
    local client, server = pair()
    client:stop()
    server:close(true)
    loop:pass(20)
    assert.equal(C.MP_ELOST, client:write "one")
    assert.equal(C.MP_ELOST, client:write "two")
    client:shutdown()
    assert.equal(C.MP_ELOST, client:write "three")
    client:close()
    C.signal(SIGPIPE, old)
  end)

  it("fails at once with a local error when there is no descriptor for a socket (R2)", function()
    without_descriptors(function()
      local client, err = loop:connect(at)
      assert.is_nil(client)
      assert.equal(C.MP_ELOCAL, err)
      local listener
      listener, err = loop:listen(at)
      assert.is_nil(listener)
      assert.equal(C.MP_ELOCAL, err)
    end)
  end)

  it("lets a listener rest while there is no descriptor for what it accepts (R2)", function()
    local listener = assert(loop:listen(at))
    local client = assert(loop:connect(at))
    without_descriptors(function()
      loop:until_true(function() return client.connected end)
      loop:until_true(function() return loop:census().timers == 1 end)
      -- The connection waits in the kernel's queue, and nothing spins: turns wait until the rest is over.
      local start = loop:now_ms()
      assert.is_false(loop:turn(40))
      assert.is_true(loop:now_ms() - start >= 30)
      assert.equal(0, #listener.accepted)
    end)
    loop:until_true(function() return listener.accepted[1] end)
    assert.equal(0, loop:census().timers)
    -- A listener that rests may be closed.
    local second = assert(loop:connect(at))
    without_descriptors(function()
      loop:until_true(function() return loop:census().timers == 1 end)
      listener.close()
      assert.equal(0, loop:census().timers)
    end)
    client:close()
    second:close()
    listener.accepted[1]:close()
  end)

  it("tells an unreachable network from a refusal and from its own trouble", function()
    local client, err = loop:connect(loops.addr("255.255.255.255", ports.at(10)))
    assert.is_nil(client)
    assert.equal(C.MP_ECONNECT, err)
  end)

  it("reads a socket that has much only so far in one turn (R11)", function()
    local client, server = pair()
    server:stop()
    server.collect = false
    local block, sent = ("x"):rep(1048576), 0
    for _ = 1, 200 do
      sent = sent + math.max(0, client:write(block))
      loop:turn(1)
    end
    server:start()
    local most = 0
    while server.received < sent do
      local before = server.received
      loop:turn(10)
      most = math.max(most, server.received - before)
    end
    assert.is_true(most <= 4 * 262144)
    client:close()
    server:close()
  end)

  it("reads what came before it fires a timer, however late the timer is (R8)", function()
    local heard = {}
    local client, server = pair({ read = function() heard[#heard + 1] = "read" end })
    loop:start(loop:timer(function() heard[#heard + 1] = "timer" end), 1)
    server:write "the answer"
    local late = loop:now_ms() + 20
    while loop:now_ms() < late do client.late = late end
    loop:turn(10)
    assert.same({ "read", "timer" }, heard)
    client:close()
    server:close()
  end)

  it("lets timers that are much too late wait for sockets that still give bytes (R8)", function()
    local client, server = pair()
    server:stop()
    server.collect = false
    local block, sent, took = ("x"):rep(1048576), 0
    repeat
      took = client:write(block)
      sent = sent + took
    until took < #block
    local read_before, reads_before
    local timer = loop:timer(function() read_before, reads_before = server.received, server.reads end)
    loop:start(timer, 0)
    -- As if the machine had slept: the deadline lies a second back.
    timer.deadline_ns = timer.deadline_ns - 1000000000ULL
    server:start()
    loop:until_true(function() return read_before end)
    assert.is_true(read_before == sent or reads_before >= 16)
    client:close()
    server:close()
  end)

  it("survives any allocation that fails, and leaks nothing", function()
    local failed = 0
    for nth = 1, 3 do
      C.mp_mem_fail_at(nth, false)
      local handle = C.mp_loop_uv_new(nil, 1)
      C.mp_mem_fail_at(0, false)
      if handle == nil then failed = failed + 1 else C.mp_loop_free(handle) end
    end
    assert.equal(2, failed)
    for nth = 1, 12 do
      C.mp_mem_fail_at(nth, false)
      local listener = loop:listen(at, echo)
      local client = loop:connect(at, { connect = function(sock, rc) if rc == 0 then sock:send "ping" end end })
      local lookup = loop:resolve("localhost", 1)
      local watch = loop:watch "/tmp/moonpool-no-such-file"
      for _ = 1, 10 do loop:turn(2) end
      C.mp_mem_fail_at(0, false)
      if lookup then loop:until_true(function() return lookup.rc end) end
      if watch then watch.close() end
      if client then client:close() end
      if listener then
        listener.close()
        for _, sock in ipairs(listener.accepted) do sock:close() end
      end
    end
  end)

  it("knows the zone of a link-local address, and refuses one that is not there", function()
    ffi.cdef "unsigned if_nametoindex(const char *);"
    local lookup = assert(loop:resolve("fe80::1%lo", 9042))
    loop:until_true(function() return lookup.rc end)
    assert.equal(0, lookup.rc)
    assert.same({ ("[fe80::1%%%d]:9042"):format(C.if_nametoindex "lo") }, lookup.addrs)
    lookup = assert(loop:resolve("fe80::1%nosuchif0", 9042))
    loop:until_true(function() return lookup.rc end)
    assert.equal(C.MP_ERESOLVE, lookup.rc)
  end)

  it("forgets a lookup that runs in a thread and is freed without waiting for its callback", function()
    local lookup = assert(loop:resolve("localhost", 1))
    loop:turn(0)
    if lookup.calls == 0 then lookup.close() end
    loop:close()
    loop = nil
  end)
end)

describe("the libuv loop on a uv loop of its host", function()
  local uv, loop

  local run = function(mode)
    local more = C.uv_run(uv, mode)
    loop:check()
    return more
  end

  before_each(function()
    uv = ffi.new("uint8_t[?]", C.uv_loop_size())
    assert(C.uv_loop_init(uv) == 0)
    loop = loops.uv(1, uv)
    loop.after_free = function()
      -- One run lets the last handles close; then nothing of ours is left in it.
      C.uv_run(uv, RUN_DEFAULT)
      assert.equal(0, C.uv_loop_close(uv))
    end
  end)
  after_each(function() loop:close() end)

  it("does not keep the host's loop alive when it has nothing to do", function()
    assert.equal(0, C.uv_loop_alive(uv))
    run(RUN_DEFAULT)
    local fired = false
    loop:start(loop:timer(function() fired = true end), 2)
    assert.is_true(C.uv_loop_alive(uv) ~= 0)
    run(RUN_DEFAULT)
    assert.is_true(fired)
    local ran = {}
    loop:post(loop:task(function() ran[#ran + 1] = "flush" end), "flush")
    loop:post(loop:task(function() ran[#ran + 1] = "run" end))
    run(RUN_DEFAULT)
    assert.same({ "run", "flush" }, ran)
    assert.equal(0, C.uv_loop_alive(uv))
  end)

  it("works while the host runs it, and ends when all is closed", function()
    local listener = assert(loop:listen(at, echo))
    local client
    client = assert(loop:connect(at, {
      connect = function(sock) sock:send "ping" end,
      read = function(sock)
        if sock.received == 4 then
          sock:close()
          listener.close()
        end
      end,
    }))
    listener.on_end = true
    while not client.closed do run(RUN_ONCE) end
    listener.accepted[1]:close()
    run(RUN_DEFAULT)
    assert.equal("ping", client:text())
    assert.equal(0, C.uv_loop_alive(uv))
  end)

  it("does all that is ready in one pumped turn, tasks and flushes included", function()
    local ran = {}
    local task = loop:task(function() ran[#ran + 1] = "run" end)
    local flush = loop:task(function() ran[#ran + 1] = "flush" end)
    local listener = assert(loop:listen(at))
    local client = assert(loop:connect(at, { read = function()
      ran[#ran + 1] = "read"
      loop:post(flush, "flush")
      loop:post(task)
    end }))
    while not (client.connected and listener.accepted[1]) do run(RUN_ONCE) end
    listener.accepted[1]:write "x"
    run(RUN_NOWAIT)
    assert.same({ "read", "run", "flush" }, ran)
    listener.close()
    listener.accepted[1]:close()
    client:close()
  end)

  it("reads the clock outside of its turns, so that no stamp goes stale", function()
    loop:start(loop:timer(function() end), 1)
    run(RUN_DEFAULT)
    local first = C.mp_loop_now_ns(loop.handle)
    local later = first
    local entered = C.mp_loop_enter_moment(loop.handle) -- where it stands still
    local moment = C.mp_loop_now_ns(loop.handle)
    while C.mp_loop_clock_ns(loop.handle) == moment do end -- luacheck: ignore 542
    assert.is_false(C.mp_loop_enter_moment(loop.handle))
    C.mp_loop_leave_moment(loop.handle, false)
    assert.is_true(C.mp_loop_now_ns(loop.handle) == moment)
    C.mp_loop_leave_moment(loop.handle, entered)
    for _ = 1, 1000 do later = C.mp_loop_now_ns(loop.handle) end
    assert.is_true(later > first)
  end)

  it("may be freed with handles that still close", function()
    local listener = assert(loop:listen(at))
    local client = assert(loop:connect(at))
    local lookup = assert(loop:resolve("localhost", 1))
    run(RUN_NOWAIT)
    client:close()
    if lookup.calls == 0 then lookup.close() end
    listener.close()
    for _, sock in ipairs(listener.accepted) do sock:close() end
    loop:start(loop:timer(function() end), 100000)
  end)
end)
