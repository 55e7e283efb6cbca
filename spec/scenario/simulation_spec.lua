-- SPDX-License-Identifier: Apache-2.0
-- Clusters and pools in virtual time with all faults mixed, from seeds: the fixed, short part of scripts/simulate.
-- MOONPOOL_SEED=N runs that seed alone.
local simulation = require "spec.support.faults.simulation"
local support = require "spec.support.world"

describe("a simulated cluster", function()
  local here
  setup(function() here = simulation.open() end)
  teardown(function() simulation.close(here) end)

  local from, to = support.given_seed or 1, support.given_seed or 10
  for seed = from, to do
    it("keeps every promise, seed " .. seed, function() simulation.run(here, seed, 2) end)
  end

  for seed = 103, 104 do -- not over TLS, whose keys and signatures are OpenSSL's own
    it("is the same for the same seed, and another for another, seed " .. seed, function()
      local first = simulation.run(here, seed, 1)
      assert.equal(first, simulation.run(here, seed, 1))
      if not support.given_seed then assert.not_equal(first, simulation.run(here, seed + 6, 1)) end
    end)
  end

  it("was really tried", function()
    local figures = here.figures
    if support.given_seed then return end
    assert.equal(16, figures.worlds)
    assert.is_true(figures.ok > 50 * figures.worlds, figures.ok)
    assert.is_true(figures.unknown + figures.never > 10, figures.unknown + figures.never)
  end)
end)
