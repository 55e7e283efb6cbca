-- SPDX-License-Identifier: Apache-2.0
-- The files of spec/escape: each is a policy that tries something it must not be able to do, and says so in its head.
local ffi = require "ffi"

local escapes = {}

local ROOT = MOONPOOL_ROOT .. "/spec/escape"
local SECRET = "the-secret-of-the-environment"
local CANARY = "moonpool-escape-canary" -- the file that some try to write

function escapes.read(path)
  local file = assert(io.open(path))
  local text = file:read "*a"
  file:close()
  return text
end

-- { name =, kind =, path =, tries =, must = "refused at load", "error" or "harmless", text = of the message, slow = it
-- takes many calls }, sorted; of one kind or all.
function escapes.files(kind)
  local list = {}
  local pipe = assert(io.popen("cd '" .. ROOT .. "' && find . -name '*.lua' -path './*/*' | LC_ALL=C sort"))
  for found in pipe:lines() do
    local of, name = found:match "^%./([^/]+)/(.+)%.lua$"
    local path = ROOT .. "/" .. of .. "/" .. name .. ".lua"
    local tries, must = escapes.read(path):match "^[^\n]*\n%-%- ([^\n]+)\n%-%- must: ([^\n]+)\n"
    assert(must, path .. " does not say what it tries and what must happen")
    local what, text = must:match "^([^:]+):? ?(.*)$"
    assert(what == "refused at load" or what == "error" or what == "harmless", path .. ": must: " .. must)
    if not kind or of == kind then
      list[#list + 1] = { name = of .. "/" .. name, kind = of, path = path, tries = tries, must = what, text = text,
        slow = tries:find "over calls" ~= nil or tries:find "with each call" ~= nil }
    end
  end
  pipe:close()
  return list
end

function escapes.folder(file) return ROOT .. "/" .. file.kind end

-- What must not come out.
function escapes.plant()
  if not pcall(function() return ffi.C.setenv end) then ffi.cdef "int setenv(const char *, const char *, int);" end
  ffi.C.setenv("MOONPOOL_ESCAPE_SECRET", SECRET, 1)
  os.remove(CANARY)
end

function escapes.check_canary()
  local file = io.open(CANARY)
  if not file then return end
  file:close()
  os.remove(CANARY)
  error("a file was written", 2)
end

function escapes.check_secret(text)
  for _, secret in ipairs { SECRET, "the-secret-of-a-file" } do
    if text:find(secret, 1, true) then error("a secret came out: " .. text, 2) end
  end
end

return escapes
