-- SPDX-License-Identifier: Apache-2.0
-- Random clients of a control socket: lines whole, in pieces, together, broken, too long; clients that leave early,
-- take nothing, half close; more of them than there are places; handlers that answer, wait, fail, answer twice, late
-- or too much. Whatever they do, afterwards sixteen clients are served at once, and each answer is a line of JSON.
local core = require "moonpool.core_loader"
local moonpool = require "moonpool"
local random_of = require("spec.support.world").random
local unix = require "spec.support.unix"

local PLACES = 16

local hunt = {}

-- ---- lines ------------------------------------------------------------------------------------------------

local WORDS = { "{", "}", "[", "]", ":", ",", '"verb"', '"pool"', '"argument"', '"health"', '"stats"', '"hosts"',
  '"policies"', '"rollback"', '"reload"', '"balance"', "1", "-0", "1e999", "null", "true", '"', "\\", "\\ud800", "\0",
  "\255", " ", "nan", "0x1", '"__index"' }

local whole = {
  '{"verb":"health"}', '{"verb":"stats"}', '{"verb":"hosts"}', '{"verb":"policies"}', '{"verb":"hosts","pool":1}',
  '{"verb":"rollback","argument":"balance"}', '{"verb":"rollback","argument":"retry","pool":7}', '{"verb":"reload"}',
}

-- A line without its end: a question, one with a byte changed, dropped or doubled, or words put together.
function hunt.line(random)
  local line = whole[random(#whole) + 1]
  local way = random(4)
  if way == 0 then return line end
  if way == 1 then
    local at = random(#line) + 1
    local byte = ({ "", line:sub(at, at):rep(2), string.char(random(255) + 1) })[random(3) + 1]
    return (line:sub(1, at - 1) .. byte .. line:sub(at + 1)):gsub("\n", " ")
  end
  local parts = {}
  for i = 1, random(way == 2 and 12 or 700) do parts[i] = WORDS[random(#WORDS) + 1] end
  return table.concat(parts):sub(1, 4095)
end

-- ---- clients ----------------------------------------------------------------------------------------------

local deeds = {
  function(fd, random) unix.offer(fd, hunt.line(random) .. "\n") end,
  function(fd, random) unix.offer(fd, hunt.line(random) .. "\n" .. hunt.line(random) .. "\n") end,
  function(fd, random)
    local line = hunt.line(random) .. "\n"
    local cut = random(#line) + 1
    unix.offer(fd, line:sub(1, cut))
    if random(3) > 0 then
      moonpool.sleep(random(3))
      unix.offer(fd, line:sub(cut + 1))
    end
  end,
  function(fd, random) unix.offer(fd, ("x"):rep(4000 + random(200))) end,
  function(fd) for _ = 1, 40 do unix.offer(fd, '{"verb":"stats"}\n') end end,
  unix.drain,
  unix.finish,
  function() end,
}

local function misbehave(path, random)
  local fd = unix.dial(path)
  if not fd then return end
  for _ = 1, random(5) + 1 do
    deeds[random(#deeds) + 1](fd, random)
    if random(2) == 0 then moonpool.sleep(random(3)) end
  end
  unix.close(fd)
end

-- ---- handlers ---------------------------------------------------------------------------------------------

local function answer_of(random)
  return random(20) == 0 and ("x"):rep(core.controlAnswerMax + random(2)) or ("x"):rep(random(3) * random(40000))
end

-- `real` answers as a process does; what it gives is checked.
local function handler_of(random, real, note)
  return function(server, client, line)
    if line == "?" then return core.replyControl(server, client, "!") end
    local way = random(8)
    if way == 0 then error "no" end
    if way == 1 then
      moonpool.sleep(random(4))
      error {}
    end
    if way == 2 then
      core.replyControl(server, client, answer_of(random))
      error "after the answer"
    end
    if way == 3 then moonpool.sleep(random(6)) end
    if way <= 4 then return core.replyControl(server, client, answer_of(random)) end
    local ok, answer = pcall(real, line)
    if not ok then return note("the answer to " .. line .. " raised " .. tostring(answer)) end
    if answer:find "\n" or not answer:find "^{.*}$" then note("no answer to " .. line .. ": " .. answer) end
    core.replyControl(server, client, answer)
    if random(4) == 0 then core.replyControl(server, client, "twice") end
  end
end

-- ---- the hunt ---------------------------------------------------------------------------------------------

-- nil, or what was found.
local function all_are_served(path)
  local futures = {}
  for i = 1, PLACES do futures[i] = moonpool.spawn(core.askControl, path, "?", 5000) end
  for i = 1, PLACES do
    local answer, why = futures[i]:wait()
    if answer ~= "!" then return ("client %d of %d got no answer: %s"):format(i, PLACES, tostring(answer or why)) end
  end
end

local function hunt_at(path, random)
  local found
  local function note(what) found = found or what end
  local real = require("moonpool.cli.control").answer
  local handle = handler_of(random, real, note)
  local server = assert(core.listenControl(path, function(client, line) handle(hunt.server, client, line) end))
  hunt.server = server
  local futures = {}
  for i = 1, 20 + random(20) do futures[i] = moonpool.spawn(misbehave, path, random) end
  for _, future in ipairs(futures) do future:wait() end
  moonpool.sleep(15) -- the last handlers answer, and those who left are noticed
  for _ = 1, 100 do
    if not all_are_served(path) then break end
    moonpool.sleep(20)
  end
  found = found or all_are_served(path)
  core.closeControl(server)
  hunt.server = nil
  return found
end

-- nil, or what was found.
function hunt.run(seed)
  local path = os.tmpname()
  os.remove(path)
  local found
  unix.said_by(function() found = moonpool.run(hunt_at, path .. ".sock", random_of(seed)) end)
  return found and ("control_lines, seed %d: %s"):format(seed, found)
end

return hunt
