-- SPDX-License-Identifier: Apache-2.0
-- What a pool says to a node that asks who it is, where that is not a fixed name and password: auth.credentials (a
-- function or a file) and auth.authenticator (the steps of any SASL mechanism). Whatever it is made of becomes
-- { ask = function(question, number, address, class, round, token), shown = TEXT }, which C calls from inside of the
-- loop; `number` names the exchange. It returns a text, or nil and what is wrong, never raises and never waits. What a
-- user's function does is bounded as a configuration file is (chunk.lua).
local chunk = require "moonpool.chunk"
local core = require "moonpool.core_loader"
local fingerprint = require "moonpool.config.fingerprint"

local format = string.format

local authenticator = {}

-- A message may hold what the exchange was about.
local function without(message, secrets)
  for _, secret in ipairs(secrets) do
    if #secret > 0 then message = message:gsub(secret:gsub("%W", "%%%0"), "***") end
  end
  return message
end

-- What the function returned, up to two values; or false and a message of where it failed.
local function call(name, fn, ...)
  local args, count = { ... }, select("#", ...)
  local results
  local ran, why = chunk.run(function()
    results = { fn(unpack(args, 1, count)) }
    return true
  end, chunk.text_of)
  if ran then return true, results[1], results[2] end
  return false, format("%s: %s", name, why)
end

local function described(value) return value == nil and "nothing" or "a " .. type(value) end

-- ---- names and passwords ----------------------------------------------------------------------------------

local function plain(username, password)
  if type(username) ~= "string" or type(password) ~= "string" then
    return nil, format("auth.credentials: it returned %s and %s; must be a name and a password, or nil and why",
      described(username), described(password))
  end
  if (username .. password):find "%z" then return nil, "auth.credentials: a name and a password have no NUL" end
  return "\0" .. username .. "\0" .. password
end

-- The file's first line is the name, its second one the password.
local function read(path)
  local text, why = core.readFile(path)
  if not text then return nil, why end
  local username, password = text:match "^([^\r\n]+)\r?\n([^\r\n]*)\r?\n?$"
  if not username then return nil, path .. ": it must have two lines, a name and a password" end
  return username, password
end

local function of_source(get, shown)
  local function ask(question, _, address, class, _, token)
    if question ~= "respond" then return "" end
    if token then return nil, "the node asks on, and a name and a password are all there is" end
    local username, password = get(address, class)
    if username == nil and type(password) == "string" then return nil, password end
    return plain(username, password)
  end
  return { ask = ask, shown = shown }
end

-- From a function(node), which gives the name and the password, or nil and why; node: { address, authenticator }.
function authenticator.of_function(fn)
  pcall(jit.off, fn, true)
  return of_source(function(address, class)
    local ran, username, password = call("auth.credentials", fn, { address = address, authenticator = class })
    if not ran then return nil, username end
    if username == nil and type(password) == "string" then return nil, "auth.credentials: " .. password end
    return username, password
  end, fingerprint.of_function(fn))
end

-- From a file that is read for each connection that asks.
function authenticator.of_file(path)
  return of_source(function() return read(path) end, path)
end

-- ---- steps ------------------------------------------------------------------------------------------------

-- From { initialResponse = function(exchange), evaluateChallenge = function(challenge, exchange),
-- onAuthenticationSuccess = function(token, exchange) }; the last two may be left out. `exchange` is a table of the
-- steps' own, { address, authenticator, round }, one for each connection.
function authenticator.of_steps(steps)
  local exchanges, shown = {}, {}
  for _, name in ipairs(authenticator.STEPS) do
    if steps[name] then
      pcall(jit.off, steps[name], true)
      shown[#shown + 1] = name .. " " .. fingerprint.of_function(steps[name])
    end
  end

  local function respond(exchange, token)
    local name = token and "evaluateChallenge" or "initialResponse"
    if not steps[name] then return nil, "auth.authenticator: the node asks on, and there is no evaluateChallenge" end
    local ran, answer, why
    if token then ran, answer, why = call(name, steps[name], token, exchange)
    else ran, answer, why = call(name, steps[name], exchange) end
    if ran and type(answer) == "string" then return answer end
    if not ran then return nil, without("auth.authenticator." .. answer, { token }) end
    if answer == nil and type(why) == "string" then return nil, without(why, { token }) end
    return nil, format("auth.authenticator.%s: it returned %s; must be a text, or nil and why", name, described(answer))
  end

  local function accept(exchange, token)
    local fn = steps.onAuthenticationSuccess
    if not fn then return "" end
    local ran, answer, why = call("onAuthenticationSuccess", fn, token or "", exchange)
    if not ran then return nil, without("auth.authenticator." .. answer, { token }) end
    if answer then return "" end
    return nil, type(why) == "string" and without(why, { token }) or "auth.authenticator.onAuthenticationSuccess: it "
      .. "did not return true"
  end

  local function ask(question, number, address, class, round, token)
    if question == "forget" then
      exchanges[number] = nil
      return ""
    end
    exchanges[number] = exchanges[number] or {}
    local exchange = exchanges[number]
    exchange.address, exchange.authenticator, exchange.round = address, class, round
    if question == "accept" then return accept(exchange, token) end
    return respond(exchange, token)
  end
  return { ask = ask, shown = table.concat(shown, ", ") }
end

authenticator.STEPS = { "initialResponse", "evaluateChallenge", "onAuthenticationSuccess" }

return authenticator
