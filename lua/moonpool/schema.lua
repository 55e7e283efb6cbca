-- SPDX-License-Identifier: Apache-2.0
-- pool:schema(): keyspaces, tables, columns, keys, types, functions, indexes and views, out of the system tables. Read
-- when it is asked for and kept from then on: a keyspace is read again when an event has named it, all are when the
-- nodes' schema version is another one and no event says why, or when events may have been missed. What was given is
-- never changed: whoever holds a schema holds it as it was.
local async = require "moonpool.async"
local core = require "moonpool.core_loader"

local schema = {}

local PAGE = 1000

-- name, whether it can do without, for a server that is older or that does not permit it
local TABLES = { { "keyspaces" }, { "tables" }, { "columns" }, { "types", true }, { "views", true },
  { "indexes", true }, { "functions", true }, { "aggregates", true } }

-- ---- tables -----------------------------------------------------------------------------------------------

local Table = {}
Table.__index = Table

-- As the server hashes it: the value alone, or each with its length and a zero.
local function compose(values)
  if #values == 1 then return values[1] end
  local parts = {}
  for i, value in ipairs(values) do
    if #value > 65535 then return nil, core.error("TOO_BIG", "a part of a partition key has 65535 bytes at most") end
    parts[i] = string.char(math.floor(#value / 256), #value % 256) .. value .. "\0"
  end
  return table.concat(parts)
end
schema.compose = compose

-- table:routingKey{ 1, "a" } or { id = 1, name = "a" }: the bytes for the option `routingKey`; nil, err.
function Table:routingKey(values)
  if type(values) ~= "table" then
    error("bad argument #1 to 'routingKey' (table of values expected, got " .. type(values) .. ")", 2)
  end
  local bytes = {}
  if values[#self.partitionKey + 1] ~= nil then
    return nil, core.error("INVALID_ARGUMENT", ("%s.%s: the partition key has %d column(s), more values were given")
      :format(self.keyspace, self.name, #self.partitionKey))
  end
  for i, name in ipairs(self.partitionKey) do
    local column, value = self.columns[name], values[i]
    if value == nil then value = values[name] end
    if value == nil or value == core.null then
      return nil, core.error("INVALID_ARGUMENT", ("%s.%s: '%s' of the partition key is missing"):format(self.keyspace,
        self.name, name))
    end
    local ok, encoded, err = pcall(core.encode, column.type, value)
    if not ok then
      return nil, core.error("UNSUPPORTED", ("%s.%s: '%s' is a %s, whose keys are not composed here"):format(
        self.keyspace, self.name, name, column.type))
    end
    if not encoded then
      return nil, core.error(err.code, ("%s.%s: '%s' of the partition key, %s"):format(self.keyspace, self.name, name,
        err.message))
    end
    bytes[i] = encoded
  end
  return compose(bytes)
end

-- ---- out of rows ------------------------------------------------------------------------------------------

local KINDS = { partition_key = "partitionKey", clustering = "clustering", regular = "regular", static = "static" }
-- In the order of SELECT *.
local RANK = { partitionKey = 1, clustering = 2, static = 3, regular = 4 }

local function camel(name) return (name:gsub("_(%l)", string.upper)) end

-- What a system table says besides names: options, as the server calls them but in camelCase.
local function others(row, known)
  local options = {}
  for name, value in pairs(row) do
    if not known[name] then options[camel(name)] = value end
  end
  return options
end

local TABLE_NAMES = { keyspace_name = true, table_name = true, view_name = true, id = true, base_table_id = true,
  base_table_name = true, include_all_columns = true, where_clause = true }

local function new_table(keyspace, row)
  return setmetatable({ keyspace = keyspace.name, name = row.table_name or row.view_name, id = row.id, columns = {},
    order = {}, partitionKey = {}, clusteringKey = {}, indexes = {}, views = {},
    options = others(row, TABLE_NAMES) }, Table)
end

local function add_column(of, row)
  local kind = KINDS[row.kind] or "regular"
  of.columns[row.column_name] = { name = row.column_name, type = row.type, kind = kind, position = row.position,
    order = kind == "clustering" and row.clustering_order or nil }
  of.order[#of.order + 1] = row.column_name
  if kind == "partitionKey" then of.partitionKey[row.position + 1] = row.column_name end
  if kind == "clustering" then of.clusteringKey[row.position + 1] = row.column_name end
end

local function sort_columns(of)
  table.sort(of.order, function(a, b)
    local x, y = of.columns[a], of.columns[b]
    if x.kind ~= y.kind then return RANK[x.kind] < RANK[y.kind] end
    if x.position ~= y.position then return x.position < y.position end
    return a < b
  end)
end

local function new_type(row)
  local fields, of = {}, { keyspace = row.keyspace_name, name = row.type_name }
  for i, name in ipairs(row.field_names or {}) do fields[i] = { name = name, type = row.field_types[i] } end
  of.fields = fields
  return of
end

-- f(int, text): several may have one name.
local function signature(name, row)
  return ("%s(%s)"):format(name, table.concat(row.argument_types or {}, ", "))
end

local CALLABLE = { keyspace_name = true, function_name = true, aggregate_name = true, argument_types = true,
  argument_names = true, return_type = true }

local function new_callable(name, row)
  local of = others(row, CALLABLE)
  of.keyspace, of.name, of.returnType = row.keyspace_name, name, row.return_type
  of.argumentTypes, of.argumentNames = row.argument_types or {}, row.argument_names
  return of
end

-- Keyspaces by name, out of the rows of each system table.
local function assemble(rows)
  local keyspaces = {}
  for _, row in ipairs(rows.keyspaces) do
    local replication = row.replication or {}
    keyspaces[row.keyspace_name] = { name = row.keyspace_name, durableWrites = row.durable_writes,
      replication = replication, tables = {}, types = {}, views = {}, functions = {}, aggregates = {} }
  end
  local function each(name, fn)
    for _, row in ipairs(rows[name]) do
      local keyspace = keyspaces[row.keyspace_name] -- dropped between two of the questions
      if keyspace then fn(keyspace, row) end
    end
  end
  each("tables", function(keyspace, row) keyspace.tables[row.table_name] = new_table(keyspace, row) end)
  each("views", function(keyspace, row)
    local view = new_table(keyspace, row)
    view.baseTable, view.whereClause, view.includesAllColumns = row.base_table_name, row.where_clause,
      row.include_all_columns
    keyspace.views[view.name] = view
    local base = keyspace.tables[row.base_table_name]
    if base then base.views[#base.views + 1] = view.name end
  end)
  each("columns", function(keyspace, row)
    local of = keyspace.tables[row.table_name] or keyspace.views[row.table_name]
    if of then add_column(of, row) end
  end)
  each("indexes", function(keyspace, row)
    local of = keyspace.tables[row.table_name]
    if not of then return end
    local options = row.options or {}
    of.indexes[row.index_name] = { name = row.index_name, kind = row.kind:lower(), target = options.target,
      options = options }
  end)
  each("types", function(keyspace, row) keyspace.types[row.type_name] = new_type(row) end)
  each("functions", function(keyspace, row)
    keyspace.functions[signature(row.function_name, row)] = new_callable(row.function_name, row)
  end)
  each("aggregates", function(keyspace, row)
    keyspace.aggregates[signature(row.aggregate_name, row)] = new_callable(row.aggregate_name, row)
  end)
  for _, keyspace in pairs(keyspaces) do
    for _, of in pairs(keyspace.tables) do sort_columns(of) end
    for _, of in pairs(keyspace.views) do sort_columns(of) end
  end
  return keyspaces
end

-- ---- reading ----------------------------------------------------------------------------------------------

-- All rows of a question, from one node: nodes may disagree for a while. nil, err.
local function read(pool, cql, parameters, host)
  local rows, options = {}, { fetchSize = PAGE, host = host, consistency = "ONE", isIdempotent = true }
  repeat
    local result, err = pool:execute(cql, parameters, options)
    if not result then return nil, err end
    for _, row in ipairs(result.rows) do rows[#rows + 1] = row end
    if result.pageState and result.pageState == options.pageState then
      return nil, core.error("PROTOCOL_ERROR", host .. " gave the same pageState twice")
    end
    options.pageState = result.pageState
  until not options.pageState
  return rows
end

-- What a node refuses, it refuses again; what it does not answer is no schema.
local function is_refusal(err) return (err.serverCode or -1) >= 0x2000 end

-- Rows of each system table, of one keyspace or of all. The second result: what this server has not.
local function read_all(pool, keyspace, host)
  local all, missing = {}, {}
  for _, source in ipairs(TABLES) do
    local name, optional = source[1], source[2]
    local cql = "SELECT * FROM system_schema." .. name .. (keyspace and " WHERE keyspace_name = ?" or "")
    local rows, err = read(pool, cql, keyspace and { keyspace } or nil, host)
    if not rows and not (optional and is_refusal(err)) then return nil, err end
    if not rows then missing[#missing + 1] = name end
    all[name] = rows or {}
  end
  return assemble(all), missing
end

-- ---- keeping ----------------------------------------------------------------------------------------------
-- state.schema of a pool's environment: { seen = what was given last, stale = { [keyspace] = true }, missed = count }

local function watch(pool, state)
  local kept = { stale = {}, missed = -1 }
  state.schema = kept
  pool:on("schemaChange", function(change) kept.stale[change.keyspace] = true end)
  return kept
end

-- The keyspaces to read again; nil: all of them.
local function outdated(kept, version)
  if not kept.seen or core.getStats(kept.pool).schemaMissed ~= kept.missed then return nil end
  local names = {}
  for name in pairs(kept.stale) do names[#names + 1] = name end
  if #names == 0 and version ~= kept.seen.version then return nil end
  return names
end

local function refresh(pool, kept)
  local result, err = pool:execute("SELECT schema_version FROM system.local", nil, { isIdempotent = true })
  if not result then return nil, err end
  local version, host = (result:first() or {}).schema_version, result.info.host
  kept.pool = pool
  local names, missed = outdated(kept, version), core.getStats(pool).schemaMissed
  if names and #names == 0 then return kept.seen end
  local keyspaces, missing = {}, kept.seen and kept.seen.missing
  for name, keyspace in pairs(names and kept.seen.keyspaces or {}) do keyspaces[name] = keyspace end
  -- What changes from here on marks itself again.
  for _, name in ipairs(names or { false }) do
    kept.stale = names and kept.stale or {}
    kept.stale[name] = nil
    local found, why = read_all(pool, name or nil, host)
    if not found then
      if name then kept.stale[name] = true end
      return nil, why
    end
    if not name then keyspaces = found else keyspaces[name] = found[name] end
    missing = why
  end
  kept.seen = { version = version, keyspaces = keyspaces, missing = missing }
  kept.missed = missed
  return kept.seen
end

-- pool:schema([keyspace]): { version, keyspaces }, or one of them; nil, err. Whoever asks while it is read waits for
-- that.
function schema.get(pool, name)
  if name ~= nil and type(name) ~= "string" then
    error("bad argument #1 to 'schema' (name of a keyspace expected, got " .. type(name) .. ")", 2)
  end
  local state = debug.getfenv(pool)
  local kept = state.schema or watch(pool, state)
  local reading = kept.reading
  if not reading then
    reading = async.detach(function() -- who asked first may end before the others
      local seen, err = refresh(pool, kept)
      if not seen then seen, err = refresh(pool, kept) end -- of another node, if that one went meanwhile
      return seen, err
    end)
    kept.reading = reading
  end
  local seen, err = reading:wait()
  if kept.reading == reading then kept.reading = nil end
  if not seen then return nil, err end
  if not name then return seen end
  if seen.keyspaces[name] then return seen.keyspaces[name] end
  return nil, core.error("NOT_FOUND", ("there is no keyspace '%s'"):format(name))
end

return schema
