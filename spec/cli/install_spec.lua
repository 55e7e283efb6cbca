-- SPDX-License-Identifier: Apache-2.0
-- What is installed works under any prefix, also when that was moved afterwards: the programs find their Lua files, and
-- others find the libraries by pkg-config and by CMake.
local policies = require "spec.support.policies"
local run = require("spec.support.program").sh

local root, prefix -- a folder of this spec's own, and what was installed

local function sh(command) return run("cd '" .. root .. "' && " .. command) end

local function must(command)
  local said, status = sh(command)
  if status ~= 0 then error(command .. "\n" .. said, 2) end
  return said
end

-- A session of a configuration names a policy, so it is there only if the Lua files and policies were found.
local program = [[
#include <moonpool.h>
#include <stdio.h>

int main(void)
{
	char message[256];
	struct moonpool_loop *loop = moonpool_loop_new(NULL);
	struct moonpool_session *session = moonpool_session_from_text(
		loop, "return { contactPoints = { '127.0.0.1' }, loadBalancing = { policy = 'RoundRobinPolicy' } }", "app",
		message, sizeof(message));
	if (session == NULL) {
		puts(message);
		moonpool_loop_free(loop);
		return 1;
	}
	moonpool_session_close(session, NULL, NULL);
	moonpool_loop_run(loop);
	moonpool_loop_free(loop);
	printf("%s works\n", moonpool_version());
	return 0;
}
]]

describe("an installation", function()
  setup(function()
    root = policies.folder()
    must("cmake --install '" .. MOONPOOL_BUILD_DIR .. "' --prefix '" .. root .. "/first/place'")
    must "mkdir -p 'second place' && mv first/place 'second place/of it'"
    prefix = root .. "/second place/of it"
    policies.write(root .. "/app.c", program)
  end)
  teardown(function() policies.remove(root) end)

  it("has a version in the name of its shared library, and says it in all places", function()
    local version = require("moonpool")._VERSION
    local major = version:match "^%d+"
    assert.matches("libmoonpool.so." .. major .. "]", must("readelf -d '" .. prefix .. "/lib/libmoonpool.so'"), 1, true)
    assert.equal("libmoonpool.so." .. version .. "\n", must("basename $(readlink -f '" .. prefix ..
      "/lib/libmoonpool.so." .. major .. "' | tr ' ' _)"))
    assert.equal(version .. "\n",
      must("PKG_CONFIG_PATH='" .. prefix .. "/lib/pkgconfig' pkg-config --modversion moonpool"))
  end)

  it("names no prefix, its own or the first one", function()
    local said = sh("grep -rIl -e '" .. root .. "' -e /usr/local '" .. prefix .. "/lib'")
    assert.equal("", said)
  end)

  it("runs the command line with its Lua files", function()
    policies.write(root .. "/app.lua", "print(require('moonpool')._VERSION, package.path)")
    local said = must("env -u MOONPOOL_HOME '" .. prefix .. "/bin/moonpool' run app.lua")
    assert.matches(prefix .. "/share/moonpool/lua/?.lua", said, 1, true)
    policies.write(root .. "/pool.lua", "return { loadBalancing = { policy = 'RoundRobinPolicy' } }")
    must("env -u MOONPOOL_HOME '" .. prefix .. "/bin/moonpool' check pool.lua")
  end)

  it("has the manual page and what shells complete", function()
    for _, name in ipairs { "man/man1/moonpool.1", "bash-completion/completions/moonpool",
      "zsh/site-functions/_moonpool", "fish/vendor_completions.d/moonpool.fish" } do
      assert.matches("playbook", policies.read(prefix .. "/share/" .. name), 1, true)
    end
  end)

  it("has the files of the status page", function()
    policies.write(root .. "/page.lua", [[
      local pool = require("moonpool").ConnectionPool { contactPoints = { "127.0.0.1" }, http = { listen = "./page" } }
      pool:close() -- all of them were read
      print "made"]])
    assert.equal("made\n", must("env -u MOONPOOL_HOME '" .. prefix .. "/bin/moonpool' run page.lua"))
  end)

  it("is a module of a plain LuaJIT", function()
    local asan = must("cc -print-file-name=libasan.so"):gsub("%s+$", "") -- the library of this build is instrumented
    local said = must(("env -u MOONPOOL_LIB -u MOONPOOL_HOME LD_PRELOAD=%s ASAN_OPTIONS=detect_leaks=0 " ..
      "LUA_PATH='%s/share/moonpool/lua/?.lua;%s/share/moonpool/lua/?/init.lua;;' " ..
      "luajit -e 'require \"moonpool.sim\" print(require(\"moonpool\")._VERSION)'"):format(asan, prefix, prefix))
    assert.equal(require("moonpool")._VERSION .. "\n", said)
  end)

  it("is found by pkg-config", function()
    policies.write(root .. "/build.sh", [[
      eval "set -- $(pkg-config --cflags --libs moonpool)"
      cc app.c -o by-pkg-config "$@"
    ]])
    must("PKG_CONFIG_PATH='" .. prefix .. "/lib/pkgconfig' sh build.sh")
    assert.matches("works", must("LD_LIBRARY_PATH='" .. prefix .. "/lib' ./by-pkg-config"))
  end)

  it("is a CMake package, shared and static", function()
    policies.write(root .. "/CMakeLists.txt", [[
      cmake_minimum_required(VERSION 3.25)
      project(app LANGUAGES C)
      find_package(moonpool 0.1 REQUIRED COMPONENTS shared static)
      foreach(kind moonpool moonpool_static)
        add_executable(with_${kind} app.c)
        target_link_libraries(with_${kind} PRIVATE moonpool::${kind})
      endforeach()
    ]])
    must("cmake -S . -B out -G Ninja -DCMAKE_PREFIX_PATH='" .. prefix .. "' && cmake --build out")
    assert.matches("works", must "out/with_moonpool")
    -- A program that has moonpool inside of it has no place beside which the Lua files could lie.
    assert.matches("works", must("MOONPOOL_HOME='" .. prefix .. "/share/moonpool' out/with_moonpool_static"))
    local said, status = sh "out/with_moonpool_static"
    assert.equal(1, status)
    assert.matches("MOONPOOL_HOME", said)
    local other = must("sed -i 's/moonpool 0.1/moonpool 0.2/' CMakeLists.txt; ! cmake -S . -B other -G Ninja " ..
      "-DCMAKE_PREFIX_PATH='" .. prefix .. "'")
    assert.matches("0.2", other, 1, true)
  end)
end)
