-- SPDX-License-Identifier: Apache-2.0
-- Every function of the core that waits is known to lua/moonpool/nginx.lua: a coroutine of nginx's would go on without
-- its answer otherwise. Which functions wait is read from their code: those that come to mp_runtime_yield().
local function read(path)
  local file = assert(io.open(MOONPOOL_ROOT .. "/" .. path))
  local text = file:read "*a"
  file:close()
  return text
end

-- { function = { what it calls } } of a C file; statics of two files with one name do not matter here.
local function calls_of(text, into)
  for head, body in text:gmatch "\n([%a][^\n;{}]*%b())\n(%b{})" do
    local name = head:match "([%w_]+)%s*%("
    local calls = into[name] or {}
    for called in body:gmatch "([%w_]+)%s*%(" do calls[called] = true end
    into[name] = calls
  end
end

local function waiting()
  local calls = {}
  local pipe = assert(io.popen("cd '" .. MOONPOOL_ROOT .. "' && find runtime/script -name '*.c'"))
  for path in pipe:lines() do calls_of(read(path), calls) end
  pipe:close()
  local waits, grown = { mp_runtime_yield = true }, true
  while grown do
    grown = false
    for name, called in pairs(calls) do
      for other in pairs(not waits[name] and called or {}) do
        if waits[other] then waits[name], grown = true, true end
      end
    end
  end
  return waits
end

-- Those that only moonpool's own coroutines call, and what is refused in nginx.
local OWN = { nextEvent = true, askControl = true }

describe("a function of the core that waits", function()
  it("is one that a coroutine of nginx's can wait in", function()
    local waits, known, found = waiting(), {}, {}
    for name in read("lua/moonpool/nginx.lua"):match("WAITING = (%b{})"):gmatch '"(%w+)"' do known[name] = true end
    for name, fn in read("runtime/script/functions.h"):gmatch 'X%("(%w+)", (mp_core_[%w_]+)' do
      if waits[fn] and not OWN[name] then found[name] = true end
    end
    assert.is_true(found.submit and found.connect and found.futurePark)
    assert.same(found, known)
  end)
end)
