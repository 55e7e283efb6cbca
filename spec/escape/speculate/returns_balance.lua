-- SPDX-License-Identifier: Apache-2.0
-- Answers another question.
-- must: refused at load: unknown name 'balance'
return balance { name = "Escape", plan = function() end }
