-- SPDX-License-Identifier: Apache-2.0
-- moonpool top: a process that serves pools, live in a terminal. A client of its control socket like moonpool ctl that
-- asks the verb `overview` once in an interval; a process that has gone is told, and asked again until it is back. It
-- ends by a key or a signal, and leaves the terminal as it was.
local cli = require "moonpool.cli_core"
local core = require "moonpool.core_loader"
local ctl = require "moonpool.cli.ctl"
local json = require "moonpool.cli.json"
local say = require "moonpool.cli.say"
local screen = require "moonpool.cli.top_screen"
local serve = require "moonpool.cli.serve"
local terminal = require "moonpool.cli.terminal"

local KEYS_MS, ASK_MS, STEER_MS = 40, 5000, 30000
local MOST_EVENTS = 200
local PAGE = 10

local top = {}

function top.define(parser)
  local command = parser:command("top", "Watch a process that runs moonpool serve, or run --control: its hosts, live. "
    .. "Wants Debian's lua-curses.")
  ctl.define_process(command)
  command:option("--interval", "Seconds between two looks (default: 1)."):argname "SECONDS":default "1"
    :convert(function(text)
      local value = tonumber(text)
      if value and value >= 0.1 and value <= 3600 then return value end
      return nil, "'" .. text .. "' is no number of seconds from 0.1 to 3600"
    end)
end

-- ---- asking -----------------------------------------------------------------------------------------------

-- The answer of the process, or nil and why there is none.
local function ask(model, question, ms)
  local text, why = core.askControl(model.place, json.encode(question), ms)
  if not text then return nil, model.place .. ": " .. tostring(why) end
  local answer = json.decode(text)
  if type(answer) ~= "table" then return nil, model.place .. ": this is no answer of moonpool" end
  if not answer.pools then return nil, tostring(answer.error) end
  return answer
end

local function keep_events(model, pool)
  if model.number ~= pool.number or pool.last < model.last then model.events = {} end
  model.number, model.last = pool.number, pool.last
  for _, event in ipairs(pool.events) do model.events[#model.events + 1] = event end
  while #model.events > MOST_EVENTS do table.remove(model.events, 1) end
end

-- Which pool of those that answered is shown.
local function choose(model, pools)
  model.pools, model.at = #pools, math.min(model.at, #pools)
  local pool = pools[model.at]
  if pool.error then return tostring(pool.error) end
  keep_events(model, pool)
  model.pool = pool
  for _, host in ipairs(pool.hosts) do
    if host.address == model.chosen then return end
  end
  model.chosen = (screen.sorted(pool.hosts, model.sort, model.reversed)[1] or {}).address
end

local function look(model)
  -- Numbers of events are a pool's own, so a single question for several begins at their beginnings.
  local since = (model.pools == 1 or model.only) and model.number and model.last or 0
  local answer, why = ask(model, { verb = "overview", argument = tostring(since), pool = model.only }, ASK_MS)
  if answer then
    if since == 0 then model.events = {} end
    why = choose(model, answer.pools)
  else
    model.last, model.number = 0, nil -- another process may answer next
  end
  model.lost = why and "lost: " .. why .. " (asking again)" or nil
end

local function watch(model)
  while not model.done do
    look(model)
    model.changed = true
    local till = core.now() + model.interval
    while core.now() < till and not model.hurry and not model.done do core.sleep(KEYS_MS) end
    model.hurry = false
  end
end

-- ---- keys -------------------------------------------------------------------------------------------------

local function steer(model, verb, host)
  model.message, model.failed = verb .. " " .. host .. " ...", false
  local answer, why = ask(model, { verb = verb, argument = host, pool = model.number }, STEER_MS)
  local result = answer and answer.pools[1] or { error = why }
  model.failed = not result.ok
  model.message = ("%s %s: %s"):format(verb, host, result.ok and "done" or tostring(result.error))
  model.hurry, model.changed = true, true
end

local function ask_whether(verb)
  return function(model)
    local host = model.chosen
    if not host then return end
    model.question = ("%s %s? (y, or any other key: no)"):format(verb, host)
    model.yes = function() core.start(steer, model, verb, host) end
  end
end

local function move(by)
  return function(model)
    local hosts, at = screen.sorted(model.pool and model.pool.hosts or {}, model.sort, model.reversed), 1
    for i, host in ipairs(hosts) do
      if host.address == model.chosen then at = i end
    end
    at = math.max(1, math.min(#hosts, at + by))
    model.chosen = hosts[at] and hosts[at].address
  end
end

local function sort(by)
  return function(model)
    for i, title in ipairs(screen.sorts) do
      if title == model.sort then
        model.sort = screen.sorts[(i - 1 + by) % #screen.sorts + 1]
        return
      end
    end
  end
end

local keys = {
  q = function(model) model.done = true end,
  interrupt = function(model) model.done, model.status = true, 130 end,
  suspend = function() terminal.suspend() end,
  redraw = function() terminal.redraw() end,
  resize = function() end,
  ["?"] = function(model) model.help = not model.help end,
  escape = function(model) model.help = false end,
  up = move(-1), down = move(1), pageUp = move(-PAGE), pageDown = move(PAGE), home = move(-1e9), ["end"] = move(1e9),
  s = sort(1), S = sort(-1),
  o = function(model) model.reversed = not model.reversed end,
  p = ask_whether "pause", r = ask_whether "resume", d = ask_whether "drain",
  tab = function(model)
    model.at = model.at % model.pools + 1
    model.number, model.last, model.hurry = nil, 0, true
  end,
}
keys.h, keys.k, keys.j = keys["?"], keys.up, keys.down

-- While something is asked a key is the answer.
local function press(model, key)
  model.changed = true
  if key == "resize" or key == "interrupt" or key == "suspend" then return keys[key](model) end
  if model.question then
    local yes = model.yes
    model.question, model.yes = nil, nil
    if key == "y" or key == "Y" then yes() end
    return
  end
  model.message = nil
  if keys[key] then keys[key](model) end
end

-- ---- running ----------------------------------------------------------------------------------------------

local function live(model)
  core.start(watch, model)
  while not model.done do
    for key in terminal.key do press(model, key) end
    if model.changed then
      model.changed = false
      terminal.draw(screen.lines(model, terminal.size()))
    end
    if not model.done then core.sleep(KEYS_MS) end
  end
end

function top.run(options)
  local model = { place = options.control or serve.default_path(), only = options.pool, at = 1, pools = 1,
    interval = options.interval * 1000, sort = "HOST", events = {}, last = 0, changed = true }
  cli.watchSignals(true)
  cli.onHangup(function() model.done = true end) -- the terminal has gone
  local opened, why = terminal.open()
  if not opened then
    core.finish()
    return say.failed("top: " .. why .. "; moonpool ctl hosts prints the same once")
  end
  local ran, message = pcall(core.run, live, model)
  terminal.close()
  local signal = cli.caughtSignal()
  core.finish()
  if signal then return 128 + signal end
  if not ran then return say.failed(core.errorText(message)) end
  return model.status or 0
end

return top
