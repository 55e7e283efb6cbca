-- SPDX-License-Identifier: Apache-2.0
-- A strict reader of OpenMetrics 1.0 text: read(text) gives { family = { type, unit, help, samples = { { name, labels,
-- value } } } } and a list of their names, or raises what the specification forbids. Of what nobody here writes
-- (timestamps, exemplars, state sets) it knows nothing and takes nothing.
local openmetrics = {}

local SUFFIXES = {
  counter = { _total = true, _created = true }, gauge = { [""] = true }, info = { _info = true },
  histogram = { _bucket = true, _count = true, _sum = true, _created = true },
}

local function unescape(text, line)
  local out = text:gsub("\\(.)", function(char)
    if char == "n" then return "\n" end
    assert(char == "\\" or char == '"', "a wrong escape: " .. line)
    return char
  end)
  return out
end

local function read_labels(text, line)
  local labels, at, count = {}, 1, 0
  while at <= #text do
    local name, from = text:match('^([%a_][%w_]*)="()', at)
    assert(name and not labels[name], "labels: " .. line)
    local to = from
    while text:sub(to, to) ~= '"' do
      assert(to <= #text, "labels: " .. line)
      to = to + (text:sub(to, to) == "\\" and 2 or 1)
    end
    labels[name], count = unescape(text:sub(from, to - 1), line), count + 1
    at = to + 1
    if at <= #text then
      assert(text:sub(at, at) == ",", "labels: " .. line)
      at = at + 1
    end
  end
  return labels, count
end

local function number(text, line)
  local special = ({ ["+Inf"] = math.huge, ["-Inf"] = -math.huge, NaN = 0 / 0 })[text]
  if special then return special end
  assert(text:match "^%-?%d+%.?%d*$" or text:match "^%-?%d+%.?%d*[eE][+-]?%d+$", "a wrong number: " .. line)
  return tonumber(text)
end

local function key_of(labels, but)
  local list = {}
  for name, value in pairs(labels) do
    if name ~= but then list[#list + 1] = name .. "=" .. value end
  end
  table.sort(list)
  return table.concat(list, ",")
end

-- Buckets of one set of labels: in order, growing, up to +Inf, which is the count; a sum beside.
local function check_histogram(name, family)
  local groups = {}
  for _, sample in ipairs(family.samples) do
    local key = key_of(sample.labels, "le")
    groups[key] = groups[key] or { buckets = {} }
    if sample.suffix == "_bucket" then table.insert(groups[key].buckets, sample)
    else groups[key][sample.suffix] = sample.value end
  end
  for key, group in pairs(groups) do
    local last, most = -math.huge, 0
    for _, bucket in ipairs(group.buckets) do
      local le = number(assert(bucket.labels.le, name .. ": a bucket without le"), key)
      assert(le > last and bucket.value >= most, name .. "{" .. key .. "}: buckets do not grow")
      last, most = le, bucket.value
    end
    assert(last == math.huge, name .. "{" .. key .. "}: no bucket +Inf")
    assert(group._count == most and group._sum, name .. "{" .. key .. "}: count and sum")
    assert(group._count > 0 or group._sum == 0, name .. "{" .. key .. "}: a sum of nothing")
  end
end

local function new_family(name, families, names)
  assert(not families[name], name .. ": told in two places")
  local family = { samples = {} }
  families[name], names[#names + 1] = family, name
  return family
end

local function suffix_of(sample, family_name, family, line)
  assert(family and sample:sub(1, #family_name) == family_name, "a sample outside of its family: " .. line)
  local suffix = sample:sub(#family_name + 1)
  assert(SUFFIXES[family.type or ""] and SUFFIXES[family.type][suffix], "a sample of another type: " .. line)
  return suffix
end

local function take_sample(line, current, families)
  local name, rest = line:match "^([%a_:][%w_:]*)(.*)$"
  assert(name, "no sample: " .. line)
  local inside, value = rest:match "^{(.*)} (%S+)$"
  if not inside then inside, value = "", rest:match "^ (%S+)$" end
  assert(value, "no sample: " .. line)
  local family = families[current]
  local suffix = suffix_of(name, current or "", family, line)
  local labels = read_labels(inside, line)
  local sample = { name = name, suffix = suffix, labels = labels, value = number(value, line) }
  local key = name .. "{" .. key_of(labels) .. "}"
  assert(not family[key], "told twice: " .. line)
  family[key] = true
  if family.type == "counter" then assert(sample.value >= 0, "a counter below 0: " .. line) end
  table.insert(family.samples, sample)
end

function openmetrics.read(text)
  assert(text:sub(-6) == "# EOF\n", "the text does not end with # EOF")
  assert(not text:find "\r", "a carriage return")
  local families, names, current, ended = {}, {}, nil, false
  for line in text:gmatch "([^\n]*)\n" do
    assert(not ended, "something behind # EOF")
    local kind, name, rest = line:match "^# (%u+) ([%a_:][%w_:]*) (.*)$"
    if line == "# EOF" then
      ended = true
    elseif line:sub(1, 1) == "#" then
      assert(kind == "TYPE" or kind == "UNIT" or kind == "HELP", "a comment that is none: " .. line)
      if current ~= name then new_family(name, families, names) end
      current = name
      local family = families[name]
      assert(#family.samples == 0 and family[kind:lower()] == nil, "metadata in the wrong place: " .. line)
      family[kind:lower()] = kind == "HELP" and unescape(rest, line) or rest
      if kind == "TYPE" then assert(SUFFIXES[rest], "an unknown type: " .. line) end
      if kind == "UNIT" then assert(name:sub(-#rest - 1) == "_" .. rest, "a unit that is not in the name: " .. line) end
    else
      take_sample(line, current, families)
    end
  end
  for name, family in pairs(families) do
    assert(family.type and family.help and family.help ~= "", name .. ": TYPE and HELP")
    if family.type == "histogram" then check_histogram(name, family) end
    if name:find "_seconds" then assert(family.unit == "seconds", name .. ": UNIT") end
  end
  return families, names
end

-- The value of a sample by its whole name and labels, or nil.
function openmetrics.value(families, name, labels)
  for _, family in pairs(families) do
    for _, sample in ipairs(family.samples) do
      local same = sample.name == name
      for label, value in pairs(labels or {}) do same = same and sample.labels[label] == value end
      if same then return sample.value end
    end
  end
end

return openmetrics
