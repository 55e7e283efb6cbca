# SPDX-License-Identifier: Apache-2.0
"""Who may do what, for the DataStax Python driver, run against the simulated cluster and against a real Cassandra: what
both answer must be the same. Prints the answers as JSON lines on standard output.

usage: permissions.py PORT ADDRESS USER PASSWORD
"""
import sys

from cassandra.query import BatchStatement

from told import Server, say

server = Server(sys.argv[1], sys.argv[2])
boss = server.boss(sys.argv[3], sys.argv[4])
REPLICATED = " WITH replication = {'class': 'NetworkTopologyStrategy', 'datacenter1': 1}"
ROLES = ("anne", "between", "above", "made", "other")
KEYSPACES = ("perm", "other", *("perm%d_made" % number for number in range(1, 9)))


def batch(*statements):
    out = BatchStatement()
    for cql in statements:
        out.add(cql)
    return out


STATEMENTS = (
    "SELECT v FROM perm.t WHERE k = 1", "SELECT v FROM perm.u WHERE k = 1", "SELECT nix FROM perm.t",
    "SELECT v FROM perm.nix", "SELECT count(*) FROM other.t",
    "INSERT INTO perm.t (k, v) VALUES (1, 1)", "INSERT INTO perm.t (k, v) VALUES (1, 1) IF NOT EXISTS",
    "UPDATE perm.t SET v = 2 WHERE k = 1", "UPDATE perm.t SET v = 2 WHERE k = 1 IF v = 7",
    "DELETE FROM perm.t WHERE k = 2", "DELETE FROM perm.t WHERE k = 1 IF EXISTS", "UPDATE perm.c SET n = n + 0 WHERE k = 1",
    batch("INSERT INTO perm.t (k, v) VALUES (1, 1)", "INSERT INTO perm.u (k, v) VALUES (1, 1)"),
    batch("INSERT INTO perm.u (k, v) VALUES (1, 1)", "INSERT INTO perm.t (k, v) VALUES (1, 1)"),
    "TRUNCATE perm.t",
    "CREATE TABLE perm.made (k int PRIMARY KEY)", "CREATE TABLE perm.t (k int PRIMARY KEY)",
    "CREATE TABLE IF NOT EXISTS perm.t (k int PRIMARY KEY)", "CREATE TABLE nix.t (k int PRIMARY KEY)",
    "ALTER TABLE perm.made ADD w int", "ALTER TABLE perm.u ADD v int", "ALTER TABLE perm.nix ADD v int",
    "CREATE INDEX made_v ON perm.t (v)", "DROP INDEX perm.made_v", "DROP INDEX perm.nix", "DROP INDEX IF EXISTS perm.nix",
    "CREATE TYPE perm.made_type (a int)", "ALTER TYPE perm.made_type ADD b int", "DROP TYPE perm.made_type",
    "DROP TYPE perm.nix", "DROP TABLE perm.made", "DROP TABLE perm.nix", "DROP TABLE IF EXISTS perm.nix",
    "CREATE KEYSPACE perm_made" + REPLICATED, "CREATE KEYSPACE IF NOT EXISTS perm" + REPLICATED,
    "CREATE TABLE perm_made.t (k int PRIMARY KEY)", "SELECT k FROM perm_made.t", "LIST ALL OF perm_anne",
    "ALTER KEYSPACE perm" + REPLICATED, "ALTER KEYSPACE nix" + REPLICATED, "DROP KEYSPACE perm_made",
    "DROP KEYSPACE nix", "DROP KEYSPACE IF EXISTS nix",
    "SELECT key FROM system.local", "SELECT peer FROM system.peers", "SELECT peer FROM system.peers_v2",
    "SELECT keyspace_name FROM system_schema.keyspaces WHERE keyspace_name = 'perm'",
    "SELECT keyspace_name FROM system_virtual_schema.keyspaces WHERE keyspace_name = 'system_virtual_schema'",
    "SELECT role FROM system_auth.roles WHERE role = 'perm_anne'", "SELECT * FROM system_auth.role_members WHERE role = 'x'",
    "SELECT * FROM system_auth.role_permissions WHERE role = 'x'",
    "SELECT parameters FROM system_traces.sessions WHERE session_id = 00000000-0000-1000-8000-000000000000",
    "SELECT activity FROM system_traces.events WHERE session_id = 00000000-0000-1000-8000-000000000000",
    "CREATE TABLE system.made (k int PRIMARY KEY)", "DROP TABLE system.local", "DROP KEYSPACE system",
    "DROP TABLE system_auth.roles", "CREATE TABLE system_traces.made (k int PRIMARY KEY)", "ALTER TABLE system_auth.roles ADD v int",
    "USE perm", "USE nix",
    "CREATE ROLE perm_made", "CREATE ROLE perm_other WITH SUPERUSER = true", "CREATE ROLE IF NOT EXISTS perm_above",
    "ALTER ROLE perm_above WITH LOGIN = true",
    "ALTER ROLE perm_made WITH LOGIN = true", "ALTER ROLE perm_made WITH SUPERUSER = true",
    "ALTER ROLE perm_anne WITH LOGIN = true",
    "GRANT perm_made TO perm_above", "REVOKE perm_made FROM perm_above", "GRANT perm_above TO perm_made",
    "REVOKE perm_above FROM perm_made",
    "GRANT SELECT ON perm.t TO perm_made", "GRANT SELECT ON KEYSPACE perm TO perm_made",
    "GRANT DESCRIBE ON ALL ROLES TO perm_made", "GRANT EXECUTE ON ALL FUNCTIONS IN KEYSPACE perm TO perm_made",
    "REVOKE SELECT ON perm.t FROM perm_made",
    "LIST ROLES OF perm_made", "LIST ALL OF perm_made", "LIST ALL PERMISSIONS OF perm_above", "LIST ALL ON perm.t",
    "LIST ROLES OF perm_anne", "LIST USERS",
    "DROP ROLE perm_made", "DROP ROLE perm_nix", "DROP ROLE IF EXISTS perm_nix",
    "DROP ROLE perm_other",
)


def clean():
    for name in KEYSPACES:
        boss.execute("DROP KEYSPACE IF EXISTS " + name)


# Names of roles are of one set of grants: what is known of a role a real server goes by for a while.
def everything(number, *grants):
    def named(cql):
        return cql.replace("perm_", "perm%d_" % number) if isinstance(cql, str) else cql

    clean()
    for name in ROLES:
        boss.execute(named("DROP ROLE IF EXISTS perm_" + name))
    for cql in (*("CREATE KEYSPACE " + name + REPLICATED for name in ("perm", "other")),
                "CREATE TABLE perm.t (k int PRIMARY KEY, v int)", "CREATE TABLE perm.u (k int PRIMARY KEY, v int)",
                "CREATE TABLE perm.c (k int PRIMARY KEY, n counter)", "CREATE TABLE other.t (k int PRIMARY KEY)",
                "CREATE ROLE perm_anne WITH PASSWORD = 'pw' AND LOGIN = true", "CREATE ROLE perm_between",
                "CREATE ROLE perm_above", "GRANT perm_above TO perm_between", "GRANT perm_between TO perm_anne", *grants):
        boss.execute(named(cql))
    cluster, anne = server.login(named("perm_anne"), "pw")
    for cql in STATEMENTS:
        say(named(cql), anne, "; ".join(grants))
    for cql in ("LIST ALL ON perm.t OF perm_anne", "LIST ALL ON perm.t OF perm_anne NORECURSIVE", "LIST ALL OF perm_anne"):
        say(named(cql), boss, "; ".join(grants))
    cluster.shutdown()
    for name in ROLES:
        boss.execute(named("DROP ROLE IF EXISTS perm_" + name))
    clean()


everything(1)
everything(2, "GRANT SELECT ON perm.t TO perm_anne", "GRANT CREATE ON KEYSPACE perm TO perm_above",
           "GRANT DROP ON KEYSPACE perm TO perm_above")
everything(3, "GRANT MODIFY ON perm.t TO perm_above", "GRANT ALTER ON KEYSPACE perm TO perm_anne",
           "GRANT CREATE ON ALL TABLES IN KEYSPACE perm TO perm_anne")
everything(4, "GRANT MODIFY ON perm.t TO perm_above", "GRANT SELECT ON ALL TABLES IN KEYSPACE perm TO perm_between",
           "GRANT CREATE ON ALL KEYSPACES TO perm_anne", "GRANT CREATE ON ALL ROLES TO perm_anne")
everything(5, "GRANT ALL ON ALL KEYSPACES TO perm_anne", "GRANT DESCRIBE ON ALL ROLES TO perm_anne",
           "GRANT ALL ON ROLE perm_above TO perm_anne", "GRANT SELECT ON KEYSPACE system_auth TO perm_between")
everything(6, "GRANT ALL ON ALL ROLES TO perm_anne", "GRANT AUTHORIZE ON perm.t TO perm_anne")
everything(7, "GRANT AUTHORIZE ON KEYSPACE perm TO perm_anne", "GRANT SELECT ON perm.t TO perm_anne",
           "GRANT CREATE ON ALL ROLES TO perm_anne")
everything(8, "ALTER ROLE perm_above WITH SUPERUSER = true")
boss.execute("CREATE ROLE IF NOT EXISTS perm_system")
for permission in ("CREATE", "ALTER", "DROP", "SELECT", "MODIFY", "AUTHORIZE", "ALL"):
    for resource in ("KEYSPACE system", "KEYSPACE system_auth", "system_schema.tables",
                     "ALL TABLES IN KEYSPACE system_traces", "ALL FUNCTIONS IN KEYSPACE system"):
        say("GRANT %s ON %s TO perm_system" % (permission, resource), boss)
boss.execute("DROP ROLE perm_system")
boss.cluster.shutdown()
