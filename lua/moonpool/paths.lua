-- SPDX-License-Identifier: Apache-2.0
-- Where a relative path begins. One that stands in a file belongs to that file's folder; one that a program or the
-- command line gives belongs to the working folder of that moment. Both are made absolute at once, so a folder that the
-- process changes to later means nothing.
local ffi = require "ffi"

ffi.cdef "char *getcwd(char *buffer, size_t size);"

local PATH_MAX = 4096

local paths = {}

-- The working folder, or nil when it is gone.
function paths.working_folder()
  local buffer = ffi.new("char[?]", PATH_MAX)
  return ffi.C.getcwd(buffer, PATH_MAX) ~= nil and ffi.string(buffer) or nil
end

-- `path` as seen from a folder; without one it stays as it is.
function paths.from(folder, path)
  if path:sub(1, 1) == "/" or not folder then return path end
  while path:sub(1, 2) == "./" do path = path:match "^%./+(.*)$" end
  if path == "" or path == "." then return folder end
  return (folder == "/" and "" or folder) .. "/" .. path
end

-- As seen from the working folder.
function paths.absolute(path)
  return paths.from(paths.working_folder(), path)
end

-- Does a policy's name mean a file? As script/source.c sees it.
function paths.is_path(name) return name:find("/", 1, true) ~= nil or #name > 4 and name:sub(-4) == ".lua" end

-- The folder that holds the file at an absolute path.
function paths.folder_of(path)
  local folder = path:match "^(.*)/[^/]*$"
  return folder == "" and "/" or folder
end

return paths
