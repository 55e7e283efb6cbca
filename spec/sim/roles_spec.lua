-- SPDX-License-Identifier: Apache-2.0
-- Roles of the simulated Cassandra: what a real one (5.0.9, PasswordAuthenticator, CassandraAuthorizer) answers to
-- statements about them, and who may log in.
local it_in = require("spec.support.world").inside(it)

local GUARDED = { user = "cassandra", password = "secret" }

local function as(world, name, password)
  return world:newPool { auth = { username = name, password = password }, keyspace = "ks" }
end

local function boss(world)
  local pool = as(world, "cassandra", "secret")
  assert(pool:connect())
  return pool
end

local function all(pool, ...)
  for _, cql in ipairs { ... } do
    local ok, err = pool:execute(cql)
    if not ok then error(cql .. ": " .. tostring(err), 2) end
  end
end

local function refused(pool, cases)
  for cql, why in pairs(cases) do
    local result, err = pool:execute(cql)
    assert.is_nil(result, cql)
    assert.matches(why, err.message, 1, true)
  end
end

-- The rows as texts; columns by name.
local function rows(pool, cql, ...)
  local out = {}
  for i, row in ipairs(assert(pool:execute(cql)).rows) do
    local cells = {}
    for k, name in ipairs { ... } do
      local value = row[name]
      cells[k] = type(value) == "table" and "{" .. table.concat(value, ",") .. "}" or tostring(value)
    end
    out[i] = table.concat(cells, " ")
  end
  return out
end

-- Why nobody of that name gets in; nil: he does.
local function login(world, name, password)
  local pool = as(world, name, password)
  local ok, err = pool:connect()
  pool:close()
  return not ok and tostring(err) or nil
end

describe("roles of the simulated cluster", function()
  it_in("log in as long as they may, with their password", GUARDED, function(world)
    local pool = boss(world)
    all(pool, "CREATE ROLE alice WITH PASSWORD = 'pw' AND LOGIN = true", "CREATE ROLE nopw WITH LOGIN = true",
      "CREATE ROLE nologin WITH PASSWORD = 'x'", "CREATE USER eve WITH PASSWORD 'e'",
      "CREATE ROLE 'Strange One' WITH SUPERUSER = true AND LOGIN = true AND PASSWORD = 'it''s'")
    assert.is_nil(login(world, "alice", "pw"))
    assert.is_nil(login(world, "eve", "e"))
    assert.is_nil(login(world, "Strange One", "it's"))
    assert.matches("Provided username alice and/or password are incorrect", login(world, "alice", "pw2"), 1, true)
    assert.matches("Provided username nopw and/or password are incorrect", login(world, "nopw", ""), 1, true)
    assert.matches("nologin is not permitted to log in", login(world, "nologin", "x"), 1, true)
    assert.matches("Provided username nix", login(world, "nix", "x"), 1, true)
    all(pool, "ALTER ROLE alice WITH PASSWORD = 'pw2'")
    assert.matches("Provided username alice", login(world, "alice", "pw"), 1, true)
    assert.is_nil(login(world, "alice", "pw2"))
    all(pool, "ALTER ROLE alice WITH LOGIN = false", "DROP USER eve")
    assert.matches("alice is not permitted to log in", login(world, "alice", "pw2"), 1, true)
    assert.matches("Provided username eve", login(world, "eve", "e"), 1, true)
    world.cluster:setPassword "another"
    assert.is_nil(login(world, "cassandra", "another"))
    all(pool, "SELECT key FROM system.local") -- who is in stays in
  end)

  it_in("log in by rounds, too", { user = "cassandra", password = "secret", authRounds = 2 }, function(world)
    local function xor(a, b)
      local out = {}
      for i = 1, #a do out[i] = string.char(bit.bxor(a:byte(i), b:byte((i - 1) % #b + 1))) end
      return table.concat(out)
    end
    local function rounds(name, password)
      local pool = world:newPool { keyspace = "ks", auth = { authenticator = {
        initialResponse = function() return name end,
        evaluateChallenge = function(challenge) return xor(challenge, password) end,
      } } }
      return pool:connect() and pool
    end
    all(rounds("cassandra", "secret"), "CREATE ROLE alice WITH PASSWORD = 'pw' AND LOGIN = true",
      "CREATE ROLE nopw WITH LOGIN = true", "CREATE ROLE nologin WITH PASSWORD = 'x'")
    assert.is_truthy(rounds("alice", "pw"))
    for name, password in pairs { alice = "secret", nopw = "x", nologin = "x", nix = "pw" } do
      assert.is_nil(rounds(name, password))
    end
  end)

  it_in("are listed, and told by system_auth", GUARDED, function(world)
    local pool = boss(world)
    all(pool, "CREATE ROLE alice WITH PASSWORD = 'pw' AND LOGIN = true", "CREATE ROLE bob", "CREATE ROLE Upper",
      'CREATE ROLE "Quoted" WITH LOGIN = true', "CREATE ROLE IF NOT EXISTS alice WITH PASSWORD = 'again'",
      "GRANT bob TO alice", "GRANT upper TO bob")
    assert.is_nil(login(world, "alice", "pw"))
    assert.same({ "Quoted false true ALL", "alice false true ALL", "bob false false ALL", "cassandra true true ALL",
      "upper false false ALL" }, rows(pool, "LIST ROLES", "role", "super", "login", "datacenters"))
    assert.same({ "alice", "bob", "upper" }, rows(pool, "LIST ROLES OF alice", "role"))
    assert.same({ "alice", "bob" }, rows(pool, "LIST ROLES OF alice NORECURSIVE", "role"))
    assert.same({ "Quoted false ALL", "alice false ALL", "cassandra true ALL" },
      rows(pool, "LIST USERS", "name", "super", "datacenters"))
    local types = {}
    for i, column in ipairs(assert(pool:execute "LIST ROLES").columns) do types[i] = column.type end
    assert.same({ "text", "boolean", "boolean", "map<text, text>", "text" }, types)
    assert.same({ "Quoted false true nil", "alice false true {bob}", "bob false false {upper}",
      "cassandra true true nil", "upper false false nil" },
      rows(pool, "SELECT * FROM system_auth.roles", "role", "is_superuser", "can_login", "member_of"))
    local hash = rows(pool, "SELECT salted_hash FROM system_auth.roles WHERE role = 'alice'", "salted_hash")[1]
    assert.matches("^%$2a%$10%$" .. ("[%w./]"):rep(53) .. "$", hash)
    assert.same({ "bob alice", "upper bob" }, rows(pool, "SELECT * FROM system_auth.role_members", "role", "member"))
    all(pool, "REVOKE bob FROM alice", "DROP ROLE upper", "DROP ROLE IF EXISTS upper")
    assert.same({ "alice" }, rows(pool, "LIST ROLES OF alice", "role"))
    assert.same({}, rows(pool, "SELECT * FROM system_auth.role_members", "role"))
  end)

  it_in("are granted permissions, which are kept and told", GUARDED, function(world)
    world:schema "CREATE TABLE ks.g (k int PRIMARY KEY)"
    local pool = boss(world)
    all(pool, "CREATE ROLE bob", "CREATE ROLE c1", "GRANT SELECT, MODIFY ON KEYSPACE ks TO bob",
      "GRANT SELECT PERMISSION ON KEYSPACE ks TO bob", "REVOKE ALL ON ALL KEYSPACES FROM bob",
      "GRANT ALL ON ALL ROLES TO c1",
      "GRANT AUTHORIZE ON ROLE bob TO c1", "GRANT EXECUTE ON ALL FUNCTIONS TO c1", "GRANT ALL PERMISSIONS ON g TO c1",
      "GRANT CREATE, SELECT ON ALL TABLES IN KEYSPACE ks TO c1")
    local function listed(cql) return rows(pool, cql, "role", "username", "resource", "permission") end
    assert.same({ "bob bob <keyspace ks> SELECT", "bob bob <keyspace ks> MODIFY" },
      listed "LIST ALL PERMISSIONS OF bob")
    assert.same({ "c1 c1 <all tables in ks> CREATE", "c1 c1 <all tables in ks> SELECT", "c1 c1 <table ks.g> ALTER",
      "c1 c1 <table ks.g> DROP", "c1 c1 <table ks.g> SELECT", "c1 c1 <table ks.g> MODIFY",
      "c1 c1 <table ks.g> AUTHORIZE", "c1 c1 <table ks.g> UNMASK", "c1 c1 <table ks.g> SELECT_MASKED",
      "c1 c1 <all functions> EXECUTE", "c1 c1 <all roles> CREATE", "c1 c1 <all roles> ALTER", "c1 c1 <all roles> DROP",
      "c1 c1 <all roles> AUTHORIZE", "c1 c1 <all roles> DESCRIBE", "c1 c1 <role bob> AUTHORIZE" },
      listed "LIST ALL OF c1")
    assert.same({ "bob bob <keyspace ks> SELECT", "c1 c1 <all tables in ks> SELECT", "c1 c1 <table ks.g> SELECT" },
      listed "LIST SELECT ON TABLE ks.g")
    assert.same({ "c1 c1 <table ks.g> SELECT" }, listed "LIST SELECT ON ks.g NORECURSIVE")
    all(pool, "GRANT bob TO c1")
    assert.equal(16 + 2, #listed "LIST ALL OF c1")
    assert.equal(16 + 2, #listed "LIST ALL OF c1 NORECURSIVE")
    assert.same({ "bob data/ks {MODIFY,SELECT}", "c1 data/ks/* {CREATE,SELECT}",
      "c1 data/ks/g {ALTER,AUTHORIZE,DROP,MODIFY,SELECT,SELECT_MASKED,UNMASK}", "c1 functions {EXECUTE}",
      "c1 roles {ALTER,AUTHORIZE,CREATE,DESCRIBE,DROP}", "c1 roles/bob {AUTHORIZE}",
      "cassandra roles/bob {ALTER,AUTHORIZE,DESCRIBE,DROP}", "cassandra roles/c1 {ALTER,AUTHORIZE,DESCRIBE,DROP}" },
      rows(pool, "SELECT * FROM system_auth.role_permissions", "role", "resource", "permissions"))
    all(pool, "REVOKE SELECT ON KEYSPACE ks FROM bob", "REVOKE ALL ON KEYSPACE ks FROM bob")
    assert.same({}, listed "LIST ALL OF bob")
    refused(pool, { ["GRANT SELECT ON KEYSPACE ks TO nix"] = "Role nix doesn't exist",
      ["GRANT SELECT ON KEYSPACE nix TO bob"] = "Resource <keyspace nix> doesn't exist",
      ["GRANT SELECT ON ks.nix TO bob"] = "Resource <table ks.nix> doesn't exist",
      ["GRANT SELECT ON ALL ROLES TO bob"] =
        "Resource type RoleResource does not support any of the requested permissions",
      ["GRANT CREATE ON TABLE g TO bob"] =
        "Resource type DataResource does not support any of the requested permissions",
      ["GRANT NIX ON KEYSPACE ks TO bob"] = "expected a permission",
      ["GRANT SELECT ON ALL NIX TO bob"] = "expected KEYSPACES",
      ["GRANT SELECT ON ALL TABLES TO bob"] = "expected IN KEYSPACE", ["LIST NIX"] = "expected a permission" })
  end)

  it_in("are refused where Cassandra refuses them, in its words", GUARDED, function(world)
    local pool = boss(world)
    all(pool, "CREATE ROLE alice WITH PASSWORD = 'pw' AND LOGIN = true", "CREATE ROLE bob", "CREATE ROLE c1",
      "GRANT bob TO alice", "GRANT c1 TO bob", "ALTER ROLE IF EXISTS nix WITH LOGIN = true")
    refused(pool, { ["CREATE ROLE alice"] = "alice already exists", ["CREATE USER alice"] = "alice already exists",
      ["CREATE ROLE ''"] = "Role name can't be an empty string", ["LIST ROLES OF nix"] = "<role nix> doesn't exist",
      ["GRANT bob TO alice"] = "alice is a member of bob", ["GRANT alice TO bob"] = "alice is a member of bob",
      ["GRANT alice TO c1"] = "alice is a member of c1", ["GRANT c1 TO alice"] = "alice is a member of c1",
      ["GRANT nix TO alice"] = "nix doesn't exist", ["GRANT bob TO nix"] = "nix doesn't exist",
      ["REVOKE c1 FROM alice"] = "alice is not a member of c1", ["ALTER ROLE nix WITH LOGIN = true"] =
        "Role nix doesn't exist", ["ALTER ROLE alice"] = "ALTER [ROLE|USER] can't be empty", ["DROP ROLE nix"] =
        "nix doesn't exist", ["DROP ROLE cassandra"] = "Cannot DROP primary role for current login",
      ["ALTER ROLE cassandra WITH SUPERUSER = false"] = "You aren't allowed to alter your own superuser status",
      ["CREATE ROLE d WITH OPTIONS = {'a': 'b'}"] = "CassandraRoleManager doesn't support OPTIONS",
      ["CREATE ROLE d WITH LOGIN = 1"] = "expected true or false",
      ["CREATE ROLE d WITH NIX = true"] = "expected PASSWORD",
      ["CREATE ROLE d WITH LOGIN = true AND LOGIN = true"] = "Multiple definition for property 'LOGIN'",
      ["CREATE ROLE d WITH PASSWORD = x"] = "expected a password", ["CREATE ROLE d WITH PASSWORD 'x'"] = "expected '='",
      ["CREATE ROLE " .. ("x"):rep(128)] = "Role names of more than 127 bytes",
      ["INSERT INTO system_auth.roles (role) VALUES ('x')"] = "not user-modifiable" })
    local alice = as(world, "alice", "pw")
    assert(alice:connect())
    local LESS = "User alice does not have sufficient privileges to perform the requested operation"
    refused(alice, { ["CREATE ROLE d"] = LESS, ["DROP ROLE bob"] = LESS, ["GRANT bob TO alice"] = LESS,
      ["REVOKE bob FROM alice"] = LESS, ["ALTER ROLE c1 WITH PASSWORD = 'x'"] = LESS,
      ["ALTER ROLE alice WITH SUPERUSER = true"] = "You aren't allowed to alter your own superuser status or that",
      ["ALTER ROLE alice WITH LOGIN = true"] = "You aren't allowed to alter LOGIN",
      ["LIST ROLES OF cassandra"] = "You are not authorized to view roles granted to cassandra",
      ["LIST ALL PERMISSIONS"] = "You are not authorized to view everyone's permissions",
      ["LIST ALL OF cassandra"] = "You are not authorized to view cassandra's permissions",
      ["GRANT SELECT ON KEYSPACE ks TO alice"] = "User alice has no AUTHORIZE permission on <keyspace ks>" })
    assert.same({ "alice", "bob", "c1" }, rows(alice, "LIST ROLES", "role"))
    all(alice, "ALTER ROLE alice WITH PASSWORD = 'mine'", "LIST ALL OF bob")
    assert.is_nil(login(world, "alice", "mine"))
    all(pool, "ALTER ROLE bob WITH SUPERUSER = true")
    all(alice, "CREATE ROLE d") -- one of its roles may
  end)

  local function roleless(world)
    world:schema "CREATE TABLE ks.g (k int PRIMARY KEY, v int)"
    local pool = boss(world)
    all(pool, "CREATE ROLE alice WITH PASSWORD = 'pw' AND LOGIN = true", "CREATE ROLE bob", "CREATE ROLE c1",
      "GRANT bob TO alice", "GRANT c1 TO bob")
    local alice = as(world, "alice", "pw")
    assert(alice:connect())
    return alice, pool
  end

  local function denied(permission, on)
    return ("User alice has no %s permission on <%s> or any of its parents"):format(permission, on)
  end

  it_in("may what they, or roles that they are members of, were granted, on the thing or above it", GUARDED,
    function(world)
      local alice, pool = roleless(world)
      local WRITE, READ = "INSERT INTO g (k, v) VALUES (1, 1)", "SELECT v FROM g WHERE k = 1"
      refused(alice, { [READ] = denied("SELECT", "table ks.g"), [WRITE] = denied("MODIFY", "table ks.g"),
        ["TRUNCATE g"] = denied("MODIFY", "table ks.g"), ["DROP TABLE g"] = denied("DROP", "table ks.g"),
        ["ALTER TABLE g ADD w int"] = denied("ALTER", "table ks.g"),
        ["CREATE INDEX g_v ON g (v)"] = denied("ALTER", "table ks.g"),
        ["CREATE TABLE h (k int PRIMARY KEY)"] = denied("CREATE", "all tables in ks"),
        ["CREATE TYPE h (a int)"] = denied("CREATE", "all tables in ks"),
        ["ALTER KEYSPACE ks WITH durable_writes = true"] = denied("ALTER", "keyspace ks"),
        ["CREATE KEYSPACE kt WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}"] =
          denied("CREATE", "all keyspaces"),
        ["SELECT role FROM system_auth.roles"] = denied("SELECT", "table system_auth.roles") })
      all(alice, "SELECT key FROM system.local", "SELECT * FROM system_schema.tables",
        "SELECT * FROM system_traces.events", "DESCRIBE KEYSPACES")
      for _, grant in ipairs { "MODIFY ON TABLE g %s alice", "MODIFY ON KEYSPACE ks %s bob",
        "MODIFY ON ALL TABLES IN KEYSPACE ks %s c1", "MODIFY ON ALL KEYSPACES %s c1" } do
        all(pool, "GRANT " .. grant:format "TO")
        all(alice, WRITE, "UPDATE g SET v = 2 WHERE k = 1", "DELETE FROM g WHERE k = 2", "TRUNCATE g")
        refused(alice, { [READ] = denied("SELECT", "table ks.g"), [WRITE .. " IF NOT EXISTS"] =
          denied("SELECT", "table ks.g") })
        all(pool, "REVOKE " .. grant:format "FROM")
        refused(alice, { [WRITE] = denied("MODIFY", "table ks.g") })
      end
      all(pool, "ALTER ROLE c1 WITH SUPERUSER = true")
      all(alice, WRITE, READ, "ALTER TABLE g ADD w int")
    end)

  it_in("may all with what they make, and nobody may with what is gone", GUARDED, function(world)
    local alice, pool = roleless(world)
    local function grants(cql) return rows(pool, cql or "LIST ALL OF alice", "resource", "permission") end
    all(pool, "GRANT CREATE ON KEYSPACE ks TO c1", "GRANT CREATE ON ALL ROLES TO alice")
    all(alice, "CREATE TABLE h (k int PRIMARY KEY)", "SELECT * FROM h", "INSERT INTO h (k) VALUES (1)", "DROP TABLE h")
    assert.same({ "<all roles> CREATE", "<keyspace ks> CREATE" }, grants())
    all(alice, "CREATE TABLE h (k int PRIMARY KEY)")
    all(pool, "GRANT SELECT ON h TO bob", "DROP TABLE h", "CREATE TABLE h (k int PRIMARY KEY)")
    refused(alice, { ["SELECT * FROM h"] = denied("SELECT", "table ks.h") })
    all(alice, "CREATE ROLE d WITH LOGIN = true", "ALTER ROLE d WITH LOGIN = false", "GRANT d TO c1",
      "REVOKE d FROM c1")
    refused(alice, {
      ["CREATE ROLE e WITH SUPERUSER = true"] = "Only superusers can create a role with superuser status",
      ["ALTER ROLE d WITH SUPERUSER = true"] = "Only superusers are allowed to alter superuser status",
      ["GRANT SELECT ON h TO d"] = denied("AUTHORIZE", "table ks.h"), ["LIST ALL ON h"] = "view everyone's permissions",
      ["GRANT c1 TO d"] = "User alice does not have sufficient privileges to perform the requested operation" })
    all(pool, "GRANT d TO alice") -- whose role she made
    all(alice, "LIST ROLES OF d", "DROP ROLE d")
    all(pool, "CREATE ROLE d")
    refused(alice, { ["DROP ROLE d"] = "does not have sufficient privileges" })
    all(pool, "GRANT CREATE ON ALL KEYSPACES TO alice")
    all(alice, "CREATE KEYSPACE kt WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
      "CREATE TABLE kt.t (k int PRIMARY KEY)", "SELECT * FROM kt.t")
    assert.equal(8 + 5 + 7, #grants() - 3) -- the keyspace, its functions, its table
    all(alice, "DROP KEYSPACE kt")
    assert.equal(3, #grants())
  end)

  it_in("may grant what they may authorize, and have themselves", GUARDED, function(world)
    local alice, pool = roleless(world)
    all(pool, "CREATE ROLE d", "GRANT AUTHORIZE ON KEYSPACE ks TO alice", "GRANT SELECT ON g TO c1")
    all(alice, "GRANT SELECT ON g TO d", "REVOKE SELECT ON g FROM d")
    refused(alice, { ["GRANT MODIFY ON g TO d"] = denied("MODIFY", "table ks.g"),
      ["GRANT SELECT ON KEYSPACE ks TO d"] = denied("SELECT", "keyspace ks"),
      ["GRANT SELECT ON g TO nix"] = "Role nix doesn't exist" })
    all(pool, "GRANT DESCRIBE ON ALL ROLES TO bob")
    all(alice, "LIST ALL PERMISSIONS", "LIST ROLES", "LIST ROLES OF d", "LIST ALL OF d")
  end)

  it_in("are granted nothing on the system's keyspaces but to look", GUARDED, function(world)
    local alice, pool = roleless(world)
    local LIMITED = "Granting permissions on system keyspaces is strictly limited, this operation is not permitted"
    refused(pool, { ["GRANT MODIFY ON KEYSPACE system_auth TO alice"] = LIMITED,
      ["GRANT ALL ON system.local TO alice"] = LIMITED,
      ["DROP KEYSPACE system"] = "system keyspace is not user-modifiable",
      ["DROP TABLE system_auth.roles"] = "Cannot DROP <table system_auth.roles>",
      ["GRANT EXECUTE ON ALL FUNCTIONS IN KEYSPACE system TO alice"] =
        "Altering permissions on builtin functions is not supported" })
    all(pool, "GRANT ALL ON ALL KEYSPACES TO alice")
    refused(alice, { ["SELECT role FROM system_auth.roles"] = denied("SELECT", "table system_auth.roles") })
    all(pool, "GRANT SELECT ON KEYSPACE system_auth TO bob")
    all(alice, "SELECT role FROM system_auth.roles")
  end)

  it_in("that may not are told so once, by one host, at once: it is nobody's fault", GUARDED, function(world)
    local alice, pool = roleless(world)
    all(pool, "GRANT SELECT ON g TO alice")
    local read = assert(alice:prepare "SELECT v FROM g WHERE k = ?")
    local write = assert(alice:prepare "INSERT INTO g (k, v) VALUES (?, ?)")
    local before = alice:getStats()
    for _, options in ipairs { { isIdempotent = true }, { isIdempotent = false } } do
      local _, err = alice:execute(write, { 1, 1 }, options)
      assert.equal("UNAUTHORIZED", err.code)
      assert.equal(0x2100, err.serverCode)
      assert.equal(1, #err.attempts)
      assert.is_false(err.maybeApplied)
      _, err = alice:batch({ { write, { 2, 1 } }, { write, { 3, 1 } } }, options)
      assert.equal("UNAUTHORIZED", err.code)
      assert.is_false(err.maybeApplied)
    end
    assert.equal(before.connectionsOpened, alice:getStats().connectionsOpened)
    for _, host in ipairs(alice:getHosts()) do assert.equal("up", host.status) end
    assert(alice:execute(read, { 1 }))
    all(pool, "GRANT MODIFY ON g TO bob")
    assert(alice:execute(write, { 1, 7 })) -- the statement that was prepared before
    assert.equal(7, assert(alice:execute(read, { 1 })):first().v)
    all(pool, "REVOKE bob FROM alice", "DROP ROLE alice")
    refused(alice, { ["SELECT v FROM g"] = denied("SELECT", "table ks.g") }) -- she is still there
    all(alice, "SELECT key FROM system.local")
  end)

  it_in("are nobody's business where nobody logs in", function(world)
    local pool = world:pool()
    local WHO = "You have to be logged in and not anonymous to perform this request"
    refused(pool, { ["CREATE ROLE a"] = WHO, ["LIST ROLES"] = WHO, ["GRANT a TO b"] = WHO, ["LIST ALL"] = WHO })
    assert.same({}, rows(pool, "SELECT * FROM system_auth.roles", "role"))
    local done, err = pcall(world.schema, world, "CREATE ROLE a")
    assert.is_false(done)
    assert.matches("not a schema statement", tostring(err), 1, true)
  end)
end)
