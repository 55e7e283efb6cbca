-- SPDX-License-Identifier: Apache-2.0
-- Many mistakes in one build: each function of a C file holds its own body and those of its mutants, and a number from
-- the environment says which of them runs (MP_MUTANT; without it the true ones do). So a build serves all mutants of a
-- run. A function also notes that it was entered, in the file MP_REACHED names: which functions a spec reaches.
--
--   int f(int a)                int f(int a)
--   {                           {mp_mutant_reached[3] = 1;
--           return a + 1;   ->  if (mp_mutant == 12) {       return a + 2;      } else
--   }                           {       return a + 1;      } }
local mutants = require "mutants"
local switched = {}

local DECLARED = "extern int mp_mutant; extern unsigned char *mp_mutant_reached;\n"

-- The name in the head of a function that ends before a place: a line that is not indented, and such that are.
local function name_before(text, stop)
  local start = stop
  repeat
    local finish = start - 1
    start = finish
    while start > 0 and text:byte(start) ~= 10 do start = start - 1 end
    local name = text:sub(start + 1, finish):match "^%S.-([%w_]+)%("
    if name then return name end
  until start <= 1
  return "?"
end

-- The bodies of functions in a text: { name, first, last, line }, from "{" to "}", both in the first column,
-- behind a head that ends with its parameters.
function switched.functions(text)
  local list, at = {}, 1
  while true do
    local first = text:find("%)\n{\n", at)
    if not first then return list end
    first = first + 1
    local _, last = text:find("\n}\n", first + 1, true)
    local _, line = text:sub(1, first):gsub("\n", "")
    list[#list + 1] = { name = name_before(text, first), first = first + 1, last = last - 1, line = line + 1 }
    at = last
  end
end

-- A body that may stand several times in one function: its labels are its own.
local function own(body)
  local labels = {}
  for label in body:gmatch "\n[\t ]*([%a_][%w_]*):[ \t]*\n" do
    if label ~= "default" then labels[#labels + 1] = "__label__ " .. label .. ";" end
  end
  return "{" .. table.concat(labels, " ") .. body:sub(2)
end

-- The text with these mutants in it, each of which has a number, and the function it stands in as `within`.
-- index_of(name) is the place where a function notes that it was entered.
function switched.of(text, path, list, index_of)
  local out, at = { DECLARED, '#line 1 "', path, '"\n' }, 1
  for _, fn in ipairs(switched.functions(text)) do
    local body, line = text:sub(fn.first, fn.last), string.format("\n#line %d\n", fn.line)
    out[#out + 1] = text:sub(at, fn.first - 1)
    out[#out + 1] = string.format("{ mp_mutant_reached[%d] = 1;", index_of(fn.name))
    for _, mutant in ipairs(list) do
      if mutant.within and mutant.first > fn.first and mutant.last <= fn.last then
        local wrong = mutants.apply(body, { first = mutant.first - fn.first + 1, last = mutant.last - fn.first + 1,
          to = mutant.to })
        out[#out + 1] = string.format("\nif (mp_mutant == %d)%s%s else", mutant.number, line, own(wrong))
      end
    end
    out[#out + 1] = line .. own(body) .. "}"
    at = fn.last + 1
  end
  out[#out + 1] = text:sub(at)
  return table.concat(out)
end

-- The function of the text that the mutant stands in, nil for a table outside of all functions.
function switched.function_of(text, mutant)
  for _, fn in ipairs(switched.functions(text)) do
    if mutant.first > fn.first and mutant.last <= fn.last then return fn.name end
  end
end

-- The C file that holds the number, for so many functions.
function switched.support(functions)
  return string.format([[
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
extern int mp_mutant;
extern unsigned char *mp_mutant_reached;
static unsigned char unnoted[%d + 1];
int mp_mutant;
unsigned char *mp_mutant_reached = unnoted;
__attribute__((constructor)) static void mp_mutant_begin(void)
{
	const char *number = getenv("MP_MUTANT"), *path = getenv("MP_REACHED");
	mp_mutant = number ? atoi(number) : 0;
	int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
	if (fd < 0)
		return;
	void *noted = mmap(NULL, sizeof(unnoted), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (noted != MAP_FAILED)
		mp_mutant_reached = noted;
	close(fd);
}
]], functions)
end

return switched
