-- SPDX-License-Identifier: Apache-2.0
-- What one worker knows and another can use, in the shared dictionary: which hosts are down, and which statements are
-- prepared. Both are hints. A host that another worker lost is asked for a sign of life, one that another reached is
-- tried; a statement that others have prepared is prepared before the first request of a new worker needs it.
--
-- Told and heard once a second, in a coroutine of the worker's own: no request waits for the dictionary.
local core = require "moonpool.core_loader"

local warmth = {}

local HINT_S = 30       -- a hint is that old at most
local MOST = 200        -- statements of a pool, the ones that were used last
local MOST_BYTES = 65536 -- of all of them
local PATIENCE_MS = 1000 -- a new worker's, with statements

-- ---- hosts ------------------------------------------------------------------------------------------------

local function host_key(name, host) return "moonpool.host." .. name .. "." .. host end

-- What happens to hosts is written down; the number tells a hint from an older one.
function warmth.tell_hosts(shared, name, pool)
  local count, mark = 0, tostring(ngx.worker.pid())
  local function note(state)
    return function(host)
      count = count + 1
      shared:put("that " .. host .. " is " .. state, host_key(name, host), ("%s %s.%d"):format(state, mark, count),
        HINT_S, pool)
    end
  end
  pool:on("hostDown", note "down")
  pool:on("hostUp", note "up")
end

-- `heard`: what was heard before, by host.
function warmth.hear_hosts(shared, name, pool, heard)
  local own = " " .. ngx.worker.pid() .. "."
  for _, host in ipairs(pool:getHosts()) do
    local hint = shared:get(host_key(name, host.address))
    if hint and hint ~= heard[host.address] and not hint:find(own, 1, true) then
      local is_up = hint:sub(1, 3) == "up "
      if is_up ~= (host.status == "up") then
        core.log("debug", host.address .. ": another worker says that it is " .. (is_up and "up" or "down"), pool)
        core.hintHost(pool, host.address, is_up)
      end
    end
    heard[host.address] = hint
  end
end

-- ---- statements -------------------------------------------------------------------------------------------

local function statements_key(name) return "moonpool.statements." .. name end

-- Each as the lengths of its text and keyspace, and these: texts may have any bytes.
local function pack(list)
  local parts = {}
  for i, one in ipairs(list) do
    local keyspace = one[2] or ""
    parts[i] = ("%d %d:%s%s"):format(#one[1], #keyspace, one[1], keyspace)
  end
  return table.concat(parts)
end

local function unpack_all(packed)
  local list, at = {}, 1
  while at <= #packed do
    local text, keyspace, from = packed:match("^(%d+) (%d+):()", at)
    if not text then return list end
    text, keyspace = tonumber(text), tonumber(keyspace)
    list[#list + 1] = { packed:sub(from, from + text - 1),
      keyspace > 0 and packed:sub(from + text, from + text + keyspace - 1) or nil }
    at = from + text + keyspace
  end
  return list
end

local function identity(one) return (one[2] or "") .. "\0" .. one[1] end

-- The last of `own` that fit, behind those of `others` that are not among them.
local function merged(others, own)
  local list, bytes, seen = {}, 0, {}
  for _, from in ipairs { own, others } do
    for i = #from, 1, -1 do
      local one = from[i]
      local size = #one[1] + #(one[2] or "") + 16
      if not seen[identity(one)] and #list < MOST and bytes + size <= MOST_BYTES then
        seen[identity(one)] = true
        bytes = bytes + size
        table.insert(list, 1, one)
      end
    end
  end
  return list
end

-- Statements that the dictionary has not: two workers that write at once both write again a second later.
function warmth.tell_statements(shared, name, pool)
  local own, others, known = core.preparedTexts(pool), unpack_all(shared:get(statements_key(name)) or ""), {}
  for _, one in ipairs(others) do known[identity(one)] = true end
  local news = false
  for i = math.max(1, #own - MOST + 1), #own do news = news or not known[identity(own[i])] end
  if not news then return end
  local packed = pack(merged(others, own))
  if packed == shared:get(statements_key(name)) then return end -- what is new does not fit
  shared:put("which statements are prepared", statements_key(name), packed, 0, pool)
end

-- Prepares what others have prepared, all at once; returns when that is done, or after a second.
function warmth.prepare(shared, name, pool)
  local list, left = unpack_all(shared:get(statements_key(name)) or ""), 0
  for _, one in ipairs(list) do
    left = left + 1
    core.start(function()
      core.serve()
      pool:prepare(one[1], one[2] and { keyspace = one[2] }) -- a statement that is none any more is nobody's loss
      left = left - 1
    end)
  end
  local deadline = core.now() + PATIENCE_MS
  while left > 0 and core.now() < deadline do core.sleep(5) end
  return #list - left
end

return warmth
