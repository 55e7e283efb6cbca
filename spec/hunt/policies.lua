-- SPDX-License-Identifier: Apache-2.0
-- Random policies of every kind, each loaded and asked as a pool would: frames of all sizes, varargs and results of C
-- functions on the stack, work in a row, random programs, texts that are hard to read, attempts with words changed.
-- Whatever the text is, it is refused or asked within bounds of time and memory, what it says has its place, and an
-- honest process goes on.
local ffi = require "ffi"
local asker = require "spec.support.asker"
local escapes = require "spec.support.escapes"
local policies = require "spec.support.policies"
local programs = require "spec.hunt.programs"
local random = require "spec.hunt.random"

local hunt = { suite = 120 }

-- Of the processor. A load has 200 ms, a decision 3, and what is between two looks.
local LOAD_MS, DECISION_MS = 400, 30
local MEMORY_MAX = 48 * 1024 * 1024
local ROUNDS = 12

-- ---- policies ---------------------------------------------------------------------------------------------

-- The function of each kind, when it is meant, and what an honest one returns.
local KINDS = {
  balance = { "plan = function(plan, req)\nplan:hosts(localDc)", "req.tag == tags.evil", "" },
  retry = { "decide = function(err, req)", "err.required == 77", "return nextHost" },
  reconnect = { "delay = function(try)", "try.attempt == 77", "return 1000" },
  speculate = { "after = function(req, sent)", "req.tag == tags.evil", "return 100" },
  failover = { "decide = function(home, serving)", "home.priority == 77", "return home" },
}
local KIND_NAMES = { "balance", "balance", "retry", "reconnect", "speculate", "failover" }

-- A policy that does `work` when it is meant, when it is loaded, or in its check.
local function policy(r, kind, before, work)
  local parts = KINDS[kind]
  local where = r.below(8)
  return ("%s\n%s\nreturn %s { name = 'Hunt', %s\nif %s then\n%s\nend %s end, %s }"):format(before,
    where == 0 and work or "", kind, parts[1], where == 1 and "true" or parts[2], where == 0 and "" or work, parts[3],
    where == 2 and "check = function() " .. work .. " end" or "")
end

local function some(r, most, text)
  local parts = {}
  for i = 1, r.below(most) do parts[i] = type(text) == "function" and text(i) or text end
  return parts
end

-- Recursion with frames of a random size.
local function frames(r)
  local locals = some(r, 190, function(i) return "l" .. i end)
  local declared = #locals > 0 and "local " .. table.concat(locals, ", ") or ""
  local arguments = r.pick { "a", "a, ...", "1, 2, 3, ...", "unpack(t)", "text:byte(1, -1)", "unpack(t, 1, a % 200)",
    "(select('#', ...))", "{ ... }", "a + 1", "f", "function() return l1 end", "..." }
  local call = r.pick { "f(%s)", "1 + f(%s)", "{ f(%s) }", "'a' .. f(%s)", "(f(%s))", "f(f(%s))", "t[f(%s)]",
    "g(f, %s)" }
  return ([[local t, text = {}, "abcdefgh"
    for i = 1, %d do t[i] = i end
    for _ = 1, %d do text = text .. text end
    local function g(x, ...) return x(...) end
    local function f(a, ...)
      %s
      return %s
    end]]):format(r.pick { 0, 10, 200, 3000, 7000, 20000 }, r.below(10), declared, call:format(arguments)), "f(1)"
end

local STEPS = { "u(s)", "l(s)", "n = n + #(s .. s)", "n = n + s", "s = s .. n", "n = n + (s < z and 1 or 0)",
  "s = s .. s", "x = { unpack(t) }", "x = { s:byte(1, -1) }", "t[#t + 1] = n", "x = tonumber(s)", "s = s:sub(2)",
  "x = s:upper() .. s", "x = function() return s end", "t['k' .. n] = n n = n + 1", "x = { {}, {}, {}, { s } }",
  "x = select('#', unpack(t))", "t[n % 4096 + 0.5] = n n = n + 1", "x = tostring(n)", "for _ in pairs(t) do end",
  "x = next(t)", "x = -s", "n = n % 1e9",
  "table.insert(t, x)", "x = table.remove(t)", "x = s == z", "s = 'a'", "x = math.fmod(1e308, 1e-308)", "x = tags[s]",
  "t[n * nan] = n", "x = { [nan] = s }", "x = {} x[n] = 1 x[nan - n] = 2 x[n + 1] = 3",
  "for _ = 1, 99 do x = {} x[n + 0.5] = 1 x[(s < z and 1 or nan) * n] = 2 n = n + 1 end",
  "log(s)", "listed { s }", "x = dc(s)", "t = {}", "x = keyspaces[s]" }

-- Much work between two ticks.
local function work(r)
  local steps = {}
  for _ = 1, 1 + r.below(4) do steps[#steps + 1] = r.pick(STEPS) end
  local row = {}
  for i = 1, 1 + r.below(r.pick { 3, 40, 400 }) do row[i] = steps[1 + i % #steps] end
  return ([[local u, l, t, x, n, nan = string.upper, string.lower, {}, nil, 0, 0 / 0
    for i = 1, %d do t[i] = i end
    local s, z = "%s", "%s"
    for _ = 1, %d do s = s .. s z = z .. z end
    local function f(i)
      %s
      if i > 0 then return f(i - 1) end
    end]]):format(r.pick { 0, 100, 4000, 9000 }, r.pick { "1", "abcdefgh" }, r.pick { "1", "abcdefgi" },
    r.below(17), table.concat(row, "\n")), "f(" .. r.pick { 0, 3, 1000 } .. ")"
end

local function program(r)
  return "local function probe(...) return ... end local print = probe",
    "do " .. programs.program(r):gsub("%f[%w]return%f[%W]", "do return end local _ =") .. " end"
end

-- What is hard to read or to compile.
local function hard(r)
  local count = r.pick { 100, 3000, 12000, 30000, 33000 }
  local unit = r.pick { " ", "\n", "(", "{", "do ", "--[", "--[[\n", "x=", "goto a ", "::a::", "local a ", "local a,b ",
    "f(", "'", "\\", "[=", "]=", "return ", "if x then ", "a.b.c.", "a..", "not ", "-", "while 1 do ", "function f() ",
    "elseif ", "\r", "x'a'", "::a", "\239\187\191", "#", "1e", "..", "a,", "a=a " }
  if r.chance(3) then
    local names = some(r, 190, function(i) return "v" .. i end)
    unit = "local " .. table.concat(names, ",") .. (" a=a"):rep(r.below(2000)) .. " local function f() "
    count = math.floor(count / #unit) + 1
  elseif r.chance(4) then
    local parts = {}
    for i = 1, count / 16 do
      parts[i] = r.pick { "goto l%d ", "::l%d:: ", "do ::l%d:: end ", "local l%d " }:format(i)
    end
    unit, count = table.concat(parts), 1
  end
  return r.pick { "return ", "", "return balance {", "return balance { plan = function() " }
    .. unit:rep(count / #unit + 1) .. r.pick { "{}", "", " end }" }
end

local corpus

local function attempt(r)
  corpus = corpus or escapes.files()
  local file = r.pick(corpus)
  return file.kind, programs.changed(r, escapes.read(file.path))
end

-- The kind and the text of a policy.
function hunt.generate(seed)
  local r = random.new(seed)
  local kind, way = r.pick(KIND_NAMES), seed % 5
  if way == 0 then return kind, policy(r, kind, frames(r)) end
  if way == 1 then return kind, policy(r, kind, work(r)) end
  if way == 2 then return kind, policy(r, kind, program(r)) end
  if way == 3 then return "balance", hard(r) end
  return attempt(r)
end

-- ---- asking -----------------------------------------------------------------------------------------------

local function judge_message(message, path)
  -- A child may be any file.
  if not message:find "^%S+%.lua:" and not message:find "^%S+:%d+: " and not message:find "^%a+%.%a*[pP]olicy: " then
    return "it says no place: " .. message
  end
  if message:find "0x%x%x%x%x%x%x%x" then return "it tells an address: " .. message end
  -- A text that is no Lua is refused as it was written, near whatever word stands there.
  local near = message:match "near '(__mp_[%w_]*)'"
  local own = near and policies.read(path):find(near, 1, true)
  if message:find "__mp_" and not message:find "begin with __mp_" and not own then
    return "it tells of the gauge: " .. message
  end
end

local function judge(questions, kind, path, folder)
  local took, p, why = asker.ms_of(questions.open, questions, kind, path, folder)
  if took > LOAD_MS then return ("it took %.0f ms to load"):format(took) end
  if not p then return judge_message(why, path) end
  local found, slow
  for round = 1, ROUNDS do
    local ms, ok = asker.ms_of(questions.ask, questions, kind, p, round % 4 > 0)
    slow = math.min(slow or ms, ms > DECISION_MS and ms or math.huge)
    local info = p:info(asker.kinds[kind])
    if ms > DECISION_MS and round > ROUNDS / 2 then found = ("a decision took %.0f ms"):format(ms) end
    if not ok and #ffi.string(info.last_error) > 0 then
      found = found or judge_message(ffi.string(info.last_error), path)
    end
    if tonumber(info.memory_bytes) > MEMORY_MAX then
      found = found or ("it holds %d bytes"):format(tonumber(info.memory_bytes))
    end
    p:turn()
  end
  p:close()
  return found
end

-- nil, or what was found and the text.
function hunt.run(seed)
  local kind, text = hunt.generate(seed)
  local folder = policies.folder()
  local path = folder .. "/hunt.lua"
  policies.write(path, text)
  escapes.plant()
  local questions = asker.new()
  local ok, found = pcall(judge, questions, kind, path, folder)
  policies.close_all()
  questions:close()
  policies.remove(folder)
  escapes.check_canary()
  if not ok then error(found, 0) end
  return found and ("%s\n%s"):format(found, text)
end

return hunt
