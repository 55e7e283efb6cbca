-- SPDX-License-Identifier: Apache-2.0
-- moonpool started as a user does it: by its name, which the shell finds in PATH, in whatever folder one stands.
local program = require "spec.support.program"

describe("moonpool that is found through PATH", function()
  it("finds its own files, wherever it is started", function()
    for _, folder in ipairs { "/", "/tmp", MOONPOOL_ROOT .. "/spec" } do
      local path = program.file 'require "moonpool" print(require("moonpool.config") and "found")'
      local said, status = program.sh(("cd '%s' && PATH='%s':$PATH && moonpool run '%s'"):format(folder,
        MOONPOOL_BUILD_DIR, path))
      os.remove(path)
      assert.equal("found\n", said)
      assert.equal(0, status)
    end
  end)
end)
