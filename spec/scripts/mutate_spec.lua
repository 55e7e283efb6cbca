-- SPDX-License-Identifier: Apache-2.0
-- scripts/mutate on a project of a few lines, from its choice of mistakes to what it tells, while somebody edits the
-- project: the build that it makes writes into the sources.
local policies = require "spec.support.policies"
local program = require "spec.support.program"

local FILES = {
  ["runtime/link/twice.h"] = "int twice(int a);\n",
  ["runtime/link/twice.c"] = [[
#include "twice.h"
int twice(int a)
{
	return a * 2;
}
]],
  ["runtime/cli/main.c"] = [[
int twice(int a);
int main(void)
{
	return twice(21) == 42 ? 0 : 1;
}
]],
  ["runtime/base/defs.h"] = "",
  ["CMakeLists.txt"] = [[
cmake_minimum_required(VERSION 3.22)
project(toy C)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
add_executable(moonpool-spec runtime/link/twice.c runtime/cli/main.c runtime/base/mutant.c)
target_include_directories(moonpool-spec PRIVATE runtime/link)
target_compile_definitions(moonpool-spec PRIVATE _GNU_SOURCE)
file(WRITE "%s/runtime/link/twice.c" "\n\nint thrice(int a)\n{\n\treturn a * 3;\n}\n")
file(WRITE "%s/runtime/link/later.c" "int later(void)\n{\n\treturn 1;\n}\n")
]],
  ["spec/link/twice_spec.lua"] = "",
  ["scripts/packages"] = "#!/bin/sh\n",
}

describe("scripts/mutate", function()
  it("tries the mistakes of the sources of its beginning, whoever edits them meanwhile", function()
    local folder = policies.folder()
    finally(function() policies.remove(folder) end)
    local function sh(command) return program.sh((command:gsub("%$F", folder):gsub("%$P", MOONPOOL_ROOT))) end
    local said, status = sh [[cd $F && git init -q . &&
      mkdir -p runtime/base runtime/link runtime/cli spec/link scripts &&
      cp -r $P/scripts/mutate* $P/scripts/lib.sh scripts && echo .cache >.gitignore]]
    assert.equal(0, status, said)
    for path, text in pairs(FILES) do
      policies.write(folder .. "/" .. path, (text:gsub("%%s", folder)))
    end
    said, status = sh "chmod +x $F/scripts/packages && $F/scripts/mutate --jobs 1 runtime/link/twice.c"
    assert.equal(0, status, said .. policies.read(folder .. "/.cache/mutate/log"))
    for _, change in ipairs { "11  * -> /", "9  a * 2 -> 0" } do
      local line = "killed  runtime/link/twice.c:4:" .. change .. "  return a * 2;  spec/link/twice_spec.lua\n"
      assert.matches(line, said, 1, true)
    end
    assert.matches("\nlink +4 +100.0 %% +4 +0 +0 +0 +0 +0 +0\n", said)
    assert.matches("thrice", policies.read(folder .. "/runtime/link/twice.c"), 1, true)
    -- And again, when functions have become others.
    for path, text in pairs { ["link/twice.h"] = "int twice(int a, int b);\n",
      ["link/twice.c"] = FILES["runtime/link/twice.c"]:gsub("int a", "int a, int b"):gsub("a %* 2", "a * b"),
      ["cli/main.c"] = FILES["runtime/cli/main.c"]:gsub("int a", "int a, int b"):gsub("21", "21, 2") } do
      policies.write(folder .. "/runtime/" .. path, text)
    end
    said, status = sh "$F/scripts/mutate --jobs 1 runtime/link/twice.c"
    assert.equal(0, status, said .. policies.read(folder .. "/.cache/mutate/log"))
    assert.matches("killed  runtime/link/twice.c:4:11  * -> /  return a * b;  ", said, 1, true)
  end)
end)
