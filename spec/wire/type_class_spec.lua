-- SPDX-License-Identifier: Apache-2.0
-- The names of Cassandra's classes, damaged.
local bytes = require "spec.support.bytes"
local ffi = require "ffi"
local C = require "spec.support.c"

local arena, err = bytes.arena(), ffi.new "int[1]"

local function read(content) return C.mp_type_read(C.mp_cursor_on(content, #content), arena, err) end

local function write(type)
  local buf = bytes.buf()
  C.mp_type_write(buf, type, 5)
  return bytes.content(buf)
end

describe("the name of a class that is damaged in one place", function()
  it("is that of another type, whose values are bytes if nobody knows it, and costs no row", function()
    local marshal = "org.apache.cassandra.db.marshal."
    local text = ("$MapType($UTF8Type,$VectorType($UserType(ks,61,62:$TupleType($Int32Type,a.Foo)), 2))")
      :gsub("%$", marshal)
    local function class_of(name)
      return "\0\0" .. string.char(math.floor(#name / 256), #name % 256) .. name
    end
    local known = 0
    local function try(name)
      local type = assert(read(class_of(name)))
      if type.id ~= C.MP_TYPE_CUSTOM then known = known + 1 end
      assert.is_true(C.mp_type_eq(type, read(write(type))), name)
    end
    for at = 0, #text do
      local before, behind = text:sub(1, at), text:sub(at + 2)
      try(before)
      try(before .. behind)
      for _, mark in ipairs { "(", ")", ",", ":", " ", "\0", "g", "9" } do
        try(before .. mark .. behind)
        try(before .. mark .. text:sub(at + 1))
      end
    end
    assert.is_true(known > 10, known)
  end)
end)
