-- SPDX-License-Identifier: Apache-2.0
-- How streams end, and that nothing is heard after a close: the same sentences on both bodies.
local C = require "spec.support.c"
local loops = require "spec.support.loops"
local ports = require "spec.support.ports"

local pattern, close_all = loops.pattern, loops.close_all

for _, body in ipairs(loops.bodies) do
  describe("a stream (" .. body.name .. ")", function()
    local loop
    local at = loops.addr("127.0.0.1", ports.at(1))
    local nobody = loops.addr("127.0.0.1", ports.at(2))

    before_each(function() loop = body.open(7) end)
    after_each(function() loop:close() end)

    local function pair(...) return loop:pair(at, ...) end

    describe("end", function()
      it("may be one way: the answer still comes", function()
        local client, server
        client, server = pair({}, { ["end"] = function(sock) sock:send "the answer" end })
        client:send "the question"
        loop:until_true(function() return client.sent end)
        client:shutdown()
        loop:until_true(function() return client.received == 10 end)
        assert.equal("the question", server:text())
        assert.equal(C.MP_EEOF, server.ended)
        assert.equal(C.MP_ELOST, client:write "too late")
        server:close()
        loop:until_true(function() return client.ended end)
        assert.equal(C.MP_EEOF, client.ended)
        client:close()
      end)

      it("by reset is a loss to the peer", function()
        local client, server = pair()
        client:close(true)
        loop:until_true(function() return server.ended end)
        assert.equal(C.MP_ELOST, server.ended)
        assert.equal(1, server.ends)
        assert.equal(C.MP_ELOST, server:write "x")
        server:close()
      end)

      it("of a peer that closed with bytes unread is a loss", function()
        local client, server = pair()
        server:stop()
        client:send "unread"
        loop:pass(20)
        server:close()
        loop:until_true(function() return client.ended end)
        assert.equal(C.MP_ELOST, client.ended)
        client:close()
      end)

      it("is found by a writer that does not read", function()
        local client, server = pair()
        client:stop()
        server:close(true)
        loop:pass(20)
        assert.equal(0, client.ends)
        assert.equal(C.MP_ELOST, client:write "x")
        client:close()
      end)

      it("is told when reading starts again", function()
        local client, server = pair()
        client:stop()
        server:send "last words"
        loop:until_true(function() return server.sent end)
        server:close()
        loop:pass(20)
        assert.equal(0, client.ends + client.reads)
        client:start()
        loop:until_true(function() return client.ended end)
        assert.equal("last words", client:text())
        assert.equal(C.MP_EEOF, client.ended)
        client:close()
      end)

      it("waits while reading is stopped inside the last on_read", function()
        local client, server
        client, server = pair({}, { read = function(sock) sock:stop() end })
        server:stop()
        client:send "last words"
        loop:until_true(function() return client.sent end)
        loop:pass(20)
        client:close(true)
        loop:pass(20)
        while server.received < 10 do
          server:start()
          loop:pass(5)
          assert.equal(0, server.ends)
        end
        loop:pass(20)
        assert.equal(0, server.ends)
        server:start()
        loop:until_true(function() return server.ended end)
        assert.equal(C.MP_ELOST, server.ended)
        server:close()
      end)

      it("follows when bytes are sent to somebody who is gone", function()
        local client, server = pair()
        server:close()
        loop:until_true(function() return client.ended end)
        loop:until_true(function()
          loop:pass(1)
          return client:write "anybody?" == C.MP_ELOST
        end)
        client:close()
      end)
    end)

    describe("closing", function()
      -- Whatever callback closes its socket, none follows.
      local function quiet_after_close(event, provoke)
        it("inside " .. event .. " is the last that is heard", function()
          for _, reset in ipairs { false, true } do
            local calls_after = 0
            local on = {}
            for _, name in ipairs { "connect", "read", "end", "writable" } do
              on[name] = function(sock)
                if sock.closed then
                  calls_after = calls_after + 1
                elseif name == event then
                  sock:close(reset)
                end
              end
            end
            local listener = assert(loop:listen(at))
            local client = assert(loop:connect(at, on))
            loop:until_true(function() return client.connected and (client.closed or listener.accepted[1]) end)
            provoke(client, listener)
            loop:until_true(function() return client.closed end)
            loop:pass(20)
            assert.equal(0, calls_after)
            listener.close()
            for _, sock in ipairs(listener.accepted) do
              if not sock.closed then sock:close() end
            end
          end
        end)
      end

      quiet_after_close("connect", function() end)
      quiet_after_close("read", function(_, listener) listener.accepted[1]:send(pattern(200000)) end)
      quiet_after_close("end", function(_, listener) listener.accepted[1]:close() end)
      quiet_after_close("writable", function(client, listener)
        local server = listener.accepted[1]
        server:stop()
        local block = pattern(1000000)
        while not client.closed and client:write(block) == #block do loop:turn(1) end
        server:start()
      end)

      it("a refused socket inside on_connect is fine", function()
        local client = assert(loop:connect(nobody, { connect = function(sock) sock:close() end }))
        loop:until_true(function() return client.closed end)
        assert.equal(C.MP_EREFUSED, client.connected)
      end)

      it("another socket inside a callback of the same turn silences it", function()
        local socks = {}
        local listener = assert(loop:listen(at))
        local heard_after = 0
        for i = 1, 4 do
          socks[i] = assert(loop:connect(at, { read = function(sock)
            if sock.closed then heard_after = heard_after + 1 end
            for _, other in ipairs(socks) do
              if not other.closed then other:close() end
            end
          end }))
        end
        loop:until_true(function() return #listener.accepted == 4 end)
        for _, server in ipairs(listener.accepted) do server:send "all at once" end
        loop:until_true(function() return socks[1].closed end)
        loop:pass(20)
        assert.equal(0, heard_after)
        listener.close()
        close_all(unpack(listener.accepted))
      end)
    end)
  end)
end
