-- SPDX-License-Identifier: Apache-2.0
-- Files that change, on a real file system.
local ffi = require "ffi"
local C = require "spec.support.c"
local loops = require "spec.support.loops"
local lfs = require "lfs"

ffi.cdef [[ char *mkdtemp(char *); ]]

describe("a watch (libuv)", function()
  local loop, dir, path

  local function write(name, text)
    local file = assert(io.open(dir .. "/" .. name, "w"))
    file:write(text)
    file:close()
  end

  local function link(target, name)
    assert(lfs.link(target, dir .. "/" .. name, true))
  end

  local function replace(name, text)
    write(name .. ".new", text)
    assert(os.rename(dir .. "/" .. name .. ".new", dir .. "/" .. name))
  end

  before_each(function()
    loop = loops.uv(1)
    local template = ffi.new("char[64]", "/tmp/moonpool-watch-XXXXXX")
    assert(C.mkdtemp(template) ~= nil)
    dir = ffi.string(template)
    path = dir .. "/policy.lua"
    write("policy.lua", "one")
  end)
  after_each(function()
    loop:close()
    os.execute("rm -rf '" .. dir .. "'")
  end)

  local function changes(watch, count)
    loop:until_true(function() return watch.changes >= count end, 2000)
    loop:pass(60)
    assert.equal(count, watch.changes)
  end

  it("tells of a write, of a replacement, of removal and return, once each", function()
    local watch = assert(loop:watch(path))
    assert.equal(1, loop:census().watches)
    write("policy.lua", "two")
    changes(watch, 1)
    replace("policy.lua", "three")
    changes(watch, 2)
    os.remove(path)
    changes(watch, 3)
    write("policy.lua", "four")
    changes(watch, 4)
    watch.close()
  end)

  it("makes one call of several changes at once", function()
    local watch = assert(loop:watch(path))
    for i = 1, 20 do write("policy.lua", "version " .. i) end
    changes(watch, 1)
    watch.close()
  end)

  it("waits for a file that does not exist yet", function()
    local watch = assert(loop:watch(dir .. "/later.lua"))
    loop:pass(30)
    assert.equal(0, watch.changes)
    write("later.lua", "here")
    changes(watch, 1)
    watch.close()
  end)

  it("does not tell of the files beside it", function()
    local watch = assert(loop:watch(path))
    write("other.lua", "x")
    replace("another.lua", "y")
    loop:pass(80)
    assert.equal(0, watch.changes)
    watch.close()
  end)

  it("follows a symbolic link to another directory, to the new target when it is swapped", function()
    assert(lfs.mkdir(dir .. "/a"))
    assert(lfs.mkdir(dir .. "/b"))
    write("a/real.lua", "a1")
    write("b/real.lua", "b1")
    link("a/real.lua", "link.lua")
    local watch = assert(loop:watch(dir .. "/link.lua"))
    write("a/real.lua", "a2")
    changes(watch, 1)
    link("b/real.lua", "link.lua.new")
    assert(os.rename(dir .. "/link.lua.new", dir .. "/link.lua"))
    changes(watch, 2)
    write("b/real.lua", "b2")
    changes(watch, 3)
    write("a/real.lua", "a3")
    loop:pass(80)
    assert.equal(3, watch.changes)
    watch.close()
  end)

  it("sees a whole directory of links swapped at once, as mounted configuration is", function()
    assert(lfs.mkdir(dir .. "/v1"))
    assert(lfs.mkdir(dir .. "/v2"))
    write("v1/app.lua", "1")
    write("v2/app.lua", "2")
    link("v1", "data")
    link("data/app.lua", "app.lua")
    local watch = assert(loop:watch(dir .. "/app.lua"))
    link("v2", "data.new")
    assert(os.rename(dir .. "/data.new", dir .. "/data"))
    changes(watch, 1)
    watch.close()
  end)

  it("sees a folder on the way swapped, as releases are", function()
    for _, name in ipairs { "v1", "v2", "v3" } do
      assert(lfs.mkdir(dir .. "/" .. name))
      assert(lfs.mkdir(dir .. "/" .. name .. "/sub"))
      write(name .. "/sub/pool.lua", name)
    end
    link("v1", "current")
    local watch = assert(loop:watch(dir .. "/current/sub/pool.lua"))
    for i = 2, 3 do
      link("v" .. i, "next")
      assert(os.rename(dir .. "/next", dir .. "/current"))
      changes(watch, i - 1)
    end
    write("v1/sub/pool.lua", "nobody looks here any more")
    loop:pass(60)
    assert.equal(2, watch.changes)
    write("v3/sub/pool.lua", "but here")
    changes(watch, 3)
    write("other", "beside the link")
    loop:pass(60)
    assert.equal(3, watch.changes)
    watch.close()
  end)

  it("finds its directory again when that was removed and made anew", function()
    assert(lfs.mkdir(dir .. "/sub"))
    write("sub/file.lua", "1")
    local watch = assert(loop:watch(dir .. "/sub/file.lua"))
    os.remove(dir .. "/sub/file.lua")
    assert(os.remove(dir .. "/sub"))
    changes(watch, 1)
    assert(lfs.mkdir(dir .. "/sub"))
    write("sub/file.lua", "2")
    changes(watch, 2)
    watch.close()
  end)

  it("may be closed inside its callback, and with a change pending", function()
    local watch = assert(loop:watch(path, function(self) self.close() end))
    write("policy.lua", "two")
    loop:until_true(function() return watch.changes == 1 end)
    watch = assert(loop:watch(path))
    write("policy.lua", "three")
    loop:turn(10)
    watch.close()
    loop:pass(50)
    assert.equal(0, watch.changes)
  end)

  it("several on one file all hear of a change", function()
    local first, second = assert(loop:watch(path)), assert(loop:watch(path))
    replace("policy.lua", "two")
    changes(first, 1)
    changes(second, 1)
    first.close()
    replace("policy.lua", "three")
    changes(second, 2)
    second.close()
  end)

  it("needs a directory, a name, and a path that fits", function()
    local watch, err = loop:watch(dir .. "/missing/file.lua")
    assert.is_nil(watch)
    assert.equal(C.MP_ENOTFOUND, err)
    for _, wrong in ipairs { "", dir .. "/", "/" .. ("x"):rep(300), ("/x"):rep(5000) } do
      watch, err = loop:watch(wrong)
      assert.is_nil(watch)
      assert.equal(C.MP_EINVAL, err)
    end
  end)
end)
