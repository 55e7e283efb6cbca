-- SPDX-License-Identifier: Apache-2.0
local ffi = require "ffi"
local C = require "spec.support.c"

describe("a list", function()
  local list, nodes
  before_each(function()
    list, nodes = ffi.new "struct mp_list", ffi.new "struct mp_list_node[8]"
    C.mp_list_init(list)
    for i = 0, 7 do C.mp_list_node_init(nodes[i]) end
  end)

  local function order()
    local out, node = {}, C.mp_list_first(list)
    while node ~= nil do
      out[#out + 1] = tonumber(node - nodes)
      node = C.mp_list_next(list, node)
    end
    assert.equal(#out, tonumber(list.count))
    return out
  end

  it("keeps the order of what is pushed at either end", function()
    assert.same({}, order())
    C.mp_list_push_back(list, nodes + 1)
    C.mp_list_push_back(list, nodes + 2)
    C.mp_list_push_front(list, nodes + 0)
    assert.same({ 0, 1, 2 }, order())
  end)

  it("lets go of a node anywhere, and knows who is in it", function()
    for i = 0, 4 do C.mp_list_push_back(list, nodes + i) end
    for _, i in ipairs { 2, 0, 4 } do
      assert.is_true(C.mp_list_node_linked(nodes + i))
      C.mp_list_remove(list, nodes + i)
      assert.is_false(C.mp_list_node_linked(nodes + i))
    end
    assert.same({ 1, 3 }, order())
    C.mp_list_push_back(list, nodes + 0)
    assert.same({ 1, 3, 0 }, order())
  end)

  it("gives its first until there is none", function()
    for i = 0, 2 do C.mp_list_push_back(list, nodes + i) end
    for i = 0, 2 do assert.equal(i, tonumber(C.mp_list_pop_front(list) - nodes)) end
    assert.is_true(C.mp_list_pop_front(list) == nil)
    assert.is_true(C.mp_list_first(list) == nil)
    assert.is_false(C.mp_list_node_linked(nodes + 1))
  end)
end)
