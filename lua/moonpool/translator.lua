-- SPDX-License-Identifier: Apache-2.0
-- addressTranslator: from an address by which the cluster names a node to the one where it is from here. Whatever it is
-- made of becomes { translate = function(address, id, datacenter, rack), shown = TEXT }, which C calls from inside of
-- the loop for each address that it learns: it returns an address or nil (the address stands as it is), and what there
-- is to complain about. It never raises, never waits, and asks a user's function once for each address of a host.
local address = require "moonpool.address"
local chunk = require "moonpool.chunk"
local coroutine = require("moonpool.core_loader").coroutine
local fingerprint = require "moonpool.config.fingerprint"

local format = string.format

local translator = {}

local SLOW_MS = 20
local KEPT = 32768 -- answers; more hosts than a pool can have

-- How an address is found in a table: with its port, or without.
function translator.key(host, port) return address.join(address.canonical(host), port) end

-- ---- what is shown of it ----------------------------------------------------------------------------------

local function show_table(given)
  local parts = {}
  for from, to in pairs(given) do parts[#parts + 1] = format("[%q] = %q", tostring(from), tostring(to)) end
  table.sort(parts)
  local text = table.concat(parts, ", ")
  if #text > 300 then text = format("%s... (%d addresses, %s)", text:sub(1, 250), #parts, fingerprint.of_text(text)) end
  return "{ " .. text .. " }"
end

-- ---- a table ----------------------------------------------------------------------------------------------

-- map: by translator.key, { host =, port = or nil }; given: as the user wrote it.
function translator.of_table(map, given)
  local function translate(text)
    local host, port = address.split(text)
    local to = map[translator.key(host, port)] or map[translator.key(host)]
    return to and address.join(to.host, to.port or port)
  end
  return { translate = translate, shown = show_table(given) }
end

-- ---- a function -------------------------------------------------------------------------------------------

-- What it returned, judged: the address or nil, and a complaint or nil.
local function judge(text, result)
  if result == nil then return nil end
  if type(result) ~= "string" then
    return nil, format("it returned a %s; must be an address or nil", type(result))
  end
  local host, port = address.split_literal(result)
  if not host then return nil, format("it returned %q: %s", result:sub(1, 80), port) end
  local _, own_port = address.split(text)
  return address.join(host, port or own_port)
end

local function ask(fn, text, host)
  local co = coroutine.create(fn)
  local ran, ok, result = chunk.run(function() return coroutine.resume(co, text, host) end, tostring)
  if not ran then return nil, ok end
  if not ok then return nil, (type(result) == "string" and result or format("it raised a %s", type(result))) end
  if coroutine.status(co) ~= "dead" then
    return nil, "it waits, and the loop waits for it: it must return at once"
  end
  return judge(text, result)
end

function translator.of_function(fn)
  local answers, count = {}, 0
  pcall(jit.off, fn, true) -- so that one that does not end is noticed; a function of C has nothing to switch off
  local function translate(text, id, datacenter, rack)
    local key = text .. " " .. id
    local known = answers[key]
    if known ~= nil then return known or nil end
    local began = os.clock()
    local result, complaint = ask(fn, text, { id = id, datacenter = datacenter, rack = rack })
    local took = (os.clock() - began) * 1000
    if complaint then
      complaint = format("addressTranslator: %s: %s; the address stands as it is", text, complaint)
    elseif took > SLOW_MS then
      complaint = format("addressTranslator: %s: it took %d ms, and nothing else went on meanwhile", text, took)
    end
    if count >= KEPT then answers, count = {}, 0 end
    answers[key], count = result or false, count + 1
    return result, complaint
  end
  return { translate = translate, shown = fingerprint.of_function(fn) }
end

return translator
