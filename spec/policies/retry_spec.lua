-- SPDX-License-Identifier: Apache-2.0
local C = require "spec.support.c"
local policies = require "spec.support.policies"

describe("the retry policy", function()
  after_each(policies.close_all)

  local function of(name, options)
    return policies.new { policy = "RoundRobinPolicy", retry = name, retryOptions = options }
  end

  describe("FallthroughRetryPolicy", function()
    it("gives up, whatever it was", function()
      local p = of "FallthroughRetryPolicy"
      for _, code in ipairs { -1, C.MP_SE_UNAVAILABLE, C.MP_SE_READ_TIMEOUT, C.MP_SE_OVERLOADED,
        C.MP_SE_IS_BOOTSTRAPPING } do
        assert.equal("giveUp", (p:decide { code = code }))
      end
    end)
  end)

  describe("DowngradingConsistencyRetryPolicy", function()
    local p
    before_each(function() p = of "DowngradingConsistencyRetryPolicy" end)

    -- The verdict, and the consistency of the next attempt ("" when it stays).
    local function verdict(err)
      err.consistency = err.consistency or C.MP_CL_QUORUM
      local name = p:decide(err)
      local lower = C.mp_policies_get(p.handle).retry.lower_to[0]
      return name, lower ~= C.MP_CONSISTENCY_AS_IT_IS and require("ffi").string(C.mp_consistency_name(lower)) or ""
    end

    for alive, level in pairs { "ONE", "TWO", "THREE", "THREE" } do
      it("asks for " .. level .. " when " .. alive .. " replicas are alive", function()
        assert.same({ "sameHost", level }, { verdict { code = C.MP_SE_UNAVAILABLE, received = alive, required = 5 } })
      end)
    end

    it("stays local for LOCAL_QUORUM", function()
      assert.same({ "sameHost", "LOCAL_ONE" }, { verdict { code = C.MP_SE_UNAVAILABLE, received = 1, required = 2,
        consistency = C.MP_CL_LOCAL_QUORUM } })
    end)

    it("tries the next host when this one knows of no replica that is alive", function()
      assert.same({ "nextHost", "" }, { verdict { code = C.MP_SE_UNAVAILABLE, received = 0, required = 2 } })
    end)

    it("lowers a read that had too few answers, and repeats one that had enough but no data", function()
      assert.same({ "sameHost", "ONE" }, { verdict { code = C.MP_SE_READ_TIMEOUT, received = 1, required = 2 } })
      assert.same({ "giveUp", "" }, { verdict { code = C.MP_SE_READ_TIMEOUT, received = 0, required = 2 } })
      assert.same({ "sameHost", "" }, { verdict { code = C.MP_SE_READ_TIMEOUT, received = 2, required = 2 } })
    end)

    it("does it once", function()
      assert.same({ "giveUp", "" }, { verdict { code = C.MP_SE_UNAVAILABLE, received = 1, required = 2, attempt = 2 } })
    end)

    it("does not lower simple writes that timed out", function()
      assert.same({ "giveUp", "" }, { verdict { code = C.MP_SE_WRITE_TIMEOUT, received = 1, required = 2,
        writeType = C.MP_WRITE_SIMPLE } })
      assert.same({ "sameHost", "TWO" }, { verdict { code = C.MP_SE_WRITE_TIMEOUT, received = 2, required = 3,
        writeType = C.MP_WRITE_UNLOGGED_BATCH } })
    end)

    it("forgets the consistency of the verdict before", function()
      verdict { code = C.MP_SE_UNAVAILABLE, received = 1, required = 2 }
      assert.same({ "nextHost", "" }, { verdict { code = -1 } })
    end)
  end)

  describe("LoggingRetryPolicy", function()
    it("decides what its child decides, and says it once a second", function()
      local p = of("LoggingRetryPolicy", "{ maxRetries = 1, retryDelay = 7 }")
      local plain = of("DefaultRetryPolicy", "{ maxRetries = 1, retryDelay = 7 }")
      p.log = {}
      for code = -1, 0x1700 do
        if code < 0 or code >= 0x1000 and code % 0x100 < 4 then
          for attempt = 1, 2 do
            local err = { code = code, attempt = attempt, received = 1, required = 1 }
            assert.same({ plain:decide(err) }, { p:decide(err) })
          end
        end
      end
      local lines = {}
      for _, line in ipairs(p.log) do
        if line:find("attempt", 1, true) then lines[#lines + 1] = line end
      end
      assert.equal(1, #lines)
      local said = "LoggingRetryPolicy: attempt 1 failed (no answer, 1 of 1 replicas): on to the next host"
      assert.truthy(lines[1]:find(said, 1, true), lines[1])
    end)

    it("wraps any other", function()
      local p = of("LoggingRetryPolicy", '{ childPolicy = "FallthroughRetryPolicy" }')
      assert.equal("giveUp", (p:decide { code = -1 }))
      assert.equal("FallthroughRetryPolicy", require("ffi").string(p:info(C.MP_POLICY_RETRY).child))
    end)
  end)

  it("may not ask for what is no consistency", function()
    local refused, why = policies.try { retry = "none" }
    assert.is_nil(refused)
    assert.truthy(why)
    local folder = policies.folder()
    policies.write(folder .. "/p.lua", "return retry { name = 'P', decide = function() return sameHost, 0, 99 end }")
    refused, why = policies.try { retry = folder .. "/p.lua" }
    policies.remove(folder)
    assert.is_nil(refused)
    assert.truthy(why:find("the third result is the consistency", 1, true), why)
  end)
end)
