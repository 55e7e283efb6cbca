-- SPDX-License-Identifier: Apache-2.0
-- Returns a function.
-- must: refused at load: the file must return balance { ... }
return function() end
