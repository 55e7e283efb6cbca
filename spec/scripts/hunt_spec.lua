-- SPDX-License-Identifier: Apache-2.0
-- scripts/hunt with generators that are none: what it makes of a process that ends well, finds something, dies or has
-- become large, and that it leaves nothing behind.
local policies = require "spec.support.policies"
local program = require "spec.support.program"

-- Called with: --run spec/hunt/hunt.lua NAME FIRST_SEED SECONDS FILE
local PROCESS = [[
#!/bin/sh
echo "$4" >"$6"
case $3 in
finds) echo "FOUND finds, seed $4: a mistake"; echo "done: 1 seeds, 1 findings"; exit 1 ;;
dies) [ "$4" = 8 ] && echo "done: 1 seeds, 0 findings" && exit; echo "the last words"; exit 3 ;;
grows) [ "$4" -ge 10 ] && echo "done: 1 seeds, 0 findings" && exit; echo "large: 1 seeds, 0 findings" ;;
*) echo "done: 1 seeds, 0 findings" ;;
esac
]]

describe("scripts/hunt", function()
  local folder
  before_each(function()
    folder = policies.folder()
    local _, status = program.sh(([[cd '%s' && mkdir -p scripts spec/hunt build/dev bin tmp &&
      cp '%s/scripts/hunt' '%s/scripts/lib.sh' scripts]]):format(folder, MOONPOOL_ROOT, MOONPOOL_ROOT))
    assert.equal(0, status)
    for path, text in pairs { ["build/dev/moonpool-spec"] = PROCESS, ["scripts/packages"] = "#!/bin/sh\n",
      ["bin/cmake"] = "#!/bin/sh\n" } do
      policies.write(folder .. "/" .. path, text)
    end
    for _, name in ipairs { "calm", "finds", "dies", "grows" } do
      policies.write(("%s/spec/hunt/%s.lua"):format(folder, name), ("function %s.run(seed) end\n"):format(name))
    end
    program.sh(("chmod +x '%s'/bin/* '%s'/build/dev/* '%s'/scripts/*"):format(folder, folder, folder))
  end)
  after_each(function() policies.remove(folder) end)

  local function hunt(arguments)
    local said, status = program.sh(("cd '%s' && TMPDIR='%s/tmp' PATH='%s/bin':$PATH scripts/hunt %s 2>&1")
      :format(folder, folder, folder, arguments))
    local left = program.sh(("ls '%s/tmp'"):format(folder))
    assert.equal("", left)
    return said, status
  end

  it("ends well when nothing was found", function()
    local said, status = hunt "--minutes 1 --seed 7 calm"
    assert.equal(0, status, said)
    assert.matches("hunt: calm: seeds 7 to 7, 0 findings, %d+ s of the processor\nhunt: 0 findings\n$", said)
  end)

  it("says what was found, by whom, and ends with 1", function()
    local said, status = hunt "--minutes 1 --seed 7 --jobs 1 calm finds"
    assert.equal(1, status, said)
    assert.matches("\nFOUND finds, seed 7: a mistake\n.*hunt: 1 findings\n$", said)
  end)

  it("goes on behind the seed that ended its process, and tells that process's last words", function()
    local said, status = hunt "--minutes 1 --seed 7 dies"
    assert.equal(1, status, said)
    assert.matches("FOUND dies, seed 7: the process ended with status 3\nthe last words\nhunt: 1 findings\n$", said)
    assert.matches("dies: seeds 7 to 8, 1 findings", said, 1, true)
  end)

  it("goes on in another process when one has become large", function()
    local said, status = hunt "--minutes 1 --seed 7 grows"
    assert.equal(0, status, said)
    assert.matches("grows: seeds 7 to 10, 0 findings", said, 1, true)
  end)

  it("knows its generators", function()
    local said, status = hunt "--minutes 1 nobody"
    assert.equal(2, status)
    assert.matches("no generator spec/hunt/nobody.lua", said, 1, true)
  end)
end)
