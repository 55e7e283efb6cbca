-- SPDX-License-Identifier: Apache-2.0
-- Bytes as hex with quoted text, readable and short. Plain Lua: also for scripts outside of the spec host.
local M = {}

-- "8500 'abc' 01": hex digits in any grouping, text in single quotes, comments from -- to the end of the line.
function M.of(text)
  text = text:gsub("%-%-[^\n]*", "")
  local out, at = {}, 1
  while true do
    at = text:find("%S", at)
    if not at then return table.concat(out) end
    local quoted = text:match("^'([^']*)'", at)
    if quoted then
      out[#out + 1], at = quoted, at + #quoted + 2
    else
      local pair = assert(text:match("^%x%x", at), "not hex: " .. text:sub(at, at + 10))
      out[#out + 1], at = string.char(tonumber(pair, 16)), at + 2
    end
  end
end

function M.hex(bytes)
  return (bytes:gsub(".", function(c) return string.format("%02x", c:byte()) end))
end

return M
