-- SPDX-License-Identifier: Apache-2.0
local C = require "spec.support.c"
local policies = require "spec.support.policies"

describe("DefaultRetryPolicy", function()
  after_each(policies.close_all)

  local function serving(options)
    return policies.new { retry = "DefaultRetryPolicy", retryOptions = options }
  end

  it("goes to the next host when nobody answered", function()
    local p = serving()
    for _, err in ipairs { C.MP_ELOST, C.MP_ETIMEOUT, C.MP_ECONNECT } do
      assert.same({ "nextHost", 0 }, { p:decide { code = -1, err = err } })
    end
    assert.same({ "nextHost", 0 }, { p:decide { code = C.MP_SE_IS_BOOTSTRAPPING } })
  end)

  it("asks another coordinator once when replicas are unavailable", function()
    local p = serving()
    assert.same({ "nextHost", 0 }, { p:decide { code = C.MP_SE_UNAVAILABLE } })
    assert.equal("giveUp", (p:decide { code = C.MP_SE_UNAVAILABLE, attempt = 2 }))
  end)

  it("asks the same host once more when only the data was missing", function()
    local p = serving()
    local err = { code = C.MP_SE_READ_TIMEOUT, required = 2, received = 2 }
    assert.equal("sameHost", (p:decide(err)))
    err.dataPresent = true
    assert.equal("giveUp", (p:decide(err)))
    err.dataPresent, err.attempt = false, 2
    assert.equal("giveUp", (p:decide(err)))
  end)

  it("asks another coordinator once when too few replicas answered a read", function()
    local p = serving()
    for _, present in ipairs { true, false } do
      local err = { code = C.MP_SE_READ_TIMEOUT, required = 2, received = 1, dataPresent = present }
      assert.equal("nextHost", (p:decide(err)))
      err.attempt = 2
      assert.equal("giveUp", (p:decide(err)))
    end
  end)

  it("repeats a write that timed out once: its batch log on the same host, an idempotent one elsewhere", function()
    local p = serving()
    for writeType = 0, C.MP_WRITE_UNKNOWN do
      local is_log = writeType == C.MP_WRITE_BATCH_LOG
      local err = { code = C.MP_SE_WRITE_TIMEOUT, writeType = writeType }
      assert.equal(is_log and "sameHost" or "giveUp", (p:decide(err)))
      err.idempotent = true
      assert.equal(is_log and "sameHost" or "nextHost", (p:decide(err)))
      err.attempt = 2
      assert.equal("giveUp", (p:decide(err)))
    end
  end)

  it("waits longer each time for a server in trouble", function()
    local p = serving()
    assert.same({ "nextHost", 20 }, { p:decide { code = C.MP_SE_OVERLOADED } })
    assert.same({ "nextHost", 40 }, { p:decide { code = C.MP_SE_SERVER_ERROR, attempt = 2 } })
    assert.same({ "nextHost", 60 }, { p:decide { code = C.MP_SE_TRUNCATE_ERROR, attempt = 3 } })
  end)

  it("gives up after maxRetries and on what cannot be mended", function()
    assert.equal("giveUp", (serving():decide { code = -1, attempt = 4 }))
    assert.equal("giveUp", (serving "{ maxRetries = 0 }":decide { code = -1, attempt = 1 }))
    assert.equal("nextHost", (serving "{ maxRetries = 9 }":decide { code = -1, attempt = 9 }))
    for _, code in ipairs { C.MP_SE_SYNTAX_ERROR, C.MP_SE_INVALID, C.MP_SE_UNAUTHORIZED, C.MP_SE_WRITE_FAILURE,
      C.MP_SE_READ_FAILURE, C.MP_SE_CAS_WRITE_UNKNOWN, C.MP_SE_ALREADY_EXISTS, 0x7777 } do
      assert.equal("giveUp", (serving():decide { code = code }))
    end
  end)

  it("waits retryDelay before the next attempt", function()
    local p = serving "{ retryDelay = 1000 }"
    assert.same({ "nextHost", 1000 }, { p:decide { code = -1 } })
    assert.same({ "nextHost", 1000 }, { p:decide { code = C.MP_SE_UNAVAILABLE } })
    assert.same({ "nextHost", 1000 }, { p:decide { code = C.MP_SE_OVERLOADED } })
  end)

  it("takes sensible options only", function()
    for options, why in pairs {
      ["{ maxRetries = -1 }"] = "retry.maxRetries: got -1; must be 0 or more",
      ["{ retryDelay = -5 }"] = "retry.retryDelay: got -5; must be 0 ms or more",
      ["{ maxRetries = 'x' }"] = 'retry.maxRetries: got "x" (string); DefaultRetryPolicy takes a number',
    } do
      local p, message = policies.try { retry = "DefaultRetryPolicy", retryOptions = options }
      assert.is_nil(p)
      assert.equal(why, message)
    end
  end)
end)
