-- SPDX-License-Identifier: Apache-2.0
-- Returns nothing.
-- must: refused at load: the file must return balance { ... }
local _ = 1
