# SPDX-License-Identifier: Apache-2.0
"""One CRUD script for the DataStax Python driver, run against the simulated cluster and against a real Cassandra: what
both answer must be the same. Prints the answers as JSON lines on standard output; exits 1 when something is wrong.

usage: crud.py PROTOCOL_VERSION PORT ADDRESS...       over TLS when CRUD_CA names the authority's certificate
"""
import datetime
import decimal
import json
import os
import ssl
import sys
import time
import uuid

from cassandra import ConsistencyLevel, InvalidRequest
from cassandra.cluster import Cluster, ExecutionProfile, EXEC_PROFILE_DEFAULT
from cassandra.query import BatchStatement, BatchType, SimpleStatement
from cassandra.policies import DCAwareRoundRobinPolicy, TokenAwarePolicy
from cassandra.protocol import SyntaxException

version, port, addresses = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
profile = ExecutionProfile(
    load_balancing_policy=TokenAwarePolicy(DCAwareRoundRobinPolicy("datacenter1")),
    consistency_level=ConsistencyLevel.QUORUM,
    request_timeout=60,
)
tls = None
if os.environ.get("CRUD_CA"):
    tls = ssl.create_default_context(cafile=os.environ["CRUD_CA"])
    tls.check_hostname = False  # the driver asks by address
cluster = Cluster(addresses, ssl_context=tls, port=port, protocol_version=version, execution_profiles={EXEC_PROFILE_DEFAULT: profile},
                  connect_timeout=30, control_connection_timeout=30)
session = cluster.connect()


def plain(value):
    if isinstance(value, (datetime.datetime, decimal.Decimal, uuid.UUID)):
        return str(value)
    if isinstance(value, bytes):
        return value.hex()
    if hasattr(value, "items"):
        return [[plain(k), plain(v)] for k, v in value.items()]
    if isinstance(value, (list, tuple)) or type(value).__name__ == "SortedSet":
        return [plain(v) for v in value]
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)


def say(what, rows):
    print(json.dumps([what, [[list(row._fields), plain(tuple(row))] for row in rows]], sort_keys=True))


def refused(what, cql, kind):
    try:
        session.execute(cql)
    except kind:
        print(json.dumps([what, "refused"]))
    else:
        sys.exit(what + ": was not refused")


session.execute("DROP KEYSPACE IF EXISTS crud_proof")
session.execute("CREATE KEYSPACE crud_proof WITH replication = "
                "{'class': 'NetworkTopologyStrategy', 'datacenter1': 3}")
session.set_keyspace("crud_proof")
session.execute("CREATE TABLE users (id int PRIMARY KEY, name text, age int)")
session.execute("CREATE TABLE events (k text, at int, what text, PRIMARY KEY (k, at)) "
                "WITH CLUSTERING ORDER BY (at DESC)")
session.execute("CREATE TABLE times (k int PRIMARY KEY, t timeuuid)")
session.execute("INSERT INTO times (k, t) VALUES (1, d0a3cbd4-b1c4-11ee-a506-0242ac120002)")
session.execute("CREATE TABLE hits (k text PRIMARY KEY, n counter)")
session.execute("CREATE TABLE kinds (k int PRIMARY KEY, a ascii, b bigint, c blob, d boolean, e decimal, f double, "
                "g inet, h timestamp, i uuid, j varint, k2 smallint, l list<int>, m map<text, int>, s set<text>, "
                "n frozen<map<text, frozen<list<int>>>>)")

# the schema as the driver understood it
table = cluster.metadata.keyspaces["crud_proof"].tables["events"]
print(json.dumps(["schema", [c.name for c in table.partition_key], [c.name for c in table.clustering_key],
                  sorted((n, c.cql_type) for n, c in table.columns.items())]))
print(json.dumps(["hosts", len(cluster.metadata.all_hosts()), len(cluster.metadata.token_map.ring)]))

insert = session.prepare("INSERT INTO users (id, name, age) VALUES (?, ?, ?)")
for i in range(50):
    session.execute(insert, (i, "user %d" % i, i * 2))
select = session.prepare("SELECT id, name, age FROM users WHERE id = ?")
say("read", [session.execute(select, (i,)).one() for i in (0, 7, 49)])
say("missing", session.execute(select, (1000,)))
session.execute("UPDATE users SET age = %s WHERE id = %s", (99, 7))
session.execute("DELETE name FROM users WHERE id = 8")
session.execute("DELETE FROM users WHERE id = 9")
say("changed", [row for i in (7, 8, 9) for row in session.execute(select, (i,))])
say("count", session.execute("SELECT count(*) FROM users"))
# The ring's order is the same, because the partitioner is.
scan = session.prepare("SELECT id, token(id) FROM users")
scan.fetch_size = 7
say("pages", session.execute(scan))

for at in range(1, 21):
    session.execute("INSERT INTO events (k, at, what) VALUES ('a', %s, %s)", (at, "event %d" % at))
say("range", session.execute("SELECT at, what FROM events WHERE k = 'a' AND at > 3 AND at <= 6"))
say("limit", session.execute("SELECT at FROM events WHERE k = 'a' ORDER BY at ASC LIMIT 3"))
session.execute("DELETE FROM events WHERE k = 'a' AND at > 5")
say("range deleted", session.execute("SELECT at FROM events WHERE k = 'a'"))

# groups, and functions of columns
say("groups", session.execute("SELECT k, count(*), min(at), max(what) FROM events GROUP BY k"))
say("groups of rows", session.execute("SELECT at, count(what) FROM events WHERE k = 'a' GROUP BY at LIMIT 3"))
say("one group", session.execute("SELECT max(at) AS most, k, what FROM events"))
say("no group", session.execute("SELECT max(at), k FROM events WHERE k = 'nobody'"))
refused("a part of the key", "SELECT count(*) FROM events GROUP BY at", InvalidRequest)
refused("no key", "SELECT count(*) FROM events GROUP BY what", InvalidRequest)
say("functions", session.execute("SELECT toDate(t), toTimestamp(t), toUnixTimestamp(t) FROM times"))

for _ in range(5):
    session.execute("UPDATE hits SET n = n + 3 WHERE k = 'x'")
session.execute("UPDATE hits SET n = n - 1 WHERE k = 'x'")
say("counter", session.execute("SELECT * FROM hits"))

kinds = session.prepare("INSERT INTO kinds (k, a, b, c, d, e, f, g, h, i, j, k2, l, m, s, n) "
                        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
session.execute(kinds, (1, "ascii", 2 ** 62, b"\x00\xff", True, decimal.Decimal("-12.50"), 1.5, "127.0.0.1",
                        datetime.datetime(2024, 2, 29, 12, 30, 0, 5000), uuid.UUID(int=2 ** 100), -(2 ** 70), -3,
                        [3, 1, 2], {"b": 2, "a": 1}, {"y", "x"}, {"k": [1, 2]}))
session.execute("INSERT INTO kinds (k, a, l) VALUES (2, null, [])")
say("types", session.execute("SELECT * FROM kinds WHERE k IN (1, 2)"))
session.execute("UPDATE kinds SET l = l + [9] WHERE k = 1")
session.execute("UPDATE kinds SET l = [0] + l WHERE k = 1")
session.execute("UPDATE kinds SET l = l - [1], m['c'] = 3, s = s + {'z'} WHERE k = 1")
session.execute("DELETE m['a'] FROM kinds WHERE k = 1")
say("collections", session.execute("SELECT l, m, s FROM kinds WHERE k = 1"))

# users' types, tuples and vectors, by literals and bound
session.execute("CREATE TYPE addr (street text, zip int, tags frozen<set<text>>)")
session.execute("CREATE TYPE person (name text, home frozen<addr>)")
session.execute("CREATE TABLE made (k int PRIMARY KEY, a addr, f frozen<person>, t tuple<int, text>, "
                "v vector<float, 3>, w vector<text, 2>, l list<frozen<addr>>, m map<text, frozen<tuple<int, int>>>)")
session.execute("INSERT INTO made (k, a, f, t, v, w, l, m) VALUES (1, {street: 's', zip: 5}, "
                "{name: 'ana', home: {tags: {'y', 'x'}}}, (1, 'a'), [1, -0.5, 2], ['', 'ab'], [{zip: 1}, {zip: null}], "
                "{'p': (1, 2)})")
say("made", session.execute("SELECT * FROM made"))
stored = session.execute("SELECT a, f, t, v, w, l, m FROM made WHERE k = 1").one()
session.execute(session.prepare("INSERT INTO made (k, a, f, t, v, w, l, m) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"),
                [2] + list(stored))
say("made of what was read", session.execute("SELECT * FROM made WHERE k = 2"))
say("fields", session.execute("SELECT a.zip, f.home.tags, a.street AS road FROM made WHERE k = 1"))
session.execute("UPDATE made SET a.zip = 6, t = (null, 'b') WHERE k = 1")
session.execute("DELETE a.street FROM made WHERE k = 1")
say("field changed", session.execute("SELECT a, t FROM made WHERE k = 1"))
session.execute("UPDATE made SET l = l + [{street: 'z'}] WHERE k = 1")
say("in a list", session.execute("SELECT l FROM made WHERE k = 1"))
session.execute("ALTER TYPE addr ADD country text")
session.execute("UPDATE made SET a.country = 'c' WHERE k = 1")
say("grown", session.execute(session.prepare("SELECT a, f, l FROM made WHERE k = ?"), (1,)))
say("told", session.execute("SELECT column_name, type FROM system_schema.columns WHERE keyspace_name = 'crud_proof' "
                            "AND table_name = 'made' AND column_name IN ('a', 'f', 'l', 'm', 't', 'v', 'w')"))
say("types told", session.execute("SELECT type_name, field_names, field_types FROM system_schema.types "
                                  "WHERE keyspace_name = 'crud_proof'"))
refused("an empty literal", "INSERT INTO made (k, a) VALUES (1, {})", InvalidRequest)
refused("no such field", "INSERT INTO made (k, a) VALUES (1, {zap: 1})", InvalidRequest)
refused("a frozen field", "UPDATE made SET f.name = 'x' WHERE k = 1", InvalidRequest)
refused("too long a vector", "INSERT INTO made (k, v) VALUES (1, [1, 2, 3, 4])", InvalidRequest)
refused("too long a tuple", "INSERT INTO made (k, t) VALUES (1, (1, 'a', 2))", InvalidRequest)
refused("a type in use", "DROP TYPE addr", InvalidRequest)

# indexes
session.execute("CREATE TABLE found (k int, c int, v int, w text, t set<text>, m map<text, int>, PRIMARY KEY (k, c))")
for at in range(6):
    session.execute("INSERT INTO found (k, c, v, w, t, m) VALUES (%s, %s, %s, 'w', {'x'}, {'p': 1})", (at % 2, at, at % 3))
refused("without an index", "SELECT * FROM found WHERE v = 1", InvalidRequest)
for target in ("v", "w", "KEYS(m)", "t"):
    session.execute("CREATE INDEX ON found (%s)" % target)
session.execute("CREATE INDEX IF NOT EXISTS found_v_idx ON found (v)")
refused("the same index", "CREATE INDEX another ON found (v)", InvalidRequest)
refused("an index on the key", "CREATE INDEX ON found (k)", InvalidRequest)
say("indexes", session.execute("SELECT * FROM system_schema.indexes WHERE keyspace_name = 'crud_proof'"))
print(json.dumps(["indexes as the driver understood them", sorted(
    (index.name, index.kind) for index in cluster.metadata.keyspaces["crud_proof"].tables["found"].indexes.values())]))
# An index of a real node may still be building.
deadline = time.monotonic() + 30
while time.monotonic() < deadline:
    try:
        if [len(list(session.execute("SELECT * FROM found WHERE " + one))) for one in
                ("v = 1", "w = 'w'", "m CONTAINS KEY 'p'", "t CONTAINS 'x'")] == [2, 6, 6, 6]:
            break
    except Exception:
        pass
    time.sleep(0.2)
say("by an index", session.execute("SELECT k, c FROM found WHERE v = 1"))
say("by an index and the key", session.execute("SELECT k, c FROM found WHERE v = 1 AND k = 0"))
say("by the keys of a map", session.execute("SELECT k, c FROM found WHERE m CONTAINS KEY 'p'"))
say("by an entry of a map", session.execute("SELECT k, c FROM found WHERE v = 1 AND m['p'] = 1 ALLOW FILTERING"))
refused("by an entry without an index", "SELECT k, c FROM found WHERE m['p'] = 1", InvalidRequest)
refused("by an entry of no map", "SELECT k, c FROM found WHERE t['x'] = 1", InvalidRequest)
refused("by two indexes", "SELECT * FROM found WHERE v = 1 AND w = 'w'", InvalidRequest)
refused("a range", "SELECT * FROM found WHERE v > 1", InvalidRequest)
refused("in order", "SELECT * FROM found WHERE k = 1 AND v = 1 ORDER BY c DESC", InvalidRequest)
refused("several keys", "SELECT * FROM found WHERE k IN (0, 1) AND v = 1", InvalidRequest)
refused("beside a column of the key", "SELECT * FROM found WHERE c > 0 AND v = 1", InvalidRequest)
refused("twice", "SELECT * FROM found WHERE v > 0 AND v = 1", InvalidRequest)
session.execute("DROP INDEX found_v_idx")
refused("no index", "DROP INDEX found_v_idx", InvalidRequest)
refused("without it", "SELECT * FROM found WHERE v = 1", InvalidRequest)
say("described", session.execute("DESCRIBE INDEX found_w_idx"))

# static columns
session.execute("CREATE TABLE parts (k int, c int, s text STATIC, v int, PRIMARY KEY (k, c))")
session.execute("INSERT INTO parts (k, s) VALUES (1, 'only')")
say("a static column alone", session.execute("SELECT * FROM parts"))
for at in range(3):
    session.execute("INSERT INTO parts (k, c, v) VALUES (1, %s, %s)", (at, at * 10))
say("a static column", session.execute("SELECT * FROM parts WHERE k = 1"))
session.execute("UPDATE parts SET s = 'other' WHERE k = 1")
session.execute("DELETE FROM parts WHERE k = 1 AND c >= 1")
say("static after", session.execute("SELECT * FROM parts WHERE k = 1"))
say("static condition", session.execute("UPDATE parts SET s = 'x' WHERE k = 1 IF s = 'nobody'"))
say("static condition met", session.execute("UPDATE parts SET s = 'x' WHERE k = 1 IF s = 'other'"))
say("both partitions", session.execute("SELECT k, c FROM parts WHERE k IN (1, 2)"))
say("distinct", session.execute("SELECT DISTINCT k, s FROM parts"))

# batches
batch = BatchStatement(BatchType.UNLOGGED)
for at in range(5, 8):
    batch.add(SimpleStatement("INSERT INTO parts (k, c, v) VALUES (2, %s, 0)"), (at,))
batch.add(session.prepare("INSERT INTO parts (k, c, v) VALUES (?, ?, ?)"), (2, 9, 90))
session.execute(batch)
say("batch", session.execute("SELECT c, v FROM parts WHERE k = 2"))

# a trace: its times are its own, that it is there is not
traced = session.execute("SELECT s FROM parts WHERE k = 1", trace=True)
trace = traced.get_query_trace(max_wait_sec=20)
print(json.dumps(["trace", trace.request_type, len(trace.events) > 1, trace.coordinator in addresses]))

say("applied", session.execute("INSERT INTO users (id, name) VALUES (500, 'once') IF NOT EXISTS"))
say("not applied", session.execute("INSERT INTO users (id, name) VALUES (500, 'twice') IF NOT EXISTS"))
say("condition", session.execute("UPDATE users SET age = 1 WHERE id = 500 IF name = 'nobody'"))
say("condition met", session.execute("UPDATE users SET age = 1 WHERE id = 500 IF name = 'once'"))

session.execute("INSERT INTO users (id, name) VALUES (600, 'old') USING TIMESTAMP 2000")
session.execute("INSERT INTO users (id, name) VALUES (600, 'older') USING TIMESTAMP 1000")
say("time", session.execute("SELECT name, writetime(name) FROM users WHERE id = 600"))

star = session.prepare("SELECT * FROM users WHERE id = ?")
say("before alter", session.execute(star, (7,)))
session.execute("ALTER TABLE users ADD mail text")
session.execute("UPDATE users SET mail = 'm' WHERE id = 7")
say("after alter", session.execute(session.prepare("SELECT * FROM users WHERE id = ?"), (7,)))

refused("syntax", "SELEKT * FROM users", SyntaxException)
refused("no table", "SELECT * FROM nowhere", InvalidRequest)
refused("no column", "SELECT nothing FROM users", InvalidRequest)
refused("filtering", "SELECT * FROM users WHERE age = 1", InvalidRequest)
refused("key missing", "UPDATE events SET what = 'x' WHERE k = 'a'", InvalidRequest)
refused("wrong type", "INSERT INTO users (id) VALUES ('text')", InvalidRequest)

session.execute("TRUNCATE users")
say("truncated", session.execute("SELECT * FROM users"))
session.execute("DROP KEYSPACE crud_proof")
# A busy node tells of it late; the driver believes what its control connection was told.
deadline = time.monotonic() + 30
while "crud_proof" in cluster.metadata.keyspaces and time.monotonic() < deadline:
    time.sleep(0.2)
    cluster.refresh_schema_metadata(max_schema_agreement_wait=10)
print(json.dumps(["dropped", "crud_proof" not in cluster.metadata.keyspaces]))
cluster.shutdown()
