-- SPDX-License-Identifier: Apache-2.0
-- Policies of every kind that call what they may with arguments of every kind, and give anything: each is taken, or
-- refused with its place and a message. (Programs of every shape are spec/hunt's.)
local bytes = require "spec.fuzz.bytes"
local core = require "moonpool.core_loader"

local PATH = os.tmpname()

local KINDS = {
  { name = "balance", entry = "plan", args = "plan, req, options", calls = { "plan:replicas", "plan:hosts", "plan:host",
    "plan:only", "plan:avoid", "plan:avoidSlow", "plan:allowAll", "plan:refuse", "plan:child", "dc", "tagged", "listed",
    "upCount", "shutCount", "random", "chance", "log", "hosts", "replicas" } },
  { name = "retry", entry = "decide", args = "err, req, options", calls = { "random", "chance", "log" } },
  { name = "reconnect", entry = "delay", args = "try, options", calls = { "random", "chance" } },
  { name = "speculate", entry = "after", args = "req, sent, options", calls = { "latency", "random" } },
  { name = "failover", entry = "decide", args = "home, serving, options", calls = { "dcs", "home.upFor",
    "serving.downFor", "home:upFor", "serving:downFor", "log" } },
}
local WORDS = { "nil", "true", "{}", "localDc", "sameRack", "remoteDcs", "allDcs", "all", "inTurn", "shuffled",
  "primaryFirst", "leastLoaded", "fastest", "weighted", "giveUp", "sameHost", "nextHost", "ONE", "LOCAL_QUORUM", "plan",
  "req", "err", "try", "sent", "home", "serving", "options", "made", "made[1]", "home.name", "print" }

local function expression(from, depth)
  local way = from:below(depth > 2 and 3 or 5)
  if way == 0 then return from:pick(WORDS) end
  if way == 1 then
    local number = from:number()
    return number ~= number and "(0/0)" or math.abs(number) == math.huge and (number < 0 and "(-1/0)" or "(1/0)")
      or ("(%.17g)"):format(number)
  end
  if way == 2 then return ("%q"):format(from:text()):gsub("%z", "\\0") end
  if way == 3 then return ("{ %s, %s }"):format(expression(from, depth + 1), expression(from, depth + 1)) end
  return ("(%s %s %s)"):format(expression(from, depth + 1), from:pick { "+", "*", "-", "..", "==", "or", "and" },
    expression(from, depth + 1))
end

local function list_of(from, most)
  local list = {}
  for i = 1, from:below(most + 1) do list[i] = expression(from, 0) end
  return table.concat(list, ", ")
end

local function text_of(from)
  local kind = from:pick(KINDS)
  local body = { "local made" }
  for _ = 1, from:below(6) do
    body[#body + 1] = ("%s%s(%s)"):format(from:below(2) == 0 and "made = " or "", from:pick(kind.calls),
      list_of(from, 4))
  end
  body[#body + 1] = "return " .. list_of(from, 3)
  return kind.name, ('%s { name = "Fuzzed", %s = function(%s)\n%s\nend }\n'):format(kind.name, kind.entry, kind.args,
    table.concat(body, "\n"))
end

return function(input)
  local kind, text = text_of(bytes(input))
  local file = assert(io.open(PATH, "wb"))
  file:write(text)
  file:close()
  local found, why = core.checkPolicy(kind, PATH)
  os.remove(PATH)
  if found then return assert(found.name == "Fuzzed" or found.name == "?", found.name) end
  assert(type(why) == "string" and #why > 0 and #why < 512, "refused without a message:\n" .. text)
end
