-- SPDX-License-Identifier: Apache-2.0
-- What loop.h promises about the life of a loop, byte streams and names: the same sentences on both bodies.
local ffi = require "ffi"
local C = require "spec.support.c"
local loops = require "spec.support.loops"
local ports = require "spec.support.ports"

local pattern, close_all = loops.pattern, loops.close_all

for _, body in ipairs(loops.bodies) do
  describe("the loop (" .. body.name .. ")", function()
    local loop
    local at = loops.addr("127.0.0.1", ports.at(1))
    local nobody = loops.addr("127.0.0.1", ports.at(2))

    before_each(function() loop = body.open(7) end)
    after_each(function() loop:close() end)

    local function pair(...) return loop:pair(at, ...) end

    describe("life", function()
      it("runs until nothing is left", function()
        loop:run()
        local fired = false
        loop:start(loop:timer(function() fired = true end), 1)
        loop:run()
        assert.is_true(fired)
      end)

      it("stops at the end of the turn that asks for it", function()
        local ran = {}
        local far = loop:timer(function() ran[#ran + 1] = "far" end)
        loop:start(far, 100000)
        local task = loop:task(function() ran[#ran + 1] = "task" end)
        loop:start(loop:timer(function()
          loop:post(task)
          C.mp_loop_stop(loop.handle)
        end), 1)
        loop:run()
        assert.same({ "task" }, ran)
        assert.equal(1, loop:census().timers)
        C.mp_timer_stop(far)
      end)

      it("stops before it sleeps when work that was posted before the run asks for it", function()
        local fired = false
        local far = loop:timer(function() fired = true end)
        loop:start(far, 2000)
        loop:post(loop:task(function() C.mp_loop_stop(loop.handle) end))
        loop:run()
        assert.is_false(fired)
        assert.equal(1, loop:census().timers)
        C.mp_timer_stop(far)
      end)

      it("forgets a stop that was asked for while it did not run", function()
        local fired = false
        C.mp_loop_stop(loop.handle)
        loop:start(loop:timer(function() fired = true end), 1)
        loop:run()
        assert.is_true(fired)
      end)

      it("may be freed with timers started and tasks posted", function()
        loop:start(loop:timer(function() end), 1000)
        loop:post(loop:task(function() end))
      end)

      it("says whether a turn did anything", function()
        assert.is_false(loop:turn(0))
        assert.is_false(loop:turn(5))
        loop:post(loop:task(function() end))
        assert.is_true(loop:turn(0))
      end)

      it("waits in a turn no longer than it is told", function()
        local timer = loop:timer(function() end)
        loop:start(timer, 60000)
        local start = loop:now_ms()
        assert.is_false(loop:turn(10))
        local took = loop:now_ms() - start
        assert.is_true(took >= 9 and took < 5000)
        C.mp_timer_stop(timer)
      end)

      it("keeps one time stamp through a turn", function()
        local first, second
        loop:post(loop:task(function() first = C.mp_loop_now_ns(loop.handle) end))
        loop:post(loop:task(function() second = C.mp_loop_now_ns(loop.handle) end), "flush")
        loop:run()
        assert.is_true(first == second)
        assert.is_true(C.mp_loop_clock_ns(loop.handle) >= first)
        assert.is_true(C.mp_loop_now_ns(loop.handle) >= first)
      end)

      it("knows the date and owns one source of chance", function()
        assert.is_true(C.mp_loop_wall_us(loop.handle) > 1600000000000000ULL)
        local random = ffi.new "struct mp_rand"
        C.mp_rand_seed(random, 7)
        assert.is_true(C.mp_rand_u64(random) == C.mp_rand_u64(C.mp_loop_rand(loop.handle)))
      end)
    end)

    describe("connecting", function()
      it("calls back once, later, and carries bytes both ways", function()
        local listener = assert(loop:listen(at, function()
          return { read = function(sock, text) sock:send(text) end }
        end))
        local client = assert(loop:connect(at, { connect = function(sock) sock:send "hello world" end }))
        assert.equal(0, client.connects)
        loop:until_true(function() return client.received == 11 end)
        assert.equal("hello world", client:text())
        assert.equal(0, client.connected)
        assert.equal(1, client.connects)
        listener.close()
        close_all(client, listener.accepted[1])
      end)

      it("is refused where nobody listens", function()
        local client = assert(loop:connect(nobody))
        loop:until_true(function() return client.connected end)
        assert.equal(C.MP_EREFUSED, client.connected)
        loop:pass(20)
        assert.equal(1, client.connects)
        assert.equal(0, client.ends)
        client:close()
      end)

      it("is refused again after the listener closed", function()
        local listener = assert(loop:listen(at))
        listener.close()
        local client = assert(loop:connect(at))
        loop:until_true(function() return client.connected end)
        assert.equal(C.MP_EREFUSED, client.connected)
        client:close()
      end)

      it("does not begin without an address or a port", function()
        local none = ffi.new "struct mp_addr"
        local client, err = loop:connect(none)
        assert.is_nil(client)
        assert.equal(C.MP_EINVAL, err)
        client, err = loop:connect(loops.addr("127.0.0.1", 0))
        assert.is_nil(client)
        assert.equal(C.MP_EINVAL, err)
      end)

      it("fails cleanly when there is no memory", function()
        local listener = assert(loop:listen(at))
        for nth = 1, 3 do
          local events = ffi.new "struct mp_sock_events"
          local err = ffi.new "int[1]"
          C.mp_mem_fail_at(nth, false)
          local sock = C.mp_loop_connect(loop.handle, at, nil, events, nil, err)
          C.mp_mem_fail_at(0, false)
          if sock == nil then
            assert.is_true(err[0] == C.MP_ELOCAL or err[0] == C.MP_ENOMEM)
          else
            C.mp_sock_close(sock, false)
          end
        end
        listener.close()
      end)

      it("closed on the way calls nothing any more", function()
        local listener = assert(loop:listen(at, function(sock) sock:close() end))
        for _, addr in ipairs { at, nobody } do
          local client = assert(loop:connect(addr))
          client:close()
          client = assert(loop:connect(addr))
          loop:turn(0)
          if client.connects == 0 then
            client:close()
            loop:pass(10)
            assert.equal(0, client.connects + client.reads + client.ends)
          else
            client:close()
          end
        end
        listener.close()
      end)

      it("takes the options of a socket", function()
        local options = ffi.new "struct mp_sock_options"
        options.no_delay, options.keep_alive, options.user_timeout_ms = true, true, 5000
        local listener = assert(loop:listen(at))
        local client = assert(loop:connect(at, {}, options))
        loop:until_true(function() return client.connected and listener.accepted[1] end)
        assert.equal(0, client.connected)
        listener.close()
        close_all(client, listener.accepted[1])
      end)

      it("works many times at once", function()
        local listener = assert(loop:listen(at, function()
          return { read = function(sock, text) sock:send(text) end }
        end))
        local clients, done = {}, 0
        for i = 1, 40 do
          clients[i] = assert(loop:connect(at, {
            connect = function(sock) sock:send(string.format("%04d", i)) end,
            read = function(sock)
              if sock.received == 4 then done = done + 1 end
            end,
          }))
        end
        loop:until_true(function() return done == 40 end)
        for i = 1, 40 do assert.equal(string.format("%04d", i), clients[i]:text()) end
        assert.equal(80, loop:census().sockets)
        listener.close()
        close_all(unpack(clients))
        close_all(unpack(listener.accepted))
      end)
    end)

    describe("listening", function()
      it("gives a port when none was asked for", function()
        local listener = assert(loop:listen(loops.addr("127.0.0.1", 0)))
        local addr = C.mp_listener_addr(listener.handle)
        assert.is_true(addr.port > 0)
        local client = assert(loop:connect(addr))
        loop:until_true(function() return client.connected and listener.accepted[1] end)
        assert.equal(0, client.connected)
        listener.close()
        close_all(client, listener.accepted[1])
      end)

      it("works once on one address", function()
        local listener = assert(loop:listen(at))
        local second, err = loop:listen(at)
        assert.is_nil(second)
        assert.equal(C.MP_ELOCAL, err)
        listener.close()
        assert(loop:listen(at)).close()
      end)

      it("works on IPv6", function()
        local v6 = loops.addr("::1", ports.at(1))
        local listener = loop:listen(v6, function()
          return { read = function(sock, text) sock:send(text) end }
        end)
        if not listener then return pending "this machine has no IPv6" end
        local client = assert(loop:connect(v6, { connect = function(sock) sock:send "six" end }))
        loop:until_true(function() return client.received == 3 end)
        listener.close()
        close_all(client, listener.accepted[1])
      end)

      it("on every address of the machine is found by each of them", function()
        local listener = assert(loop:listen(loops.addr("0.0.0.0", ports.at(3))))
        local client = assert(loop:connect(loops.addr("127.0.0.2", ports.at(3))))
        loop:until_true(function() return client.connected and listener.accepted[1] end)
        assert.equal(0, client.connected)
        listener.close()
        close_all(client, listener.accepted[1])
      end)

      it("may close what it accepts, and itself, inside the callback", function()
        local listener
        listener = assert(loop:listen(at, function(sock)
          sock:close()
          listener.close()
        end))
        local client = assert(loop:connect(at))
        loop:until_true(function() return client.ended end)
        assert.equal(1, client.ends)
        client:close()
      end)
    end)

    describe("bytes", function()
      it("come in order and complete through short writes", function()
        local text = pattern(3000000)
        local client, server = pair()
        client:send(text)
        loop:until_true(function() return server.received == #text end, 20000)
        assert.is_true(server:text() == text)
        assert.is_true(server.reads > 1)
        close_all(client, server)
      end)

      it("of several spans are one stream, empty ones included", function()
        local client, server = pair()
        local took = client:write("a", "", "bc", "", "def")
        loop:until_true(function() return server.received == took end)
        assert.equal(("abcdef"):sub(1, took), server:text())
        assert.equal(0, client:write(""))
        close_all(client, server)
      end)

      it("wait in the writer when the reader takes none", function()
        local client, server = pair()
        server:stop()
        local block, taken, full = pattern(65536), 0, false
        while not full do
          local writables = client.writables
          local took = client:write(block)
          assert.is_true(took >= 0)
          taken = taken + took
          -- A write that is short by chance (simulated) is followed by on_writable soon, one without room is not.
          if took < #block then loop:pass(3) end
          full = took < #block and client.writables == writables
        end
        local before = client.writables
        loop:pass(20)
        assert.equal(before, client.writables)
        assert.equal(0, server.received)
        server:start()
        loop:until_true(function() return server.received == taken end)
        loop:until_true(function() return client.writables == before + 1 end)
        loop:pass(20)
        assert.equal(before + 1, client.writables)
        close_all(client, server)
      end)

      it("are confirmed once they have arrived, read or not", function()
        local client, server = pair()
        local function unconfirmed() return tonumber(C.mp_sock_unconfirmed(client.handle)) end
        assert.equal(0, unconfirmed())
        server:stop()
        local took = client:write(pattern(2000))
        assert.is_true(unconfirmed() <= took)
        loop:until_true(function() return unconfirmed() == 0 end)
        assert.equal(0, server.received)
        server:start()
        loop:until_true(function() return server.received == took end)
        assert.equal(0, unconfirmed())
        close_all(client, server)
      end)

      it("are not read while reading is stopped, also from inside on_read", function()
        local client, server
        client, server = pair({}, { read = function(sock)
          if sock.received >= 5 and not sock.paused then
            sock.paused = true
            sock:stop()
          end
        end })
        client:send "first"
        loop:until_true(function() return server.received == 5 end)
        client:send "second"
        loop:pass(20)
        assert.equal(5, server.received)
        server:start()
        loop:until_true(function() return server.received == 11 end)
        assert.equal("firstsecond", server:text())
        close_all(client, server)
      end)

      it("sent before the end are read before the end", function()
        local client, server = pair()
        client:send(pattern(5000))
        loop:until_true(function() return client.sent end)
        client:close()
        loop:until_true(function() return server.ended end)
        assert.equal(C.MP_EEOF, server.ended)
        assert.equal(5000, server.received)
        assert.equal(1, server.ends)
        server:close()
      end)
    end)

    describe("a turn", function()
      it("reads sockets, fires timers and runs tasks, in this order", function()
        local heard = {}
        local task = loop:task(function() heard[#heard + 1] = "task" end)
        local _, server
        local client
        client, server = pair({ read = function()
          heard[#heard + 1] = "read"
          loop:post(task)
        end })
        server:send "x"
        local timer = loop:timer(function() heard[#heard + 1] = "timer" end)
        -- Both are due when the loop turns next.
        if loop.is_sim then C.mp_loop_sim_jump(loop.handle, 10000000ULL) end
        loop:start(timer, 1)
        local until_ns = C.mp_loop_clock_ns(loop.handle) + 3000000ULL
        while loop.is_uv and C.mp_loop_clock_ns(loop.handle) < until_ns do _ = 1 end
        loop:until_true(function() return #heard >= 3 end)
        if loop.is_uv then assert.same({ "read", "timer", "task" }, heard) end
        close_all(client, server)
      end)

      it("lets what is written in it leave in one piece by a flush task", function()
        local out = {}
        local client, server = pair()
        local flush = loop:task(function() client:send(table.concat(out)) end)
        for i = 1, 10 do
          loop:post(loop:task(function()
            out[i] = i .. " "
            loop:post(flush, "flush")
          end))
        end
        loop:until_true(function() return server.received == 21 end)
        assert.equal("1 2 3 4 5 6 7 8 9 10 ", server:text())
        close_all(client, server)
      end)
    end)

    describe("names", function()
      it("that are literals come back as they are, later", function()
        for text, printed in pairs { ["10.1.2.3"] = "10.1.2.3:9042", ["::1"] = "[::1]:9042" } do
          local lookup = assert(loop:resolve(text, 9042))
          assert.is_nil(lookup.rc)
          loop:until_true(function() return lookup.rc end)
          assert.equal(0, lookup.rc)
          assert.same({ printed }, lookup.addrs)
        end
      end)

      it("like localhost are looked up, IPv4 first", function()
        local lookup = assert(loop:resolve("localhost", 9042))
        assert.equal(1, loop:census().resolves)
        loop:until_true(function() return lookup.rc end)
        assert.equal(0, lookup.rc)
        assert.equal("127.0.0.1:9042", lookup.addrs[1])
        assert.equal(1, lookup.calls)
        assert.equal(0, loop:census().resolves)
      end)

      it("that nobody knows are an error", function()
        local lookup = assert(loop:resolve("no such name", 9042))
        loop:until_true(function() return lookup.rc end, 30000)
        assert.equal(C.MP_ERESOLVE, lookup.rc)
        assert.same({}, lookup.addrs)
      end)

      it("that are empty or too long are wrong at once", function()
        for _, host in ipairs { "", ("a"):rep(254), ("a"):rep(100000) } do
          local lookup, err = loop:resolve(host, 9042)
          assert.is_nil(lookup)
          assert.equal(C.MP_EINVAL, err)
        end
      end)

      it("may be given up", function()
        for _, host in ipairs { "localhost", "127.0.0.1" } do
          local lookup = assert(loop:resolve(host, 9042))
          lookup.close()
          loop:pass(20)
          assert.equal(0, lookup.calls)
        end
      end)
    end)
  end)
end
