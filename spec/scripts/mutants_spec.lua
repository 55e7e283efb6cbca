-- SPDX-License-Identifier: Apache-2.0
-- The mistakes that scripts/mutate makes: in code only, one at a time, line by line.
local mutants = dofile(MOONPOOL_ROOT .. "/scripts/mutate.d/mutants.lua")

local SOURCE = [[
// if (a < b) return 7;
#define LIMIT(x) \
	((x) < 8 ? 8 : 9)
static const char *text = "a < b; // 7";

int f(int a, int b)
{
	/* a == b */
	int sum = a + b;
	if (a < b)
		return 'a' + sum;
	note(sum);
	while (sum > 7)
		sum--;
	return sum;
}
]]

local function lines_of(text)
  local list = {}
  for line in text:gmatch "([^\n]*)\n" do list[#list + 1] = line end
  return list
end

describe("the mutants of a C file", function()
  it("are in its code, not in comments, strings and directives", function()
    for _, mutant in ipairs(mutants.of(SOURCE)) do assert.is_true(mutant.line >= 9, mutant.line) end
  end)

  it("change one line each, and only that", function()
    local before = lines_of(SOURCE)
    for _, mutant in ipairs(mutants.of(SOURCE)) do
      local after = lines_of(mutants.apply(SOURCE, mutant))
      assert.equal(#before, #after)
      for i, line in ipairs(before) do assert.equal(i ~= mutant.line, line == after[i], mutant.from .. mutant.to) end
    end
  end)

  it("are those one would make", function()
    local seen = {}
    for _, m in ipairs(mutants.of(SOURCE)) do seen[m.line .. " " .. m.from .. " " .. m.to] = true end
    for _, expected in ipairs { "9 + -", "10 < <=", "10 (a < b) (!(a < b))", "12 note(sum); ;", "13 (sum > 7) (0)",
      "13 7 8", "14 sum--; ;", "15 sum 0" } do
      assert.is_true(seen[expected], expected)
    end
  end)
end)
