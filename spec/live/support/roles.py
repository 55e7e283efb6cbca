# SPDX-License-Identifier: Apache-2.0
"""One script about roles for the DataStax Python driver, run against the simulated cluster and against a real Cassandra:
what both answer must be the same. Prints the answers as JSON lines on standard output.

usage: roles.py PORT ADDRESS USER PASSWORD
"""
import sys

from told import Server, say

server = Server(sys.argv[1], sys.argv[2])
login = server.login
boss = server.boss(sys.argv[3], sys.argv[4])

for name in ("alice", "bob", "carol", "nopassword", "nologin"):
    boss.execute("DROP ROLE IF EXISTS roles_" + name)
boss.execute("CREATE KEYSPACE IF NOT EXISTS roles_proof WITH replication = "
             "{'class': 'NetworkTopologyStrategy', 'datacenter1': 1}")
boss.execute("CREATE TABLE IF NOT EXISTS roles_proof.t (k int PRIMARY KEY)")
for cql in (
        "CREATE ROLE roles_alice WITH PASSWORD = 'pw' AND LOGIN = true", "CREATE ROLE roles_bob", "CREATE ROLE roles_carol",
        "CREATE ROLE roles_nopassword WITH LOGIN = true", "CREATE ROLE roles_nologin WITH PASSWORD = 'x'",
        "CREATE ROLE roles_alice", "CREATE USER roles_alice", "CREATE ROLE IF NOT EXISTS roles_alice", "CREATE ROLE ''",
        "CREATE ROLE roles_d WITH OPTIONS = {'a': 'b'}", "CREATE ROLE roles_d WITH LOGIN = true AND LOGIN = true",
        "ALTER ROLE roles_nix WITH LOGIN = true", "ALTER ROLE IF EXISTS roles_nix WITH LOGIN = true",
        "ALTER ROLE roles_alice", "DROP ROLE roles_nix", "DROP ROLE IF EXISTS roles_nix", "DROP ROLE " + sys.argv[3],
        "ALTER ROLE %s WITH SUPERUSER = false" % sys.argv[3],
        "GRANT roles_bob TO roles_alice", "GRANT roles_carol TO roles_bob", "GRANT roles_bob TO roles_alice",
        "GRANT roles_alice TO roles_bob", "GRANT roles_alice TO roles_carol", "GRANT roles_nix TO roles_alice",
        "GRANT roles_bob TO roles_nix", "REVOKE roles_carol FROM roles_alice", "LIST ROLES OF roles_alice",
        "LIST ROLES OF roles_alice NORECURSIVE", "LIST ROLES OF roles_nix",
        "SELECT role, can_login, is_superuser, member_of FROM system_auth.roles WHERE role = 'roles_alice'",
        "SELECT * FROM system_auth.role_members WHERE role = 'roles_bob'"):
    say(cql, boss)

# before she is granted anything
login("roles_alice", "wrong")
login("roles_nopassword", "x")
login("roles_nologin", "x")
login("roles_nix", "x")
cluster, alice = login("roles_alice", "pw")
for cql in ("SELECT key FROM system.local", "CREATE ROLE roles_d", "DROP ROLE roles_bob", "GRANT roles_bob TO roles_alice",
            "ALTER ROLE roles_nologin WITH PASSWORD = 'y'", "ALTER ROLE roles_alice WITH SUPERUSER = true",
            "ALTER ROLE roles_alice WITH LOGIN = true", "LIST ROLES", "LIST ROLES OF roles_nologin",
            "LIST ALL PERMISSIONS", "LIST ALL OF roles_nologin", "LIST ALL OF roles_bob"):
    say(cql, alice)
cluster.shutdown()
for cql in (
        "GRANT SELECT, MODIFY ON KEYSPACE roles_proof TO roles_bob", "GRANT ALL ON roles_proof.t TO roles_carol",
        "GRANT ALL ON ALL ROLES TO roles_carol", "GRANT AUTHORIZE ON ROLE roles_bob TO roles_carol",
        "GRANT EXECUTE ON ALL FUNCTIONS TO roles_carol", "LIST ALL PERMISSIONS OF roles_bob",
        "LIST ALL OF roles_carol", "LIST ALL OF roles_alice", "LIST ALL OF roles_alice NORECURSIVE",
        "LIST SELECT ON TABLE roles_proof.t OF roles_bob",
        "SELECT * FROM system_auth.role_permissions WHERE role = 'roles_carol'",
        "REVOKE SELECT ON KEYSPACE roles_proof FROM roles_bob", "LIST ALL OF roles_bob NORECURSIVE",
        "GRANT SELECT ON KEYSPACE roles_proof TO roles_nix", "GRANT SELECT ON KEYSPACE roles_nix TO roles_bob",
        "GRANT SELECT ON roles_proof.nix TO roles_bob", "GRANT SELECT ON ALL ROLES TO roles_bob",
        "GRANT CREATE ON TABLE roles_proof.t TO roles_bob"):
    say(cql, boss)

say("REVOKE roles_bob FROM roles_alice", boss)
for name in ("alice", "bob", "carol", "nopassword", "nologin"):
    say("DROP ROLE roles_" + name, boss)
boss.cluster.shutdown()
