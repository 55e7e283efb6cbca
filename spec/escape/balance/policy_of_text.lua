-- SPDX-License-Identifier: Apache-2.0
-- Makes a policy of a text.
-- must: refused at load: the file must return balance { ... }
return balance "Escape"
