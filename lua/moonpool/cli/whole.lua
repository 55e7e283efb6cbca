-- SPDX-License-Identifier: Apache-2.0
-- A converter of the command line's whole numbers: whole(1, 100, "number of nodes").
return function(least, most, what)
  return function(text)
    local value = tonumber(text)
    if value and value >= least and value <= most and value % 1 == 0 then return value end
    return nil, string.format("'%s' is no %s from %d to %d", text, what, least, most)
  end
end
