-- SPDX-License-Identifier: Apache-2.0
-- Returns a word of the sandbox.
-- must: refused at load: the file must return balance { ... }
return tags
