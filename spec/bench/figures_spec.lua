-- SPDX-License-Identifier: Apache-2.0
-- What becomes of the lines of figures that bench/run gathers: tables, and programs for gnuplot.
local policies = require "spec.support.policies"
local program = require "spec.support.program"

local function sh(command) return program.sh("cd '" .. MOONPOOL_ROOT .. "' && { " .. command .. "; }") end

local function row_of(...)
  local cells = { ... }
  for i, cell in ipairs(cells) do cells[i] = " +" .. tostring(cell):gsub("[%-%.]", "%%%0") .. " +" end
  return "\n|" .. table.concat(cells, "|"):gsub("^ %+", " ") .. "|"
end

local LINES = [[
round=1 client=raw rows=kv version=4 outstanding=64 requests=1000 req_s=3000000 cpu_us=0.3
round=1 client=c rows=kv version=4 outstanding=64 requests=1000 req_s=15e5 cpu_us=0.6 p50_us=50 p99_us=90 allocations=0
round=2 client=raw rows=kv version=4 outstanding=64 requests=1000 req_s=4000000 cpu_us=0.2
round=2 client=c rows=kv version=4 outstanding=64 requests=1000 req_s=1e6 cpu_us=0.8 p50_us=60 p99_us=90 allocations=0
part=rows client=raw rows=kv10k version=4 outstanding=64 requests=10 req_s=100 cpu_us=1
part=rows client=c rows=kv10k version=4 outstanding=64 requests=10 req_s=100 cpu_us=2
part=rows client=lua rows=kv10k version=4 outstanding=64 requests=10 req_s=100 cpu_us=4
part=rows client=raw rows=page version=4 outstanding=6 requests=10 req_s=100 cpu_us=100
part=rows client=lua rows=page version=4 outstanding=6 requests=10 req_s=100 cpu_us=1000
part=rows client=lua rows=pagecount version=4 outstanding=6 requests=10 req_s=100 cpu_us=400
part=nodes nodes=3 client=raw rows=kv version=4 outstanding=1024 requests=10 req_s=100 cpu_us=0.1
part=nodes nodes=3 client=c rows=kv version=4 outstanding=1024 requests=10 req_s=100 cpu_us=0.4
part=nodes nodes=1000 client=raw rows=kv version=4 outstanding=1024 requests=10 req_s=100 cpu_us=2
part=nodes nodes=1000 client=c rows=kv version=4 outstanding=1024 requests=10 req_s=100 cpu_us=4
connect=session nodes=3 ms=11 cpu_ms=1
connect=raw nodes=3 ms=4 cpu_ms=0.1
tls=0 client=c rows=kv version=4 outstanding=64 requests=10 req_s=100 cpu_us=0.5
tls=1 client=c rows=kv version=4 outstanding=64 requests=10 req_s=90 cpu_us=0.6
memory=session nodes=3 bytes=10000 least=1200
memory=statement bytes=900 least=100
memory=coroutine bytes=3000 least=600
memory=connection bytes=2500 least=250
memory=session nodes=13 bytes=90000 least=5200
decision=1 hosts=12 lua_ns=50 c_ns=25 bytes=0
counted=1 hosts=12 lua=600 c=300 loop=100 find=150
]]

describe("figures of the benchmark", function()
  local folder

  before_each(function()
    folder = policies.folder()
    local file = assert(io.open(folder .. "/lines", "w"))
    file:write(LINES)
    file:close()
  end)

  after_each(function() policies.remove(folder) end)

  it("become tables", function()
    local said, status = sh("luajit bench/table.lua " .. folder .. "/lines")
    assert.equal(0, status, said)
    for _, row in ipairs {
      row_of("raw", 64, 3500000, "0.250", "-", "-", "1.000", "1.000", "-", "-", "-"),
      row_of("c", 64, 1250000, "0.700", 55, 90, "0.375", "0.375", 0, "-", "-"),
      row_of("kv10k", 64, "1.000", "2.000", "4.000", "-", "0.500", "0.250"),
      row_of("page", 6, "100.000", "-", "1000.000", "400.000", "-", "0.100"),
      row_of(3, 1024, "0.100", "0.400", "-", "0.250", "-"),
      row_of(1000, 1024, "2.000", "4.000", "-", "0.500", "-"),
      row_of(3, "11.0", "1.00", "4.0", "0.10"),
      row_of("c", 64, "0.500", "0.600", "1.20", "1.20", 90),
      row_of(12, "50.0", "25.0", "2.00", "1.00", 0, 500, 200, 50),
      row_of("host", 8000, 400, "20.0"),
      row_of("connection", 2500, 250, "10.0"),
      row_of("statement", 900, 100, "9.0"),
      row_of("coroutine", 3000, 600, "5.0"),
    } do
      assert.matches(row, said)
    end
    assert.matches("\n\na decision, in 1 fresh processes\n\n", said)
  end)

  it("become programs for gnuplot, one for each part that was measured", function()
    local said, status = sh("luajit bench/plot.lua " .. folder .. "/lines " .. folder)
    assert.equal(0, status, said)
    local names = {}
    for name in said:gmatch "set output '[^\n]*/bench%-(%a+)%.svg'" do names[#names + 1] = name end
    assert.same({ "requests", "rows", "nodes", "connect", "memory" }, names)
    assert.matches('\n64 0%.25 0%.7\nEND', said)
    assert.matches('\n"page" 100 %? 1000\nEND', said)
    assert.matches('\n1000 2 4\nEND', said)
    assert.matches('\n"host" 400 8000\n"connection" 250 2500\n', said)
  end)

  it("are drawn", function()
    if os.execute "command -v gnuplot >/dev/null" ~= 0 then
      pending "gnuplot is not there"
      return
    end
    local said, status = sh(("luajit bench/plot.lua %s/lines %s | gnuplot"):format(folder, folder))
    assert.equal(0, status, said)
    for _, name in ipairs { "requests", "rows", "nodes", "connect", "memory" } do
      local drawn = policies.read(folder .. "/bench-" .. name .. ".svg")
      assert.matches("<svg.*</svg>", drawn)
    end
  end)
end)
