-- SPDX-License-Identifier: Apache-2.0
-- Reads the environment.
-- must: refused at load: unknown name 'os'
return retry {
  name = "Escape",
  decide = function(err, req)
    log(os.getenv("MOONPOOL_ESCAPE_SECRET"))
    return err.attempt < 3 and nextHost or giveUp
  end,
}
