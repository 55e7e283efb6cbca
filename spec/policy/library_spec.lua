-- SPDX-License-Identifier: Apache-2.0
-- lua/moonpool/library/policy.lua tells editors what a policy may use: no more and no less than there is.
local policies = require "spec.support.policies"

local function read(path)
  local file = assert(io.open(MOONPOOL_ROOT .. path))
  local text = file:read "*a"
  file:close()
  return text
end

-- The words of scopes, orders and verdicts, as C lists them.
local function listed_words()
  local headers, words = read "/runtime/cluster/plan/plan.h" .. read "/runtime/cluster/plan/policy.h", { "all" }
  for _, list in ipairs { "MP_SCOPES", "MP_ORDERS", "MP_RETRY_VERDICTS" } do
    local part = assert(headers:match("#define " .. list .. "%(X%)(.-)\nenum"))
    local count = #words
    for word in part:gmatch "X%([A-Z_]+, (%a+)" do words[#words + 1] = word end
    assert(#words - count >= 3, list)
  end
  return words
end

-- The kinds whose own words stand in a file of their own.
local KINDS = {
  reconnect = { entry = "delay", view = "Try", ctype = "try", returns = "1" },
  failover = { entry = "decide", view = "Datacentre", ctype = "dc", methods = { "upFor", "downFor" }, returns = "nil" },
  speculate = { entry = "after", view = "Request", returns = "1" }, -- of policy.lua
}

describe("the annotations of policies", function()
  after_each(policies.close_all)
  local text = read "/lua/moonpool/library/policy.lua"
  local function declared_in(annotations)
    local declared = {}
    for name in ("\n" .. annotations):gmatch "\nfunction ([%a_][%w_]*)%(" do declared[name] = true end
    for name in ("\n" .. annotations):gmatch "\n([%a_][%w_]*) = " do declared[name] = true end
    return declared
  end
  local declared = declared_in(text)

  local function fields_of(class, annotations)
    local fields = {}
    local part = (annotations or text):match("%-%-%-@class " .. class .. "\n(.-)\n[^-]") or error(class)
    for name in part:gmatch "@field ([%w_]+)" do fields[name] = true end
    return fields
  end

  local function names_loop(names, only_of)
    local parts = {}
    for name in pairs(names) do parts[#parts + 1] = only_of .. name end
    table.sort(parts)
    return "local _ = { " .. table.concat(parts, ", ") .. " }"
  end

  it("name only what is there", function()
    local words = {}
    for name in pairs(declared) do words[name] = name ~= "retry" and name ~= "balance" or nil end
    assert.is_true(words.localDc and words.tagged and words.READ_TIMEOUT)
    local folder = policies.folder()
    local file = "%s return retry { name = 'All', decide = function(err) %s return giveUp end }"
    policies.write(folder .. "/all.lua", file:format(names_loop(words, ""), names_loop(fields_of "Failure", "err.")))
    local p, why = policies.try { retry = folder .. "/all.lua" }
    policies.remove(folder)
    assert.truthy(p, why)
  end)

  it("name only fields and methods that requests, hosts and plans have", function()
    local methods = {}
    for name in text:gmatch "\nfunction Plan:([%w_]+)" do methods[name] = true end
    local host_methods = {}
    for name in text:gmatch "\nfunction Host:([%w_]+)" do host_methods[name] = true end
    local p, why = policies.of(([[return balance { name = "All", plan = function(plan, req)
      %s %s
      for _, host in hosts(allDcs) do %s %s end
      plan:hosts(localDc)
    end }]]):format(names_loop(fields_of "Request", "req."), names_loop(methods, "plan."),
      names_loop(fields_of "Host", "host."), names_loop(host_methods, "host.")))
    assert.truthy(p, why)
  end)

  it("miss no word, method or field", function()
    local source = read "/lua/moonpool/policy/objects.lua"
    for name in source:gmatch "words%.([%w_]+) *[=(]" do assert.is_true(declared[name], name) end
    for name in source:gmatch "function words%.([%w_]+)" do assert.is_true(declared[name], name) end
    local retry = read "/lua/moonpool/policy/retry.lua"
    for _, name in ipairs(listed_words()) do assert.is_true(declared[name], name) end
    for c_name, class in pairs { req = "Request", err = "Failure", host = "Host" } do
      local fields = fields_of(class)
      for line in (source .. retry):match("struct mp_script_" .. c_name .. " (%b{})"):gmatch "const [%w_]+ ([^;]+);" do
        for name in line:gmatch "[%w_]+" do assert.is_true(fields[name], class .. "." .. name) end
      end
    end
    local methods = read "/lua/moonpool/policy/balance.lua":match "local methods = (%b{})"
    for name in methods:gmatch "([%w_]+) =" do
      assert.truthy(text:find("function Plan:" .. name .. "(", 1, true), name)
    end
    for name in source:gmatch "function host_methods%.([%w_]+)" do
      assert.truthy(text:find("function Host:" .. name .. "(", 1, true), name)
    end
  end)

  for kind, about in pairs(KINDS) do
    it("name the words and fields of " .. kind .. " policies: no more and no less", function()
      local annotations = read("/lua/moonpool/library/" .. kind .. ".lua")
      local words = declared_in(annotations)
      assert.is_true(words[kind])
      words[kind] = nil
      local folder = policies.folder()
      local file = "%s return %s { name = 'All', %s = function(view) %s return %s end }"
      local fields = fields_of(about.view, about.ctype and annotations)
      policies.write(folder .. "/all.lua", file:format(names_loop(words, ""), kind, about.entry,
        names_loop(fields, "view."), about.returns))
      local p, why = policies.try { [kind] = folder .. "/all.lua" }
      policies.remove(folder)
      assert.truthy(p, why)
      local source = read("/lua/moonpool/policy/" .. kind .. ".lua")
      for name in source:gmatch "function made%.words%.([%w_]+)" do assert.is_true(words[name], name) end
      if not about.ctype then return end
      for line in source:match("struct mp_script_" .. about.ctype .. " (%b{})"):gmatch "const [%w_]+ ([^;]+);" do
        for name in line:gmatch "[%w_]+" do assert.is_true(fields[name], about.view .. "." .. name) end
      end
    end)
  end

  it("and the manual and luacheck know each scope, order and verdict", function()
    local manual, luacheck = read "/docs/policies.md", read "/.luacheckrc"
    for _, word in ipairs(listed_words()) do
      assert.truthy(manual:find("`" .. word .. "`", 1, true), word)
      assert.truthy(luacheck:find('"' .. word .. '"', 1, true), word)
    end
    for _, heading in ipairs { "| scope | hosts |", "| order | meaning |" } do
      local rows = assert(manual:match(heading:gsub("%p", "%%%0") .. "\n(.-)\n\n"))
      for word in rows:gmatch "\n| `(%a+)` " do
        assert.truthy(table.concat(listed_words(), " "):find(word, 1, true), word)
      end
    end
  end)

  it("miss no reason of a reconnect policy", function()
    local words = declared_in(read "/lua/moonpool/library/reconnect.lua")
    local reasons = read("/runtime/cluster/plan/policy.h"):match "MP_RECONNECT_REASONS%(X%)(.-)\n//"
    for name in reasons:gmatch "X%(([A-Z_]+)%)" do assert.is_true(words[name], name) end
  end)
end)

describe("the annotations of configurations", function()
  local text = read "/lua/moonpool/library/config.lua" .. "\n---@class"

  local function fields_of(class)
    local part = assert(text:match("%-%-%-@class " .. class .. "\n(.-)\n%-%-%-@class"), "no class " .. class)
    local fields = {}
    for name in part:gmatch "@field ([%w_]+)" do fields[name] = true end
    return fields
  end

  local function compare(class, section)
    local fields = fields_of(class)
    if section.options then fields.policy = nil end
    for _, line in ipairs(section.keys) do
      local name, rule = line[1], type(line[2]) == "table" and line[2] or line
      assert(fields[name], class .. " lacks " .. name)
      fields[name] = nil
      if rule.kind == "section" then compare("Config" .. name:sub(1, 1):upper() .. name:sub(2), rule) end
    end
    assert.is_nil(next(fields), class .. " names what is not there")
  end

  it("have each key, and no other", function()
    compare("Config", require "moonpool.config.schema")
  end)
end)
