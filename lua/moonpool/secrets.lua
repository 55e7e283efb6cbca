-- SPDX-License-Identifier: Apache-2.0
-- What of a configuration may be shown. Three rules: nothing that stands below `auth` or `tls` (its keys neither,
-- because a password may stand where a key should), nothing whose name says that it is a secret, and nothing in front
-- of an @, which may be user:password@host. Messages that others make are looked over by shape when they leave
-- (base/text/redact.h).
local lua_text = require "moonpool.lua_text"

local format = string.format

local secrets = {}

local LONGEST = 60
local SECTIONS = { auth = true, tls = true }

-- Names that people give to keys of those sections, known here or not: words of ours, so they may be shown.
local WORDS = {}
for word in ([[username password required user name login pass passwd pwd secret token type mechanism provider class
  authenticator credentials enabled ca cert key verify serverName crl minVersion certificate privateKey caFile certFile
  keyFile keyPassword host hostname passphrase ciphers initialResponse evaluateChallenge
  onAuthenticationSuccess]]):gmatch "%w+" do WORDS[word] = true end

-- Does the name of a key say that its value is a secret?
function secrets.is_name(key)
  if type(key) ~= "string" then return false end
  local name = key:lower()
  return name:find "passw" ~= nil or name:find "secret" ~= nil or name:find "credential" ~= nil
    or name:find "token$" ~= nil or name:find "apikey$" ~= nil or name:find "privatekey$" ~= nil or name == "pwd"
end

-- Is the value at a path (a list of keys) kept from messages?
function secrets.hides(path)
  return SECTIONS[path[1]] == true or secrets.is_name(path[#path])
end

local function escaped(text)
  return (text:gsub('[%c"]', function(char) return format("\\%d", char:byte()) end))
end

local function cut(text)
  return #text > LONGEST and text:sub(1, LONGEST - 3) .. "..." or text
end

-- A text without what may be user and password, and not longer than a reader likes.
function secrets.text(text)
  local at = text:sub(-4096):match ".*@()"
  if at then text = "***" .. text:sub(#text - math.min(#text, 4096) + at - 1) end
  return escaped(cut(text))
end

local function is_shown(key)
  if type(key) == "number" then return key % 1 == 0 and key >= 1 and key <= 9 end -- its place in a list
  return WORDS[key]
end

-- A path as a message may name it.
function secrets.path(path)
  local keys = {}
  for i, key in ipairs(path) do
    local hidden = i > 1 and SECTIONS[path[1]] and not is_shown(key)
    keys[i] = hidden and "(a key that is not shown)" or secrets.text(tostring(key))
  end
  return table.concat(keys, ".")
end

-- "got -5 (number)"; tables and functions have no value to show, and what is hidden has none but true or false.
function secrets.got(value, path)
  local kind = type(value)
  local hidden = path ~= nil and secrets.hides(path)
  if kind == "string" and not hidden then return format('got "%s" (string)', secrets.text(value)) end
  if kind == "number" and not hidden or kind == "boolean" then
    local shown = kind == "number" and value == math.floor(value) and math.abs(value) < 1e15 and format("%d", value)
      or tostring(value)
    return format("got %s (%s)", shown, kind)
  end
  return "got a " .. kind
end

local MOST_ITEMS = 8

local function show(value, key, depth)
  local kind = type(value)
  if kind == "string" then return secrets.is_name(key) and "(secret)" or '"' .. secrets.text(value) .. '"' end
  if kind ~= "table" then return secrets.is_name(key) and kind == "number" and "(secret)" or tostring(value) end
  if value.host then return show(value.port and value.host .. ":" .. value.port or value.host) end
  if depth > 3 then return "{ ... }" end
  local keys, parts = {}, {}
  for name in pairs(value) do keys[#keys + 1] = name end
  table.sort(keys, function(a, b)
    if type(a) == type(b) then return a < b end
    return type(a) == "number"
  end)
  local is_list = #value == #keys
  for i = 1, math.min(#keys, MOST_ITEMS) do
    local item = show(value[keys[i]], keys[i], depth + 1)
    parts[i] = is_list and item or format("%s = %s", secrets.text(tostring(keys[i])), item)
  end
  if #keys > MOST_ITEMS then parts[MOST_ITEMS + 1] = format("... (%d in all)", #keys) end
  return #parts == 0 and "{ }" or "{ " .. table.concat(parts, ", ") .. " }"
end

-- A value as one that it was and is no more may be told, shortened where it is long.
function secrets.value(value) return show(value, nil, 1) end

-- ---- messages about a text --------------------------------------------------------------------------------

-- Words that say nothing about a secret wherever they stand.
local HARMLESS = {}
for word in ([[and break do else elseif end false for function goto if in local nil not or repeat return then true until
  while os io getenv open read string table tostring assert error require lines close]]):gmatch "%a+" do
  HARMLESS[word] = true
end

local OPENING, CLOSING = { ["{"] = true, ["("] = true }, { ["}"] = true, [")"] = true }

local MOST_WORDS = 10000

-- Marks the words and texts of the value that begins at `at`: up to the comma, bracket or word that ends it, whose
-- place it returns.
local function collect(text, at, words)
  local depth = 0
  while #words < MOST_WORDS do
    local kind, from, behind, value = lua_text.next(text, at)
    local word = kind and text:sub(from, behind - 1)
    if not kind or depth == 0 and (word == "," or word == ";" or word == "return" or word == "local") then
      return at
    end
    if OPENING[word] then depth = depth + 1 end
    if CLOSING[word] then
      depth = depth - 1
      if depth < 0 or depth == 0 and word == "}" then return at end
    end
    if kind == "text" then words[#words + 1] = value end
    if kind ~= "text" and kind ~= "sign" and not HARMLESS[word] and not WORDS[word] then words[#words + 1] = word end
    at = behind
  end
  return at
end

local function without_token(quoted)
  local token = quoted:gsub("'$", "")
  local harmless = HARMLESS[token] or token == "<eof>" or token:find "^%p+$"
  return " near '" .. (harmless and token or "***") .. "'"
end

local function without_secrets(text, message)
  local lower = text:lower()
  if lower:find "%f[%w_]auth%f[^%w_]" or lower:find "%f[%w_]tls%f[^%w_]" or lower:find "passw"
    or lower:find "secret" or lower:find "token" then
    message = message:gsub(" near '(.*)$", without_token)
  end
  local words, list, done = {}, {}, 0
  lua_text.assignments(text, function(key, at, behind)
    if at >= done and (SECTIONS[key] or secrets.is_name(key)) then done = collect(text, behind, words) end
  end)
  if #words == MOST_WORDS then return "what is wrong is not shown" end
  for _, word in ipairs(words) do
    if #word > 0 and message:find(word, 1, true) then list[#list + 1] = word end
  end
  table.sort(list, function(a, b) return #a > #b or #a == #b and a < b end)
  for _, word in ipairs(list) do
    local plain = word:gsub("%W", "%%%0")
    message = message:gsub(#word < 4 and "'" .. plain .. "'" or plain, #word < 4 and "'***'" or "***")
  end
  return message
end

-- A message of the compiler or of the running file, which may quote what stands in the text: without the words of its
-- secrets. Where the compiler is lost in a text that has some, it quotes nothing.
function secrets.about(text, message)
  local place, rest = message:match "^([^\n'\"]-:%d+: )(.*)$"
  return (place or "") .. without_secrets(text, rest or message)
end

return secrets
