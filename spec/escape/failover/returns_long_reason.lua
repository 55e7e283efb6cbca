-- SPDX-License-Identifier: Apache-2.0
-- Gives a very long reason with control characters.
-- must: harmless
return failover {
  name = "Escape",
  decide = function(home, serving)
    if home.priority == 77 then
      local text = "\n\27[2J%s%n"
      for _ = 1, 12 do text = text .. text end
      return home, text
    end
    if home.up > 0 then return home end
    return serving
  end,
}
