-- SPDX-License-Identifier: Apache-2.0
-- lua/moonpool/library/policy.lua tells editors what a policy may use: no more and no less than there is.
local policies = require "spec.support.policies"

local function read(path)
  local file = assert(io.open(MOONPOOL_ROOT .. path))
  local text = file:read "*a"
  file:close()
  return text
end

describe("the annotations of policies", function()
  after_each(policies.close_all)
  local text = read "/lua/moonpool/library/policy.lua"
  local declared = {}
  for name in ("\n" .. text):gmatch "\nfunction ([%a_][%w_]*)%(" do declared[name] = true end
  for name in ("\n" .. text):gmatch "\n([%a_][%w_]*) = " do declared[name] = true end

  local function fields_of(class)
    local fields = {}
    local part = text:match("%-%-%-@class " .. class .. "\n(.-)\n[^-]") or error(class)
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
    local source = read "/lua/moonpool/decision/objects.lua"
    for name in source:gmatch "words%.([%w_]+) *[=(]" do assert.is_true(declared[name], name) end
    for name in source:gmatch "function words%.([%w_]+)" do assert.is_true(declared[name], name) end
    for _, list in ipairs { "scopes", "orders", "verdict_words" } do
      local part = assert(source:match("objects%." .. list .. " = (%b{})"))
      for name in part:gmatch "([%w_]+) =" do assert.is_true(declared[name], name) end
    end
    for c_name, class in pairs { req = "Request", err = "Failure", host = "Host" } do
      local fields = fields_of(class)
      for line in source:match("struct mp_script_" .. c_name .. " (%b{})"):gmatch "const [%w_]+ ([^;]+);" do
        for name in line:gmatch "[%w_]+" do assert.is_true(fields[name], class .. "." .. name) end
      end
    end
    local methods = source:match "local methods = (%b{})"
    for name in methods:gmatch "([%w_]+) =" do
      assert.truthy(text:find("function Plan:" .. name .. "(", 1, true), name)
    end
    for name in source:gmatch "function host_methods%.([%w_]+)" do
      assert.truthy(text:find("function Host:" .. name .. "(", 1, true), name)
    end
  end)
end)
