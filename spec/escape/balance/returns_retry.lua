-- SPDX-License-Identifier: Apache-2.0
-- Answers another question.
-- must: refused at load: unknown name 'retry'
return retry { name = "Escape", decide = function() end }
