-- SPDX-License-Identifier: Apache-2.0
-- Returns a number.
-- must: refused at load: the file must return balance { ... }
return 2 ^ 53
