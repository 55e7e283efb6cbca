-- SPDX-License-Identifier: Apache-2.0
-- What systemd hears of moonpool serve.
local ffi = require "ffi"
local policies = require "spec.support.policies"
require "spec.support.unix" -- socket, recv, poll, close

ffi.cdef "int bind(int fd, const void *addr, unsigned len);"

describe("moonpool serve under systemd", function()
  it("says that it is ready, lives, and ends", function()
    local folder = policies.folder()
    policies.write(folder .. "/pool.lua", [[
      local hosts = {}
      for host in os.getenv "CASSANDRA_HOSTS":gmatch "[^,]+" do hosts[#hosts + 1] = host end
      return { contactPoints = hosts, localDataCenter = "datacenter1" }
    ]])
    local fd = ffi.C.socket(1, 2, 0)
    local at = ffi.new("struct spec_sockaddr_un", { family = 1, path = folder .. "/notify" })
    assert.equal(0, ffi.C.bind(fd, at, ffi.sizeof(at)))
    local command = "( NOTIFY_SOCKET=%s/notify WATCHDOG_USEC=300000 '%s/moonpool' serve --embedded 1 --control "
      .. "%s/ctl.sock %s/pool.lua > %s/log 2>&1 < /dev/null & echo $! > %s/pid )"
    os.execute(command:format(folder, MOONPOOL_BUILD_DIR, folder, folder, folder, folder))
    local buf, heard, order = ffi.new "char[512]", {}, {}
    local function listen(wanted)
      while not heard[wanted] do
        local wait = ffi.new("struct spec_pollfd[1]", { { fd = fd, events = 1 } })
        assert(ffi.C.poll(wait, 1, 20000) == 1, "silence, " .. wanted .. " was not heard: "
          .. policies.read(folder .. "/log"))
        for line in ffi.string(buf, ffi.C.recv(fd, buf, 512, 0)):gmatch "[^\n]+" do
          heard[line] = (heard[line] or 0) + 1
          order[#order + 1] = line
        end
      end
    end
    local ok, why = pcall(function()
      listen "READY=1"
      listen "STATUS=connected, 1 of 1 hosts were up"
      heard["WATCHDOG=1"] = nil
      for _ = 1, 3 do
        listen "WATCHDOG=1"
        heard["WATCHDOG=1"] = nil
      end
      assert(os.execute("kill " .. policies.read(folder .. "/pid")) == 0)
      listen "STOPPING=1"
      assert.equal("STOPPING=1", order[#order])
    end)
    os.execute("kill -9 " .. policies.read(folder .. "/pid"):gsub("%s", "") .. " 2>/dev/null")
    ffi.C.close(fd)
    policies.remove(folder)
    assert(ok, why)
  end)
end)
