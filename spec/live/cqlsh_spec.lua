-- SPDX-License-Identifier: Apache-2.0
-- The simulated cluster takes cqlsh for what it is: Cassandra's own command line does all of its tricks on it.
local live = require "spec.support.live"
local ports = require "spec.support.ports"
local sim = require "moonpool.sim"
local it = live.inCoroutine(it)

local SCRIPT = [[
CREATE KEYSPACE app WITH replication = {'class': 'NetworkTopologyStrategy', 'datacenter1': 3};
USE app;
CREATE TYPE addr (street text, zip int);
CREATE TABLE t (k int, c int, s int static, a frozen<addr>, v vector<float, 3>, p tuple<int, text>, l list<int>,
  "Odd name" text, PRIMARY KEY (k, c)) WITH CLUSTERING ORDER BY (c DESC) AND comment = 'it''s';
CREATE INDEX ON t (p);
SOURCE '%s';
EXPAND ON;
SELECT * FROM t WHERE k = 1;
EXPAND OFF;
CONSISTENCY QUORUM;
PAGING 7;
SELECT count(*) FROM t;
SELECT k, max(c) AS most FROM t WHERE p = (7, 'x') GROUP BY k;
TRACING ON;
SELECT k FROM t WHERE k = 1;
TRACING OFF;
DESCRIBE KEYSPACES;
DESCRIBE TABLES;
DESCRIBE TYPES;
DESCRIBE CLUSTER;
DESCRIBE TYPE addr;
DESCRIBE TABLE t;
DESCRIBE INDEX t_p_idx;
DESCRIBE KEYSPACE app;
DESCRIBE t;
COPY t (k, c, s, a, v, p, l) TO '%s';
CREATE TABLE u (k int, c int, s int static, a frozen<addr>, v vector<float, 3>, p tuple<int, text>, l list<int>,
  PRIMARY KEY (k, c));
COPY u (k, c, s, a, v, p, l) FROM '%s';
SELECT v AS imported, l FROM u WHERE k = 3 AND c = 1;
SELECT JSON_IS_NOT_TAKEN FROM t;
]]

describe("cqlsh", function()
  it("works against the simulated cluster: DESCRIBE, TRACING, COPY, SOURCE", function()
    local cqlsh = live.cqlsh()
    local cluster = sim.cluster { nodes = 3, port = ports.at(25) }
    local source, copy, script, schema = os.tmpname(), os.tmpname(), os.tmpname(), os.tmpname()
    local function write(path, text)
      local file = assert(io.open(path, "w"))
      file:write(text)
      file:close()
    end
    local rows = {}
    for k = 1, 20 do
      rows[k] = ("INSERT INTO t (k, c, s, a, v, p, l) VALUES (%d, 1, %d, {street: 's%d', zip: %d}, [1, 2, %d], " ..
        "(%d, 'x'), [%d, 2]);"):format(k, k, k, k, k, k, k)
    end
    write(source, table.concat(rows, "\n"))
    write(script, SCRIPT:format(source, copy, copy))
    local function run(arguments)
      -- Its status is 2 when a statement failed, as the last one of the script does.
      local lines, errors = live.run(("HOME=/tmp '%s' --no-color --connect-timeout 60 --request-timeout 60 %s " ..
        "127.0.0.1 %d; [ $? -le 2 ]"):format(cqlsh, arguments, ports.at(25)))
      if lines[1] and lines[1]:find "^WARNING: cqlsh was built against" then table.remove(lines, 1) end
      return table.concat(lines, "\n"), table.concat(errors, "\n")
    end
    local said, failed = run(("-f '%s'"):format(script))
    local function says(text) assert.is_truthy(said:find(text, 1, true), text .. "\n--- in\n" .. said .. failed) end
    says "{street: 's1', zip: 1}"
    says "Consistency level set to QUORUM."
    says "\n    20\n" -- count(*)
    says " k | most\n---+------\n 7 |    1\n"
    says " [1, 2, 3] | [3, 2]"
    says "CREATE INDEX t_p_idx ON app.t (p);"
    says "Tracing session: "
    says "Executing on the replicas"
    says "app  system  system_auth  system_schema  system_traces  system_virtual_schema"
    says "Cluster: "
    says "CREATE TYPE app.addr (\n    street text,\n    zip int\n);"
    says '    "Odd name" text,\n'
    says ") WITH CLUSTERING ORDER BY (c DESC)\n"
    says "    AND comment = 'it''s'\n"
    says "CREATE KEYSPACE app WITH replication = {'class': 'NetworkTopologyStrategy', 'datacenter1': '3'}"
    says "20 rows exported to 1 files"
    says "20 rows imported from 1 files"
    local others = {}
    for line in failed:gmatch "[^\n]+" do
      if not line:find("json_is_not_taken", 1, true) and not line:find "WARNING" then others[#others + 1] = line end
    end
    assert.same({}, others)
    -- What DESCRIBE says makes the keyspace again, on another cluster.
    local described = run "-e 'DESCRIBE KEYSPACE app'"
    cluster:close()
    cluster = sim.cluster { nodes = 3, port = ports.at(25) }
    write(schema, described)
    run(("-f '%s'"):format(schema))
    assert.equal(described, (run "-e 'DESCRIBE KEYSPACE app'"))
    cluster:close()
    for _, path in ipairs { source, copy, script, schema } do os.remove(path) end
  end)
end)
