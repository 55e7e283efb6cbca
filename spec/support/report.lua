-- SPDX-License-Identifier: Apache-2.0
-- The spec host's report: one line for each spec file, failures in full at the place where they happen, and the counts.
return function(options)
  local busted = require "busted"
  local ffi = require "ffi"
  local handler = require "busted.outputHandlers.base"()
  local counts = MOONPOOL_SPEC_COUNTS
  local file_failed, file_passed, file_started

  local function trouble(kind, element, message, trace)
    io.write("\n", kind, ": ", handler.getFullName(element), "\n")
    io.write("  ", type(message) == "string" and message or require "pl.pretty".write(message), "\n")
    if type(trace) == "table" and trace.short_src then
      io.write("  at ", trace.short_src, ":", tostring(trace.currentline), "\n")
    end
    if options.verbose and type(trace) == "table" then io.write(trace.traceback or "", "\n") end
  end

  local clock = require "system".gettime

  -- LuaJIT has room for 65536 C types in a process, and each parse of a function's makes some: one spec that parses
  -- them again and again takes it from all that come later.
  local types_made, TYPES_MOST = 0, 10000 -- the runtime's own headers make 8000, once
  local function check_types(name)
    local made = tonumber(ffi.typeof(("struct { int next%d; }"):format(types_made)))
    if types_made > 0 and made - types_made > TYPES_MOST then
      counts.failure, file_failed = counts.failure + 1, file_failed + 1
      io.write("\nFAILED: ", name, " makes ", made - types_made, " C types: keep those of functions (ffi.typeof)\n")
    end
    types_made = made
  end

  function handler.fileStart()
    file_passed, file_failed, file_started = 0, 0, clock()
    return nil, true
  end

  function handler.fileEnd(element)
    check_types(element.name)
    io.write(string.format("%-58s %4d passed %s%6.2f s\n", element.name:gsub("^.*/spec/", "spec/"), file_passed,
      file_failed > 0 and string.format("%4d FAILED ", file_failed) or "", clock() - file_started))
    io.flush()
    return nil, true
  end

  function handler.testEnd(element, _, status)
    if status == "success" then
      counts.success, file_passed = counts.success + 1, file_passed + 1
    elseif status == "pending" then
      counts.pending = counts.pending + 1
      io.write("pending: ", handler.getFullName(element), "\n")
    elseif status == "failure" then
      counts.failure, file_failed = counts.failure + 1, file_failed + 1
    elseif status == "error" then
      counts.error, file_failed = counts.error + 1, file_failed + 1
    end
    return nil, true
  end

  function handler.failure(element, _, message, trace)
    trouble("FAILED", element, message, trace)
    return nil, true
  end

  function handler.error(element, _, message, trace)
    -- An error outside of a test (a file that does not load) ends no test, so it is counted here.
    if element.descriptor ~= "it" then
      counts.error, file_failed = counts.error + 1, (file_failed or 0) + 1
    end
    trouble("ERROR", element, message, trace)
    return nil, true
  end

  busted.subscribe({ "file", "start" }, handler.fileStart)
  busted.subscribe({ "file", "end" }, handler.fileEnd)
  busted.subscribe({ "test", "end" }, handler.testEnd, { predicate = handler.cancelOnPending })
  busted.subscribe({ "failure" }, handler.failure)
  busted.subscribe({ "error" }, handler.error)
  return handler
end
