-- SPDX-License-Identifier: Apache-2.0
-- The input of a target as a list of choices: below(n), pick(list), text(), number(), value(words). An input that has
-- ended chooses the first of everything.
local ffi = require "ffi"

local Bytes = {}
Bytes.__index = Bytes

local function bytes(input) return setmetatable({ input = input, at = 1 }, Bytes) end

function Bytes:next()
  local byte = self.input:byte(self.at)
  self.at = self.at + 1
  return byte or 0
end
function Bytes:ended() return self.at > #self.input end
function Bytes:below(n) return self:next() % n end
function Bytes:pick(list) return list[self:next() % #list + 1] end

function Bytes:text(most)
  local len = self:below(most or 24)
  local text = self.input:sub(self.at, self.at + len - 1)
  self.at = self.at + len
  return text
end

-- Small ones, round ones, and any eight bytes.
function Bytes:number()
  local way = self:below(6)
  if way == 0 then return self:next() end
  if way == 1 then return -self:next() end
  if way == 2 then return 10 ^ self:below(20) end
  if way == 3 then return self:next() / 16 end
  if way == 4 then return self:pick { 0 / 0, 1 / 0, -1 / 0, 2 ^ 53, 2 ^ 31, -0.0 } end
  local eight = (self.input:sub(self.at, self.at + 7) .. ("\0"):rep(8)):sub(1, 8)
  self.at = self.at + 8
  -- What LuaJIT reads through ffi it takes as it is, and a NaN with other bits than its own is a text, a table or a
  -- trace at whatever address they name. (lua_pushnumber(), by which all of ours come, looks.)
  if eight:byte(8) % 128 == 127 and eight:byte(7) >= 240 then return 0 / 0 end
  local double = ffi.new "double[1]"
  ffi.copy(double, eight, 8)
  return double[0]
end

return bytes
