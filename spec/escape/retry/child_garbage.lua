-- SPDX-License-Identifier: Apache-2.0
-- Gives its child garbage for the error.
-- must: error: 
return retry {
  name = "Escape",
  options = { childPolicy = "DefaultRetryPolicy" },
  decide = function(err, req, _, child)
    if err.required == 77 then return child("error", plan) end
    return child(err, req)
  end,
}
