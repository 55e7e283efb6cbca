-- SPDX-License-Identifier: Apache-2.0
-- The steps of scripts/mutate, in the project's root, one after another:
--   luajit run.lua prepare COUNT SEED PATH...   chooses mutants, builds all of them into one, learns what specs reach
--   luajit run.lua try JOB JOBS LATEST          shows every JOBS-th to the specs, until LATEST (seconds since 1970)
--   luajit run.lua rest LATEST                  those that need a build of their own, and again, under the sanitizers,
--                                               those that nothing noticed
-- Results are lines of .cache/mutate/results: outcome, place, what was changed, the source line, the spec that noticed.
package.path = arg[0]:gsub("[^/]*$", "?.lua;") .. package.path
local mutants = require "mutants"
local switched = require "switched"
local tree = require "tree"
local reach = require "reach"

local CHOSEN, RESULTS = ".cache/mutate/chosen.lua", ".cache/mutate/results"
-- So long, by what they take without a mistake, the likeliest specs are run for a mutant that nothing notices.
local SECONDS = { quick = 15, dev = 5 }

-- ---- all C files and their functions ----------------------------------------------------------------------

local function c_files(path)
  return tree.lines("cd %s && find 'runtime/%s' -name '*.c' | sort", tree.sources, path)
end

local texts = {} -- without mistakes
local function text_of(path)
  texts[path] = texts[path] or tree.read(tree.sources .. "/" .. path)
  return texts[path]
end

-- The names of all functions, and the place of each.
local function all_functions()
  local names, place = {}, {}
  for _, path in ipairs(c_files "") do
    for _, fn in ipairs(switched.functions(text_of(path))) do
      local name = path .. ":" .. fn.name
      if not place[name] then
        names[#names + 1] = name
        place[name] = #names
      end
    end
  end
  return names, place
end

-- Writes a file into the tree with these mutants to choose from; `text` is what it reads otherwise.
local function put(path, text, list, place)
  tree.write(tree.path .. "/" .. path, switched.of(text, path, list, function(name)
    return place[path .. ":" .. name]
  end))
end

-- ---- which mutants ----------------------------------------------------------------------------------------

local function shuffle(list, seed)
  local state = seed
  local function random(n)
    state = (state * 1103515245 + 12345) % 2147483648
    return math.floor(state / 65536) % n
  end
  for i = #list, 2, -1 do
    local j = (random(32768) * 32768 + random(32768)) % i + 1
    list[i], list[j] = list[j], list[i]
  end
end

local function place_of(mutant)
  local before = text_of(mutant.path):sub(1, mutant.first - 1):match "[^\n]*$"
  return string.format("%s:%d:%d", mutant.path, mutant.line, #before + 1)
end

local function tell(outcome, mutant, by)
  local line, source = 0, ""
  for candidate in text_of(mutant.path):gmatch "([^\n]*)\n" do
    line = line + 1
    if line == mutant.line then source = candidate:gsub("^%s+", "") break end
  end
  local said = table.concat({ outcome, place_of(mutant), mutant.from .. " -> " .. mutant.to, source, by or "" }, "\t")
  local results = assert(io.open(RESULTS, "a"))
  results:write(said, "\n")
  results:close()
  if outcome ~= "same" and outcome ~= "broken" then print((said:gsub("\t", "  "))) end
end

local function choose(count, seed, paths)
  local list, chosen = {}, {}
  for _, path in ipairs(paths) do
    for _, file in ipairs(c_files(path)) do
      for _, mutant in ipairs(mutants.of(text_of(file))) do
        mutant.path = file
        list[#list + 1] = mutant
      end
    end
  end
  shuffle(list, seed)
  local sound = list[1].path
  assert(tree.compiles(sound, text_of(sound)), sound .. " does not compile by itself: see .cache/mutate/log")
  for _, mutant in ipairs(list) do
    if #chosen == count then break end
    if tree.compiles(mutant.path, mutants.apply(text_of(mutant.path), mutant)) then
      mutant.number, mutant.within = #chosen + 1, switched.function_of(text_of(mutant.path), mutant)
      chosen[#chosen + 1] = mutant
    else
      tell("broken", mutant)
    end
  end
  return chosen
end

local function keep(chosen)
  local out = { "return {\n" }
  for _, m in ipairs(chosen) do
    out[#out + 1] = string.format("{ number = %d, path = %q, line = %d, first = %d, last = %d, from = %q, to = %q, " ..
      "within = %s },\n", m.number, m.path, m.line, m.first, m.last, m.from, m.to,
      m.within and string.format("%q", m.within) or "nil")
  end
  out[#out + 1] = "}\n"
  tree.write(CHOSEN, table.concat(out))
end

-- ---- the steps --------------------------------------------------------------------------------------------

local steps = {}

function steps.prepare(count, seed, ...)
  local names, place = all_functions()
  tree.write(tree.path .. "/runtime/base/mutant.c", switched.support(#names))
  local function put_all(chosen)
    for _, path in ipairs(c_files "") do
      local list = {}
      for _, mutant in ipairs(chosen) do
        if mutant.path == path then list[#list + 1] = mutant end
      end
      put(path, text_of(path), list, place)
    end
  end
  put_all {} -- those of the last run may not fit what has changed since
  assert(tree.builds "quick", "the copy does not build: see .cache/mutate/log")
  local chosen = choose(tonumber(count), tonumber(seed), { ... })
  keep(chosen)
  put_all(chosen)
  assert(tree.builds "quick", "the copy does not build: see .cache/mutate/log")
  reach.all(names)
end

-- Shows a mutant to specs: what became of it, and which spec noticed.
local function show(kind, mutant, asked)
  local slower = kind == "dev" and 4 or 1
  local spent = 0
  for _, kept in ipairs(asked) do
    spent = spent + kept.price
    if spent > SECONDS[kind] and kept ~= asked[1] then break end
    local outcome = tree.run(kind, kept.spec, "MP_MUTANT=" .. mutant.number,
      { cpu = (kept.cpu * 5 + 5) * slower, wall = (kept.wall * 6 + 40) * slower,
        memory = kept.memory > 0 and kept.memory })
    kept.shown = kept.shown + 1
    if outcome ~= "passed" then
      kept.noticed = kept.noticed + 1
      return outcome == "failed" and "killed" or outcome, kept.spec
    end
  end
  return #asked > 0 and "survived" or "unreached"
end

function steps.try(job, jobs, latest)
  local list = reach.all((all_functions()))
  for _, mutant in ipairs(dofile(CHOSEN)) do
    if mutant.within and mutant.number % tonumber(jobs) == tonumber(job) then
      if os.time() > tonumber(latest) then return end
      local outcome, by = show("quick", mutant, reach.order(list, mutant))
      tell(outcome, mutant, by)
    end
  end
end

local function same(mutant)
  local text = text_of(mutant.path)
  return tree.compiles(mutant.path, text, true) == tree.compiles(mutant.path, mutants.apply(text, mutant), true)
end

function steps.rest(latest)
  local list, place = reach.all((all_functions())), select(2, all_functions())
  local survivors = {}
  for line in io.lines(RESULTS) do
    local outcome, where, change = line:match "^([^\t]*)\t([^\t]*)\t([^\t]*)"
    if outcome == "survived" or outcome == "unreached" then survivors[where .. change] = true end
  end
  for _, mutant in ipairs(dofile(CHOSEN)) do
    local survived = survivors[place_of(mutant) .. mutant.from .. " -> " .. mutant.to]
    if os.time() > tonumber(latest) then return end
    if (survived or not mutant.within) and same(mutant) then
      tell("same", mutant)
    elseif not mutant.within then
      local text = text_of(mutant.path)
      put(mutant.path, mutants.apply(text, mutant), {}, place)
      local outcome, by = "broken", nil
      if tree.builds "quick" then outcome, by = show("quick", mutant, reach.order(list, mutant)) end
      tell(outcome, mutant, by)
      put(mutant.path, text, {}, place)
    elseif survived then
      assert(tree.builds "dev", "the copy does not build: see .cache/mutate/log")
      local outcome, by = show("dev", mutant, reach.order(list, mutant))
      if outcome ~= "survived" then tell(outcome, mutant, by) end
    end
  end
end

steps[arg[1]](unpack(arg, 2))
