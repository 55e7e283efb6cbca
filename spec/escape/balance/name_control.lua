-- SPDX-License-Identifier: Apache-2.0
-- Has a name that writes lines of its own into the log.
-- must: refused at load: name must be a text
return balance { name = "a\nb\0c\27[2J", plan = function(plan) plan:hosts(localDc) end }
