-- SPDX-License-Identifier: Apache-2.0
-- result:trace(): what the nodes wrote down about a request with traceQuery. They write it after their answer, so it is
-- looked for until it is whole.
local core = require "moonpool.core_loader"

local SESSION = "SELECT * FROM system_traces.sessions WHERE session_id = ?"
local EVENTS = "SELECT * FROM system_traces.events WHERE session_id = ?"
local PATIENCE, FIRST_WAIT, LAST_WAIT = 5000, 5, 200

local trace = {}

-- The session once it says how long the request took; or nil and why not.
local function find_session(pool, id)
  local wait, deadline = FIRST_WAIT, core.now() + PATIENCE
  while true do
    local result, err = pool:execute(SESSION, { id }, { consistency = "ONE" })
    if not result then return nil, err end
    local session = result:first()
    if session and session.duration then return session end
    if core.now() + wait > deadline then
      return nil, core.error("NOT_FOUND", ("the nodes have not written the trace %s within %d ms"):format(id, PATIENCE))
    end
    core.sleep(wait)
    wait = math.min(wait * 2, LAST_WAIT)
  end
end

-- { id, coordinator, client, command, request, parameters, startedAt (ms since 1970), durationUs, events = { { source,
-- activity, elapsedUs, thread }, ... } in the order of their time }; or nil, err.
function trace.fetch(result)
  local pool, id = rawget(result, "_pool"), result.info.traceId
  if not id then
    return nil, core.error("INVALID_ARGUMENT", "the request was not traced: ask with the option traceQuery")
  end
  if not pool then return nil, core.error("CLOSED", "the pool of this result is gone") end
  local session, err = find_session(pool, id)
  if not session then return nil, err end
  local found = {
    id = id, coordinator = session.coordinator, client = session.client, command = session.command,
    request = session.request, parameters = session.parameters, startedAt = session.started_at,
    durationUs = session.duration, events = {},
  }
  local rows, why = pool:execute(EVENTS, { id }, { consistency = "ONE" })
  if not rows then return nil, why end
  for i, row in ipairs(rows.rows) do
    found.events[i] = {
      source = row.source, activity = row.activity, elapsedUs = row.source_elapsed, thread = row.thread,
    }
  end
  return found
end

return trace
