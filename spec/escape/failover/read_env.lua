-- SPDX-License-Identifier: Apache-2.0
-- Reads the environment.
-- must: refused at load: unknown name 'os'
return failover {
  name = "Escape",
  decide = function(home, serving)
    log(os.getenv("MOONPOOL_ESCAPE_SECRET"))
    if home.up > 0 then return home end
    return serving
  end,
}
