-- SPDX-License-Identifier: Apache-2.0
-- Programs as a user starts them: the moonpool of this build, or a LuaJIT that is not ours; their output and status.
local ffi = require "ffi"

ffi.cdef "int usleep(unsigned us);"

local program = {}

-- Waits for what other processes do; `said()` tells what they said when it does not happen.
function program.eventually(what, condition, said)
  for _ = 1, 1200 do
    local value = condition()
    if value then return value end
    ffi.C.usleep(25000)
  end
  error("it did not happen: " .. what .. (said and "\n" .. said() or ""), 2)
end

-- Output (of both kinds) and exit status of a shell command; 128 + n: it was ended by signal n.
function program.sh(command)
  local pipe = assert(io.popen("{ " .. command .. "; } 2>&1; echo \"status $?\""))
  local said = pipe:read "*a"
  pipe:close()
  local text, status = said:match "^(.*)status (%d+)\n$"
  return text, tonumber(status)
end

program.moonpool = MOONPOOL_BUILD_DIR .. "/moonpool"

-- A file with that text. It is the caller's to remove.
function program.file(text)
  local path = os.tmpname() .. ".lua"
  local file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
  return path
end

-- moonpool run OPTIONS FILE, the file's text being given; `shell` goes before it. Output, status, path.
function program.run(text, options, shell)
  local path = program.file(text)
  local said, status = program.sh(("%s '%s' run %s '%s'"):format(shell or "", program.moonpool, options or "", path))
  os.remove(path)
  return said, status, path
end

-- The library of this build is instrumented: a process that does not know that loads the sanitizer first.
function program.luajit(text, shell)
  local path = program.file(text)
  local asan = program.sh("cc -print-file-name=libasan.so"):gsub("%s+$", "")
  local said, status = program.sh(("%s LD_PRELOAD='%s' ASAN_OPTIONS=detect_leaks=0 MOONPOOL_LIB='%s/libmoonpool.so' " ..
    "LUA_PATH='%s/lua/?.lua;%s/lua/?/init.lua;;' luajit '%s'"):format(shell or "", asan, MOONPOOL_BUILD_DIR,
    MOONPOOL_ROOT, MOONPOOL_ROOT, path))
  os.remove(path)
  return said, status, path
end

return program
