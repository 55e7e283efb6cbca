-- SPDX-License-Identifier: Apache-2.0
-- What package managers make of this build: Debian packages, put into a system of their own, used, upgraded and removed
-- by dpkg, and a rock of LuaRocks. `scripts/deb try` does the former on a bare Debian with all dependencies.
local policies = require "spec.support.policies"
local program = require "spec.support.program"
local unix = require "spec.support.unix"

local folder, version = nil, require("moonpool")._VERSION

local function must(command)
  local said, status = program.sh("cd '" .. folder .. "' && " .. command)
  if status ~= 0 then error(command .. "\n" .. said, 2) end
  return said
end

-- The library of this build is instrumented.
local function luajit(share, text)
  local asan = must("cc -print-file-name=libasan.so"):gsub("%s+$", "")
  policies.write(folder .. "/app.lua", text)
  return must(("env -u MOONPOOL_LIB -u MOONPOOL_HOME LD_PRELOAD=%s ASAN_OPTIONS=detect_leaks=0 " ..
    "LUA_PATH='%s/lua/5.1/?.lua;%s/lua/5.1/?/init.lua;;' luajit app.lua"):format(asan, share, share))
end

local USE = [[
  require "moonpool.sim"
  local moonpool = require "moonpool"
  local pool = moonpool.ConnectionPool {
    contactPoints = { "127.0.0.1" }, loadBalancing = { policy = "RoundRobinPolicy" },
  }
  print(moonpool._VERSION, (pool:policies().balance.file:gsub("/[^/]*/%.%./", "/")))
]]

describe("Debian packages", function()
  local names = { "libmoonpool0", "libmoonpool-dev", "moonpool", "libnginx-mod-http-moonpool" }
  local root, dpkg

  setup(function()
    folder = policies.folder()
    root = folder .. "/root"
    must("mkdir -p root/var/lib/dpkg/updates root/var/lib/dpkg/info root/etc/nginx/modules-enabled debs && " ..
      "touch root/var/lib/dpkg/status")
    -- What they depend on is not there, and neither is a shell for their scripts.
    dpkg = (unix.is_root() and "" or "unshare --map-root-user ") .. "dpkg --root='" .. root ..
      "' --force-depends --force-script-chrootless --force-not-root " ..
      "--force-unsafe-io --log=/dev/null "
    must("cd '" .. MOONPOOL_BUILD_DIR .. "' && cpack -G DEB -D CPACK_DEBIAN_COMPRESSION_TYPE=none -B '" .. folder ..
      "/debs'")
  end)
  teardown(function() policies.remove(folder) end)

  local function files()
    return must("cd root && find . -type l -o -type f | grep -v '^./var/lib/dpkg' | sort")
  end

  it("say what they are and need", function()
    for _, name in ipairs(names) do
      local fields = must(("dpkg-deb -f debs/%s_%s_*.deb Package Version Depends Description"):format(name, version))
      assert.matches("Package: " .. name .. "\n", fields, 1, true)
      if name ~= "libmoonpool0" then
        assert.matches("libmoonpool0 (= " .. version .. ")", fields, 1, true)
      else
        assert.matches("libuv1", fields)
        assert.matches("luajit", fields)
      end
    end
    assert.matches("nginx%-abi%-[%d.-]+, libnginx%-mod%-http%-lua",
      must "dpkg-deb -f debs/libnginx-mod-http-moonpool_*.deb Depends")
  end)

  it("are described in lines that a terminal has room for", function()
    local first = {}
    for i, name in ipairs(names) do
      local said = must(("dpkg-deb -f debs/%s_%s_*.deb Description"):format(name, version))
      local head, rest = said:match "^([^\n]*)\n(.*)$"
      assert.is_nil(first[head]) -- what a search shows
      first[head] = i
      assert.not_matches(head, rest, 1, true)
      for line in said:gmatch "[^\n]+" do assert.is_true(#line <= 80, line) end
    end
  end)

  it("have what the policy of Debian wants of each", function()
    must "mkdir unpacked && for deb in debs/*.deb; do dpkg-deb -x $deb unpacked; done"
    local packed = { "man/man1/moonpool.1.gz", "doc/libmoonpool0/CHANGELOG.md.gz" }
    for _, name in ipairs(names) do
      assert.matches("License: Apache-2.0\n",
        policies.read(("%s/unpacked/usr/share/doc/%s/copyright"):format(folder, name)), 1, true)
      local log = ("doc/%s/changelog.gz"):format(name)
      packed[#packed + 1] = log
      assert.matches(("^moonpool %%(%s%%) .*\n %%-%%- .* <.*@.*>  %%a%%a%%a, "):format(version:gsub("%.", "%%.")),
        must("zcat unpacked/usr/share/" .. log))
    end
    for _, path in ipairs(packed) do
      local head = policies.read(folder .. "/unpacked/usr/share/" .. path):sub(1, 9)
      assert.equal("\31\139\8\0\0\0\0\0\2", head) -- no name, no time, as small as it gets: the same from each build
    end
    assert.equal("", must "find unpacked/usr/share/man -type f -not -name '*.gz'")
    assert.matches("NAME\nmoonpool ", must "zcat unpacked/usr/share/man/man1/moonpool.1.gz", 1, true)
  end)

  it("say what a program that is linked with the library depends on, and leave the linker's cache to dpkg", function()
    must "mkdir control && dpkg-deb -e debs/libmoonpool0_*.deb control"
    assert.equal("control\nmd5sums\nshlibs\ntriggers\n", must "ls control")
    assert.equal(("libmoonpool 0 libmoonpool0 (>= %s)\n"):format(version), must "cat control/shlibs")
    assert.equal("activate-noawait ldconfig\n", must "cat control/triggers")
  end)

  it("carry neither debugging information nor code for one compiler only", function()
    local sections = must("cd unpacked/usr && readelf -SW lib/libmoonpool.a lib/libmoonpool.so.0 bin/moonpool " ..
      "lib/nginx/modules/*.so")
    assert.matches(" .text ", sections, 1, true)
    for _, none in ipairs { ".debug_", ".gnu.lto_", ".comment" } do assert.not_matches(none, sections, 1, true) end
  end)

  -- Bound late, the dynamic linker saves registers on the stack at a first call, with a secret that was in them.
  it("bind their symbols at the start", function()
    for _, path in ipairs { "lib/libmoonpool.so.0", "bin/moonpool", "lib/nginx/modules/ngx_moonpool_module.so" } do
      assert.matches("BIND_NOW", must("readelf -dW unpacked/usr/" .. path), 1, true)
    end
  end)

  it("are installed, used, upgraded and removed, and leave nothing", function()
    must(dpkg .. "-i debs/*.deb")
    local there = files()
    for _, path in ipairs { "usr/bin/moonpool", "usr/include/moonpool.h", "usr/include/moonpool_session.h",
      "usr/lib/libmoonpool.so.0", "usr/lib/libmoonpool.so", "usr/lib/libmoonpool.a", "usr/lib/pkgconfig/moonpool.pc",
      "usr/lib/systemd/system/moonpool.service", "usr/lib/nginx/modules/ngx_moonpool_module.so",
      "usr/share/lua/5.1/moonpool", "usr/share/lua/5.1/resty/moonpool.lua",
      "etc/nginx/modules-enabled/60-mod-http-moonpool.conf" } do
      assert.matches("\n./" .. path .. "\n", "\n" .. there, 1, true)
    end
    assert.matches("^moonpool " .. version, must(root .. "/usr/bin/moonpool version"))
    local file = root .. "/usr/share/moonpool/policies/balance/round_robin.lua"
    assert.equal(version .. "\t" .. file .. "\n", luajit(root .. "/usr/share", USE))
    must("rm root/etc/nginx/modules-enabled/60-mod-http-moonpool.conf")
    must(dpkg .. "-i debs/*.deb") -- once more: an upgrade
    assert.not_matches("modules-enabled", files()) -- what was switched off stays so
    must(dpkg .. "--remove " .. table.concat(names, " "))
    assert.equal("", files())
  end)
end)

describe("a rock", function()
  setup(function() folder = policies.folder() end)
  teardown(function() policies.remove(folder) end)

  it("is built, installed, used and removed by LuaRocks", function()
    local rocks = ("luarocks --lua-version 5.1 --tree '%s/tree'"):format(folder)
    must(("cd '%s' && MOONPOOL_BUILD='%s' %s make --deps-mode=none moonpool-%s-1.rockspec"):format(MOONPOOL_ROOT,
      MOONPOOL_BUILD_DIR, rocks, version))
    assert.matches("^moonpool " .. version, must "tree/bin/moonpool version")
    local said = luajit(folder .. "/tree/share", USE)
    assert.matches("^" .. version .. "\t.*/tree/lib/luarocks/.*/share/moonpool/policies/balance/round_robin.lua\n$",
      said)
    assert.equal(version .. "-1\n", must(rocks .. " show --mversion moonpool"))
    must(rocks .. " remove moonpool")
    assert.equal("", must "find tree -name '*moonpool*' -type f")
  end)
end)

describe("the files of other package managers", function()
  it("name this version", function()
    folder = MOONPOOL_ROOT
    assert.matches("\nversion = " .. version .. "\n", must "cat dist.ini", 1, true)
    assert.matches('version = "' .. version .. '-1"', must("cat moonpool-" .. version .. "-1.rockspec"), 1, true)
    for path in must("cat dist.ini"):gmatch "\n%w+_?%w* = (lua/[^\n]+)" do must("test -f " .. path) end
  end)
end)
