-- SPDX-License-Identifier: Apache-2.0
-- moonpool sign: a signature beside each file, which `policyKeys` of a configuration wants. Exit status 0: all are
-- signed; 1: one is not; 2: wrong usage.
local core = require "moonpool.core_loader"
local ffi = require "ffi"
local say = require "moonpool.cli.say"

ffi.cdef "unsigned int umask(unsigned int mask);"

local OWNER_ONLY = 63 -- octal 077

local sign = {}

function sign.define(parser)
  local command = parser:command("sign", "Sign policies: FILE.sig is written beside each FILE.")
  command:argument("files", "What is signed."):args "*":argname "FILE"
  command:option("--key", "The private key: Ed25519, as PEM without a passphrase."):argname "KEY.pem"
  command:option("--new-key", "Make a key, write it there, and print what policyKeys wants."):argname "KEY.pem"
end

local function read(path)
  local file, why = io.open(path, "rb")
  if not file then return nil, why end
  local text, unreadable = file:read "*a"
  file:close()
  return text, unreadable or path .. ": cannot be read"
end

-- As a whole or not at all, as nobody sees half a signature: a new file takes the place of the old.
local function write(path, text)
  local beside = path .. ".new"
  local file, why = io.open(beside, "wb")
  if not file then return nil, why end
  file:write(text)
  local ok
  ok, why = file:close()
  if ok then ok, why = os.rename(beside, path) end
  if not ok then os.remove(beside) end
  return ok, why
end

local function new_key(path)
  local there = io.open(path, "r")
  if there then
    there:close()
    return nil, path .. " is there already, and is not overwritten"
  end
  local pem, key = core.newSigningKey()
  if not pem then return nil, key end
  local before = ffi.C.umask(OWNER_ONLY)
  local ok, why = write(path, pem)
  ffi.C.umask(before)
  if not ok then return nil, why end
  print(('policyKeys = { "ed25519 %s" },'):format(key))
  return true
end

local function sign_file(pem, path)
  local text, why = read(path)
  if not text then return nil, why end
  local signature, key = core.signText(pem, text)
  if not signature then return nil, key end
  local ok
  ok, why = write(path .. ".sig", ("ed25519 %s by %s\n"):format(signature, key))
  if not ok then return nil, why end
  print(path .. ".sig")
  return true
end

function sign.run(options)
  if (options.key == nil) == (options.new_key == nil) or (options.key and #options.files == 0)
    or (options.new_key and #options.files > 0) then
    say.failed "sign wants --key KEY.pem and files, or --new-key KEY.pem"
    return 2
  end
  if options.new_key then
    local ok, why = new_key(options.new_key)
    return ok and 0 or say.failed(why)
  end
  local pem, why = read(options.key)
  if not pem then return say.failed(why .. " (--new-key makes a key)") end
  local usable
  usable, why = core.signText(pem, "")
  if not usable then return say.failed(options.key .. ": " .. why) end
  local status = 0
  for _, path in ipairs(options.files) do
    local ok
    ok, why = sign_file(pem, path)
    if not ok then status = say.failed(why) end
  end
  return status
end

return sign
