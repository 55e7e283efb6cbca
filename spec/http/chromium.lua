-- SPDX-License-Identifier: Apache-2.0
-- A page in a headless Chromium, told by its DevTools protocol over two pipes:
--
--   local page = chromium.open { width = 1280, height = 900, dark = true }
--   page:go "http://127.0.0.1:9501/"
--   page:wait "document.querySelectorAll('tr').length > 3"    -- until it is true; its value
--   page.problems                                             -- what the console calls an error, and exceptions
--   page:close()
local bit = require "bit"
local cjson = require "cjson"
local ffi = require "ffi"
require "spec.support.unix" -- poll
require "spec.support.sim_process" -- usleep
local policies = require "spec.support.policies"
local program = require "spec.support.program"

ffi.cdef [[
int spec_chromium_open(const char *path, int flags) __asm__("open");
long spec_chromium_read(int fd, void *bytes, size_t len) __asm__("read");
long spec_chromium_write(int fd, const void *bytes, size_t len) __asm__("write");
]]
local RDWR, NONBLOCK = 2, 0x800
local SILENCE_MS = 60000
local PROGRAMS = "chromium-headless-shell chromium chromium-browser google-chrome"

local chromium = {}

local Page = {}
Page.__index = Page

local function path_of_program()
  local said = program.sh(("for p in %s; do command -v $p && break; done"):format(PROGRAMS))
  return said:match "^(/[^\n]+)"
end

-- Why there is none, or nil.
function chromium.missing()
  return not path_of_program() and "Chromium is not installed (scripts/packages spec)" or nil
end

local COMMAND = [[cd '%s' && mkfifo to from && ( timeout 180 '%s' --headless --no-sandbox --disable-gpu \
  --hide-scrollbars --no-first-run --disable-dev-shm-usage --disable-background-networking \
  --user-data-dir="$PWD/profile" --remote-debugging-pipe 3<>to 4<>from > log 2>&1 < /dev/null; touch ended ) \
  > /dev/null 2>&1 &]]

-- ---- the protocol -----------------------------------------------------------------------------------------

local function note(self, message)
  local method, params = message.method, message.params
  if method == "Runtime.exceptionThrown" then
    local details = params.exceptionDetails
    table.insert(self.problems, (details.exception or {}).description or details.text)
  elseif method == "Runtime.consoleAPICalled" and params.type == "error" then
    table.insert(self.problems, cjson.encode(params.args))
  elseif method == "Log.entryAdded" and params.entry.level == "error" then
    table.insert(self.problems, params.entry.text .. " " .. (params.entry.url or ""))
  end
  self.seen[method] = true
end

-- The next message that has come.
local function read(self)
  while true do
    local message, rest = self.rest:match "^(%Z*)%z(.*)$"
    if message then
      self.rest = rest
      return cjson.decode(message)
    end
    local wait = ffi.new("struct spec_pollfd[1]", { { fd = self.from, events = 1 } })
    assert(ffi.C.poll(wait, 1, SILENCE_MS) == 1, "Chromium is silent:\n" .. policies.read(self.folder .. "/log"))
    local got = tonumber(ffi.C.spec_chromium_read(self.from, self.buffer, 65536))
    assert(got > 0, "Chromium has gone:\n" .. policies.read(self.folder .. "/log"))
    self.rest = self.rest .. ffi.string(self.buffer, got)
  end
end

-- The result of a command.
function Page:call(method, params)
  self.number = self.number + 1
  local text = cjson.encode { id = self.number, method = method, sessionId = self.session,
    params = next(params or {}) and params or nil } .. "\0"
  assert(ffi.C.spec_chromium_write(self.to, text, #text) == #text)
  while true do
    local message = read(self)
    if message.id == self.number then
      if message.error then error(method .. ": " .. message.error.message, 2) end
      return message.result
    end
    if message.method then note(self, message) end
  end
end

-- ---- pages ------------------------------------------------------------------------------------------------

-- options: width, height, dark, scale
function chromium.open(options)
  local folder = policies.folder()
  assert(os.execute(COMMAND:format(folder, path_of_program())))
  local self = setmetatable({ folder = folder, number = 0, rest = "", problems = {}, seen = {},
    buffer = ffi.new "char[65536]" }, Page)
  for _ = 1, 1200 do -- until they are there
    self.to = ffi.C.spec_chromium_open(folder .. "/to", RDWR)
    self.from = ffi.C.spec_chromium_open(folder .. "/from", bit.bor(RDWR, NONBLOCK))
    if self.to >= 0 and self.from >= 0 then break end
    ffi.C.usleep(25000)
  end
  assert(self.to >= 0 and self.from >= 0, "no pipes in " .. folder)
  local target = self:call("Target.createTarget", { url = "about:blank" }).targetId
  self.session = self:call("Target.attachToTarget", { targetId = target, flatten = true }).sessionId
  for _, domain in ipairs { "Page", "Runtime", "Log" } do self:call(domain .. ".enable") end
  self:look(options)
  return self
end

-- Another size, another light.
function Page:look(options)
  self:call("Emulation.setDeviceMetricsOverride", { width = options.width, height = options.height,
    deviceScaleFactor = options.scale or 1, mobile = options.width < 600 })
  self:call("Emulation.setEmulatedMedia", { features = { { name = "prefers-color-scheme",
    value = options.dark and "dark" or "light" }, { name = "prefers-reduced-motion", value = "reduce" } } })
end

function Page:go(url)
  local result = self:call("Page.navigate", { url = url })
  assert(not result.errorText, result.errorText)
end

-- The value of an expression, also of a promise.
function Page:evaluate(expression)
  local result = self:call("Runtime.evaluate", { expression = expression, awaitPromise = true, returnByValue = true })
  if result.exceptionDetails then
    error((result.exceptionDetails.exception or {}).description or result.exceptionDetails.text, 2)
  end
  return result.result.value
end

-- Its value as soon as it is true.
function Page:wait(expression)
  for _ = 1, 1200 do
    local value = self:evaluate(("new Promise((done) => setTimeout(() => done(%s), 25))"):format(expression))
    if value and value ~= cjson.null then return value end
  end
  error("it did not happen: " .. expression .. "\n" .. self:evaluate "document.body.innerText", 2)
end

-- A PNG of what is seen, in a file.
function Page:shoot(path, whole)
  local data = self:call("Page.captureScreenshot", { format = "png", captureBeyondViewport = whole or false }).data
  policies.write(path .. ".base64", data)
  assert(os.execute(("base64 -d '%s.base64' > '%s' && rm '%s.base64'"):format(path, path, path)))
end

function Page:close()
  pcall(self.call, self, "Browser.close")
  ffi.C.close(self.to)
  ffi.C.close(self.from)
  for _ = 1, 1200 do -- it writes into its profile to the last
    local ended = io.open(self.folder .. "/ended")
    if ended then ended:close() break end
    ffi.C.usleep(25000)
  end
  policies.remove(self.folder)
end

return chromium
