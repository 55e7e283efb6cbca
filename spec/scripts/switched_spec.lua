-- SPDX-License-Identifier: Apache-2.0
-- What scripts/mutate builds: one program with all mistakes in it, of which a number in the environment takes one.
local program = require "spec.support.program"
package.path = MOONPOOL_ROOT .. "/scripts/mutate.d/?.lua;" .. package.path
local mutants = require "mutants"
local switched = require "switched"

local SOURCE = [[
#include <stdio.h>
static const int table[] = {1, 2};
static const struct
{
	int number;
} tables[] = {{1}};

static int twice(int a)
{
	return a * 2;
}

static int never(void)
{
	return 1;
}

static long first_above(const int *list, int count,
                        int least)
{
	int i = 0;
	while (i < count) {
		if (list[i] > least)
			goto found;
		i++;
	}
	return -1;
found:
	return __LINE__ * 100 + list[i];
}

int main(int argc, char **argv)
{
	(void)argv;
	(void)tables;
	printf("%d %ld\n", twice(table[1]), first_above(table, 2, 1));
	return argc > 1 ? never() : 0;
}
]]

local FUNCTIONS = { "twice", "never", "first_above", "main" }
local place = {}
for i, name in ipairs(FUNCTIONS) do place[name] = i end

-- Those of all mutants of the source that are wanted: { function, from, to }.
local function chosen(wanted)
  local list = {}
  for _, mutant in ipairs(mutants.of(SOURCE)) do
    mutant.within = switched.function_of(SOURCE, mutant)
    for number, one in ipairs(wanted) do
      if mutant.within == one[1] and mutant.from == one[2] and mutant.to == one[3] and not list[number] then
        list[number], mutant.number = mutant, number
      end
    end
  end
  return list
end

local list = chosen { { "twice", "*", "/" }, { "first_above", "<", ">=" }, { "first_above", ">", "<=" } }

describe("a build with all mistakes", function()
  local folder, noted

  setup(function()
    folder = os.tmpname()
    os.remove(folder)
    noted = folder .. "/noted"
    assert.equal(0, select(2, program.sh("mkdir " .. folder)))
    for name, text in pairs {
      ["source.c"] = switched.of(SOURCE, "source.c", list, function(name) return place[name] end),
      ["switch.c"] = switched.support(#FUNCTIONS), ["noted"] = ("\0"):rep(#FUNCTIONS + 1),
    } do
      local file = assert(io.open(folder .. "/" .. name, "wb"))
      file:write(text)
      file:close()
    end
    local said, status = program.sh(("cd %s && cc -D_GNU_SOURCE -std=c11 -o all source.c switch.c"):format(folder))
    assert.equal(0, status, said)
  end)

  teardown(function() program.sh("rm -r " .. folder) end)

  local function run(environment)
    return (program.sh(("env %s %s/all"):format(environment, folder)))
  end

  it("makes none without a number, and lines keep theirs", function()
    local _, line = SOURCE:match "^(.-)return __LINE__":gsub("\n", "")
    local right = string.format("4 %d\n", (line + 1) * 100 + 2)
    assert.equal(right, run "")
    assert.equal(right, run "MP_MUTANT=0")
    assert.equal(right, run "MP_MUTANT=9")
  end)

  it("makes the one that the number says", function()
    local right = run ""
    assert.equal((right:gsub("^4", "1")), run "MP_MUTANT=1")
    assert.equal("4 -1\n", run "MP_MUTANT=2")
    assert.equal((right:gsub("2\n$", "1\n")), run "MP_MUTANT=3")
  end)

  it("notes which functions were entered, also when several processes do", function()
    run("MP_REACHED=" .. noted)
    run("MP_REACHED=" .. noted)
    local file = assert(io.open(noted, "rb"))
    local bytes = file:read "*a"
    file:close()
    assert.equal("\0\1\0\1\1", bytes)
  end)

  it("knows the functions of a file, and what stands outside of them", function()
    local names = {}
    for i, fn in ipairs(switched.functions(SOURCE)) do names[i] = fn.name end
    assert.same(FUNCTIONS, names)
    local outside = 0
    for _, mutant in ipairs(mutants.of(SOURCE)) do
      if not switched.function_of(SOURCE, mutant) then outside = outside + 1 end
    end
    assert.is_true(outside > 0)
  end)
end)
