-- SPDX-License-Identifier: Apache-2.0
-- Sockets that write at the end of one turn and share a system call: every byte leaves once, and each is told exactly
-- how many of its own have, whatever becomes of the others, of the sockets and of the ring.
local ffi = require "ffi"
local C = require "spec.support.c"
local loops = require "spec.support.loops"
local ports = require "spec.support.ports"

ffi.cdef [[
  void spec_ring_refuse(int code);
  void spec_ring_take(unsigned submissions, unsigned sends);
  void spec_ring_interrupt(void);
  bool spec_ring_is_possible(void);
  uint64_t spec_ring_count(void);
  int setenv(const char *, const char *, int);
  int unsetenv(const char *);
  void spec_syscalls_fail_at(uint64_t nth, int code);
  uint64_t spec_syscalls_count(void);
  int epoll_create1(int);
  int epoll_wait(int, void *, int, int);
  int close(int);
  int fork(void);
  int waitpid(int, int *, int);
  void _exit(int);
]]

local at = loops.addr("127.0.0.1", ports.at(10))
local LEAST, ALL = 32, 0xffffffff -- from so many on they share; no submission is cut
local EPERM = 1
local GATHERS = 2 -- a seed with which the simulated loop does

local has_ring = C.spec_ring_is_possible()

-- For what only a ring shows.
local function with_ring(name, fn)
  it(name, has_ring and fn or function() pending "this kernel, or this build, has no io_uring" end)
end

local loop

-- So many connections; socks[i].peer is the other side.
local function crowd(count)
  local listener = assert(loop:listen(at))
  local socks = {}
  for i = 1, count do
    local client = assert(loop:connect(at))
    loop:until_true(function() return client.connected and listener.accepted[i] end)
    client.peer, client.sent = listener.accepted[i], 0
    socks[i] = client
  end
  listener.close()
  return socks
end

local function close_all(socks)
  for _, sock in ipairs(socks) do
    if not sock.closed then sock:close() end
    if not sock.peer.closed then sock.peer:close() end
  end
end

-- Each offers its text at the end of the turn. `last` runs behind them, before anything has left.
local function offer(socks, text_of, last)
  for i, sock in ipairs(socks) do
    sock.offer, sock.took = text_of(i, sock), nil
    loop:post(loop:task(function()
      if sock.closed then return end
      sock.shares = C.mp_sock_gather(sock.handle)
      if not sock.shares then sock.took = sock:write(sock.offer) end
    end), "flush")
  end
  if last then loop:post(loop:task(last), "flush") end
  loop:flush()
  for _, sock in ipairs(socks) do
    if sock.took and sock.took > 0 then sock.sent = sock.sent + sock.took end
  end
end

local function arrives(socks)
  loop:until_true(function()
    for _, sock in ipairs(socks) do
      if not sock.lost and sock.peer.received < sock.sent then return false end
    end
    return true
  end)
end

local pattern = loops.pattern(1024 * 1024)

-- One life of a crowd: some take less than they are offered, are closed or lost, do not read; the ring may fail.
local function life(seed)
  math.randomseed(seed)
  local random = math.random
  local socks = crowd(LEAST + random(0, 8))
  if random(3) == 1 then C.spec_ring_take(random(0, 6), random(0, 30)) end
  for _ = 1, 6 do
    offer(socks, function(_, sock)
      local most = random(8) == 1 and 400000 or 200
      return sock.closed and "" or pattern:sub(sock.sent + 1, sock.sent + random(0, most))
    end, function()
      local sock = socks[random(#socks)]
      if random(3) == 1 and not sock.closed then sock:close() end
    end)
    local lost = socks[random(#socks)]
    if random(3) == 1 and not lost.peer.closed then
      lost.lost = true
      lost.peer:close(true)
    end
    for _, sock in ipairs(socks) do
      local reads = not sock.peer.closed and random(4)
      if reads == 1 then sock.peer:stop() elseif reads == 2 then sock.peer:start() end
    end
    loop:turn(0)
  end
  for _, sock in ipairs(socks) do if not sock.peer.closed then sock.peer:start() end end
  arrives(socks)
  for _, sock in ipairs(socks) do
    if not sock.lost then
      assert.equal(sock.sent, sock.peer.received)
      assert.is_true(sock.peer:text() == pattern:sub(1, sock.sent))
    end
  end
  C.spec_ring_take(ALL, 0)
  close_all(socks)
end

for _, body in ipairs(loops.bodies) do
  describe("sockets that write together in the " .. body.name .. " loop", function()
    before_each(function() loop = body.open(GATHERS) end)
    after_each(function() if loop then loop:close() end end)

    it("are asked once, and not when they have been closed meanwhile", function()
      if body.is_uv and not has_ring then return pending "there is no io_uring" end
      local socks = crowd(LEAST + 2)
      local twice = loop:task(function() assert.is_true(C.mp_sock_gather(socks[3].handle)) end)
      loop:post(twice, "flush")
      offer(socks, function(i) return i > 2 and "x" or nil end, function() socks[1]:close() end)
      assert.equal(0, socks[1].gathers)
      assert.equal(1, socks[2].gathers)
      assert.is_nil(socks[2].took) -- it had nothing
      assert.is_false(C.mp_sock_gather(socks[3].handle)) -- at the end of a turn only
      assert.equal(1, socks[3].gathers)
      arrives { unpack(socks, 3) }
      loop:until_true(function() return socks[1].peer.ended end)
      assert.equal("", socks[1].peer:text())
      close_all(socks)
    end)

    it("account for every byte, whatever happens to whom (random)", function()
      for seed = 2, 24, 2 do
        life(seed)
        loop:close()
        loop = body.open(seed)
      end
    end)
  end)
end

describe("sockets that write together", function()
  before_each(function() loop = loops.uv(1) end)
  after_each(function()
    C.spec_ring_refuse(0)
    C.spec_ring_take(ALL, 0)
    C.spec_syscalls_fail_at(0, 0)
    loop:close()
  end)

  with_ring("leave by one system call, from 32 on", function()
    local socks = crowd(LEAST)
    local before = C.spec_ring_count()
    C.spec_syscalls_fail_at(0, 0)
    offer(socks, function(i) return "hello " .. i end)
    assert.equal(LEAST, tonumber(C.spec_ring_count() - before))
    assert.equal(0, tonumber(C.spec_syscalls_count()))
    arrives(socks)
    for i, sock in ipairs(socks) do
      assert.equal("hello " .. i, sock.peer:text())
      assert.equal(#sock.offer, sock.took)
    end
    close_all(socks)
  end)

  it("write by themselves when they are fewer", function()
    local socks = crowd(LEAST - 1)
    local before = C.spec_ring_count()
    offer(socks, function() return "hello" end)
    assert.is_true(C.spec_ring_count() == before)
    for _, sock in ipairs(socks) do assert.is_false(sock.shares) end
    arrives(socks)
    close_all(socks)
  end)

  with_ring("write by themselves where that is wished, or memory is missing", function()
    assert.is_true(C.mp_loop_gathers_not() == nil)
    C.setenv("MOONPOOL_IO_URING", "off", 1)
    local said = C.mp_loop_gathers_not()
    C.setenv("MOONPOOL_IO_URING", "on", 1)
    assert.is_true(C.mp_loop_gathers_not() == nil)
    C.unsetenv "MOONPOOL_IO_URING"
    assert.equal("MOONPOOL_IO_URING is off", ffi.string(said))
    C.mp_mem_fail_at(1, false)
    said = C.mp_loop_gathers_not()
    C.mp_mem_fail_at(0, false)
    assert.equal("Cannot allocate memory", ffi.string(said))
  end)

  with_ring("write by themselves where the kernel refuses, which is asked once", function()
    local socks = crowd(LEAST)
    C.spec_ring_refuse(EPERM)
    assert.equal("Operation not permitted", ffi.string(C.mp_loop_gathers_not()))
    offer(socks, function() return "one" end)
    C.spec_ring_refuse(0)
    offer(socks, function() return "two" end)
    for _, sock in ipairs(socks) do assert.is_false(sock.shares) end
    arrives(socks)
    for _, sock in ipairs(socks) do assert.equal("onetwo", sock.peer:text()) end
    assert.is_true(C.mp_loop_gathers_not() == nil)
    close_all(socks)
  end)

  it("are more than one submission holds", function()
    local socks = crowd(300)
    offer(socks, function(i) return ("%d"):format(i):rep(i) end)
    arrives(socks)
    for i, sock in ipairs(socks) do assert.equal(("%d"):format(i):rep(i), sock.peer:text()) end
    close_all(socks)
  end)

  it("are told of a connection that is lost and of one that takes less, and the others are not held up", function()
    local socks = crowd(LEAST)
    socks[1]:stop()
    socks[1].peer:close(true)
    socks[2].peer:stop()
    loop:pass(20)
    local large = loops.pattern(8 * 1024 * 1024)
    offer(socks, function(i) return i == 2 and large or "x" end)
    assert.equal(C.MP_ELOST, socks[1].took)
    assert.is_true(socks[2].took > 0 and socks[2].took < #large)
    for i = 3, LEAST do assert.equal(1, socks[i].took) end
    assert.equal(0, socks[2].writables)
    socks[2].peer:start()
    loop:until_true(function() return socks[2].writables > 0 end)
    socks[1].lost = true
    arrives(socks)
    assert.equal(large:sub(1, socks[2].took), socks[2].peer:text())
    close_all(socks)
  end)

  with_ring("leave when a signal comes in between", function()
    local socks = crowd(LEAST)
    local before = C.spec_ring_count()
    C.spec_ring_interrupt()
    offer(socks, function() return "one" end)
    assert.equal(LEAST, tonumber(C.spec_ring_count() - before))
    arrives(socks)
    for _, sock in ipairs(socks) do assert.equal("one", sock.peer:text()) end
    close_all(socks)
  end)

  with_ring("interrupt nothing that the thread waits in later", function()
    local socks = crowd(LEAST)
    offer(socks, function() return "one" end)
    close_all(socks)
    loop:close()
    loop = loops.uv(1)
    local epoll = C.epoll_create1(0)
    local answer = C.epoll_wait(epoll, ffi.new "char[16]", 1, 60)
    C.close(epoll)
    assert.equal(0, answer)
  end)

  with_ring("leave nothing of the ring behind", function()
    local function open()
      local count = 0
      for _ in require "lfs".dir "/proc/self/fd" do count = count + 1 end
      return count
    end
    local function life_of_a_ring()
      local socks = crowd(LEAST)
      offer(socks, function() return "one" end)
      close_all(socks)
      loop:close()
      local stats = C.mp_mem_stats()
      return open(), tonumber(stats.allocs - stats.frees)
    end
    local descriptors, blocks = life_of_a_ring()
    loop = loops.uv(1)
    local descriptors_again, blocks_again = life_of_a_ring()
    loop = loops.uv(1)
    assert.equal(descriptors, descriptors_again)
    assert.equal(blocks, blocks_again)
  end)

  for _, taken in ipairs { 0, 1, 20 } do
    with_ring(("leave each once when the ring takes %d of them and no more"):format(taken), function()
      local socks = crowd(LEAST + 8)
      offer(socks, function() return "one," end)
      C.spec_ring_take(0, taken)
      offer(socks, function() return "two," end)
      for _, sock in ipairs(socks) do assert.equal(4, sock.took) end
      C.spec_ring_take(ALL, 0)
      local before = C.spec_ring_count()
      offer(socks, function() return "three" end)
      assert.is_true(C.spec_ring_count() == before) -- it is not trusted again
      arrives(socks)
      for _, sock in ipairs(socks) do assert.equal("one,two,three", sock.peer:text()) end
      close_all(socks)
    end)
  end

  it("allocate nothing once they have done it", function()
    local socks = crowd(LEAST)
    offer(socks, function() return "warm" end)
    local before = C.mp_mem_stats()
    for _ = 1, 5 do offer(socks, function() return "x" end) end
    local after = C.mp_mem_stats()
    assert.is_true(after.allocs == before.allocs)
    arrives(socks)
    close_all(socks)
  end)

  with_ring("are the parent's in a child, and the ring with them", function()
    local socks = crowd(LEAST)
    offer(socks, function() return "before " end)
    local child = C.fork()
    if child == 0 then
      C.mp_loop_free(loop.handle)
      C._exit(0)
    end
    local status = ffi.new "int[1]"
    assert.equal(child, C.waitpid(child, status, 0))
    assert.equal(0, status[0])
    local before = C.spec_ring_count()
    offer(socks, function() return "after" end)
    assert.equal(LEAST, tonumber(C.spec_ring_count() - before))
    arrives(socks)
    for _, sock in ipairs(socks) do assert.equal("before after", sock.peer:text()) end
    close_all(socks)
  end)
end)
