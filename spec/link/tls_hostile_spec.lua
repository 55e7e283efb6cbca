-- SPDX-License-Identifier: Apache-2.0
-- A node that speaks TLS as no library would: records that are made by hand, before the handshake and, with the keys
-- that its own side tells, behind it. What OpenSSL bounds by itself stands here, so that it stays bounded. Both sides
-- stand in memory.
local ffi = require "ffi"
local C = require "spec.support.c"
local clients = require "spec.support.client"
local tls_world = require "spec.link.tls_world"

if not C.mp_tls_is_built() then return end

ffi.cdef [[
typedef struct spec_cipher spec_cipher;
void SSL_CTX_set_keylog_callback(void *, void (*)(const void *, const char *));
int SSL_CTX_set_num_tickets(void *, size_t);
const void *EVP_sha384(void);
const void *EVP_aes_256_gcm(void);
uint8_t *HMAC(const void *, const void *, int, const uint8_t *, size_t, uint8_t *, unsigned *);
spec_cipher *EVP_CIPHER_CTX_new(void);
void EVP_CIPHER_CTX_free(spec_cipher *);
int EVP_EncryptInit_ex(spec_cipher *, const void *, void *, const uint8_t *, const uint8_t *);
int EVP_EncryptUpdate(spec_cipher *, uint8_t *, int *, const uint8_t *, int);
int EVP_EncryptFinal_ex(spec_cipher *, uint8_t *, int *);
int EVP_CIPHER_CTX_ctrl(spec_cipher *, int, int, void *);
]]
local crypto = ffi.C
local on_plain_type = ffi.typeof "bool (*)(void *, const uint8_t *, size_t)"
local on_line_type = ffi.typeof "void (*)(const void *, const char *)"
local buf_type, addr_type = ffi.typeof "struct mp_buf", ffi.typeof "struct mp_addr"
local uuid_type, pointers = ffi.typeof "struct mp_uuid", ffi.typeof "void **"
local bytes_type, int_type = ffi.typeof "uint8_t[?]", ffi.typeof "int[1]"
local ALERT, HANDSHAKE, DATA = 21, 22, 23

local function u16(n) return string.char(math.floor(n / 256), n % 256) end
local function record(kind, text, length) return string.char(kind, 3, 3) .. u16(length or #text) .. text end

-- ---- what a node of 1.3 sends behind its handshake (RFC 8446, 5.2 and 7.3) --------------------------------

local function expand(secret, label, length)
  local info = u16(length) .. string.char(#label + 6) .. "tls13 " .. label .. "\0\1"
  local out = bytes_type(64)
  crypto.HMAC(crypto.EVP_sha384(), secret, #secret, info, #info, out, nil)
  return ffi.string(out, length)
end

local Sealer = {}
Sealer.__index = Sealer

local function sealer(secret)
  return setmetatable({ secret = secret, key = expand(secret, "key", 32), iv = expand(secret, "iv", 12), count = 0 },
    Sealer)
end

-- A KeyUpdate, behind which the keys are others.
function Sealer:update(padding)
  local text = self:seal(HANDSHAKE, "\24\0\0\1\0", padding)
  for name, value in pairs(sealer(expand(self.secret, "traffic upd", 48))) do self[name] = value end
  return text
end

-- `padding`: zeros behind it, as 1.3 allows.
function Sealer:seal(kind, text, padding)
  local inner = text .. string.char(kind) .. ("\0"):rep(padding or 0)
  local head = record(DATA, "", #inner + 16)
  local nonce = bytes_type(12, self.iv:byte(1, 12))
  for i = 0, 3 do nonce[11 - i] = bit.bxor(nonce[11 - i], bit.band(bit.rshift(self.count, 8 * i), 255)) end
  self.count = self.count + 1
  local context, len = crypto.EVP_CIPHER_CTX_new(), int_type()
  local out, tag = bytes_type(#inner + 16), bytes_type(16)
  assert(crypto.EVP_EncryptInit_ex(context, crypto.EVP_aes_256_gcm(), nil, self.key, nonce) == 1)
  assert(crypto.EVP_EncryptUpdate(context, nil, len, head, #head) == 1)
  assert(crypto.EVP_EncryptUpdate(context, out, len, inner, #inner) == 1 and len[0] == #inner)
  assert(crypto.EVP_EncryptFinal_ex(context, out + len[0], len) == 1)
  assert(crypto.EVP_CIPHER_CTX_ctrl(context, 0x10, 16, tag) == 1)
  crypto.EVP_CIPHER_CTX_free(context)
  return head .. ffi.string(out, #inner) .. ffi.string(tag, 16)
end

-- ---- the cases --------------------------------------------------------------------------------------------

describe("TLS with a node of no library's", function()
  local tls = tls_world.new()
  local client, plain, wire, on_plain, got
  setup(function() tls:begin() end)
  teardown(function() tls:finish() end)

  before_each(function()
    plain, wire, got = buf_type(), buf_type(), 0
    C.mp_buf_init(plain)
    C.mp_buf_init(wire)
    on_plain = ffi.cast(on_plain_type, function(_, _, len)
      got = got + tonumber(len)
      return true
    end)
    local addr = addr_type()
    assert(C.mp_addr_parse_ip("127.0.0.1", 9042, addr) == 0)
    client = C.mp_tls_new(assert(tls:context { ca = "ca.pem" }), nil, addr, uuid_type())
  end)
  after_each(function()
    C.mp_tls_free(client)
    C.mp_buf_deinit(plain)
    C.mp_buf_deinit(wire)
    on_plain:free()
    tls:close()
  end)

  local function feed(text) return C.mp_tls_feed(client, text, #text, on_plain, nil) end
  local function why() return ffi.string(C.mp_tls_why(client)) end

  local function taken()
    local records = C.mp_tls_records(client)
    local count = tonumber(C.mp_pack_waiting(records))
    local bytes = count > 0 and ffi.string(records.wire.data + records.taken, count) or ""
    C.mp_pack_took(records, count, 0)
    return bytes
  end

  local function node_of(context) return ffi.gc(C.mp_sim_tls_new(context), C.mp_sim_tls_free) end

  -- A handshake with a node of that version; what seals its further records (1.3).
  local function open(minor)
    local server_context, secret = tls:server("good", { minor = minor }), nil
    local inner = ffi.cast(pointers, server_context)[0]
    local on_line = ffi.cast(on_line_type, function(_, line)
      secret = ffi.string(line):match "^SERVER_TRAFFIC_SECRET_0 %x+ (%x+)" or secret
    end)
    crypto.SSL_CTX_set_keylog_callback(inner, on_line)
    crypto.SSL_CTX_set_num_tickets(inner, 0)
    local server = node_of(server_context)
    assert.equal(0, feed "")
    for _ = 1, 3 do
      local bytes = taken()
      assert.equal(0, C.mp_sim_tls_feed(server, bytes, #bytes, plain, wire))
      assert.equal(0, feed(ffi.string(wire.data, wire.len)))
      C.mp_buf_clear(wire)
    end
    assert.is_true(C.mp_tls_is_open(client))
    on_line:free()
    if minor == 2 then return server end
    return sealer((secret:gsub("%x%x", function(x) return string.char(tonumber(x, 16)) end)))
  end

  -- How many of what make(i) gives came before the client had enough, and how many bytes; nil: it had not.
  local function flood(make, times)
    local bytes = 0
    for i = 1, times do
      local text = make(i)
      bytes = bytes + #text
      local rc = feed(text)
      if rc ~= 0 then
        assert.equal(C.MP_EPROTO, rc)
        assert.equal(0, got)
        return i, bytes
      end
      taken()
    end
  end

  -- What comes instead of an answer to the first message, how many of them at most, and what is said then.
  for name, case in pairs {
    ["warnings"] = { record(ALERT, "\1\90"), 5, "one warning after the other" },
    ["empty records"] = { record(HANDSHAKE, ""), 33, "one empty record after the other" },
    ["an empty alert"] = { record(ALERT, ""), 1, "invalid alert" },
    ["a record of 20,000 bytes"] = { record(HANDSHAKE, ("x"):rep(20000)), 1, "packet length too long" },
    ["the beginning of one of 65,535"] = { record(HANDSHAKE, "x", 65535), 1, "packet length too long" },
    ["a message of 16 MB"] = { record(HANDSHAKE, "\2\255\255\255x"), 1, "a message of the node's is too long" },
    ["questions for a new handshake"] = { record(HANDSHAKE, "\0\0\0\0"):rep(100), 300,
      "messages of TLS's own all the time" },
    ["data"] = { record(DATA, "\132"), 1, "unexpected message" },
    ["another web server's page"] = { "HTTP/1.1 400 Bad Request\r\n\r\n", 1, "does not speak TLS" },
  } do
    it("is refused before the handshake: " .. name, function()
      assert.equal(0, feed "")
      taken()
      local count, bytes = flood(function() return case[1] end, 1000)
      assert.is_true(count ~= nil and count <= case[2], tostring(count))
      assert.is_true(bytes <= 400000, bytes)
      assert.matches(case[3], why(), 1, true)
    end)
  end

  local TICKET = "\4\0\0\22\0\0\28\32\0\0\0\1\8nonceone\0\1t\0\0" -- lasts two hours
  for name, case in pairs {
    ["empty records"] = { function(node) return node:seal(DATA, "") end, 33, "one empty record after the other" },
    ["empty messages"] = { function(node) return node:seal(HANDSHAKE, "") end, 1, "bad length" },
    ["nothing but padding"] = { function(node) return node:seal(0, "\0\0") end, 1, "bad record type" },
    ["warnings"] = { function(node) return node:seal(ALERT, "\1\90") end, 5, "one warning after the other" },
    ["new keys"] = { function(node) return node:update(1000) end, 300, "messages of TLS's own all the time" },
    ["tickets"] = { function(node) return node:seal(HANDSHAKE, TICKET, 1000) end, 300,
      "messages of TLS's own all the time" },
    ["a ticket of 16 MB"] = { function(node) return node:seal(HANDSHAKE, "\4\255\255\255x") end, 1,
      "a message of the node's is too long" },
    ["a record of more than 16 kB"] = { function(node) return node:seal(DATA, ("x"):rep(16385)) end, 1,
      "data length too long" },
    ["a record of more than there can be"] = { function(node) return node:seal(DATA, ("x"):rep(16800)) end, 1,
      "packet length too long" },
    ["a question for a new handshake"] = { function(node) return node:seal(HANDSHAKE, "\0\0\0\0") end, 1,
      "unexpected message" },
    ["a question for our certificate"] = { function(node) return node:seal(HANDSHAKE, "\13\0\0\3\0\0\0") end, 1,
      "unexpected message" },
    ["a record that is not sealed"] = { function() return record(DATA, ("x"):rep(64)) end, 1, "bad record mac" },
  } do
    it("is refused in the middle of traffic: " .. name, function()
      local node = open(3)
      local count, bytes = flood(function() return case[1](node) end, 1000)
      assert.is_true(count ~= nil and count <= case[2], tostring(count))
      assert.is_true(bytes <= 400000, bytes)
      assert.matches(case[3], why(), 1, true)
    end)
  end

  it("may have what TLS says between its data, as long as there is some", function()
    local node = open(3)
    for i = 1, 60 do
      for _ = 1, 3 do assert.equal(0, feed(node:update(1000) .. node:seal(HANDSHAKE, TICKET, 1000))) end
      assert.equal(0, feed(node:seal(DATA, ("x"):rep(200))))
      assert.equal(200 * i, got)
    end
    local large = node:seal(DATA, ("x"):rep(16384))
    for at = 1, #large, 7 do assert.equal(0, feed(large:sub(at, at + 6))) end
    assert.equal(60 * 200 + 16384, got)
  end)

  it("is refused its questions for a new handshake in 1.2, and lost when it reads no refusal", function()
    local node = open(2)
    for _ = 1, 3 do
      for _ = 1, 100 do
        assert.equal(0, C.mp_sim_tls_renegotiate(node, wire))
        assert.equal(0, feed(ffi.string(wire.data, wire.len)))
        C.mp_buf_clear(wire)
      end
      assert.is_true(#taken() >= 100 * 7) -- each by a warning, and by no handshake
    end
    local count
    for i = 1, 1000 do
      assert.equal(0, C.mp_sim_tls_renegotiate(node, wire))
      local rc = feed(ffi.string(wire.data, wire.len))
      C.mp_buf_clear(wire)
      count = count or rc ~= 0 and i
    end
    assert.is_true(count and count <= 300, tostring(count))
    assert.matches("reads none of them", why(), 1, true)
  end)

  for minor = 2, 3 do
    it("with 1,000 certificates is refused before they have come, 1." .. minor, function()
      local one = assert(io.open(tls:file "good.pem")):read "*a"
      local other = assert(io.open(tls:file "ca.pem")):read "*a"
      local file = assert(io.open(tls:file "long.pem", "w"))
      file:write(one, other:rep(999))
      file:close()
      assert(os.execute(("cp '%s' '%s'"):format(tls:file "good.key", tls:file "long.key")) == 0)
      local node = node_of(tls:server("long", { minor = minor }))
      assert.equal(0, feed "")
      local bytes = taken()
      assert.equal(0, C.mp_sim_tls_feed(node, bytes, #bytes, plain, wire))
      assert.is_true(wire.len > 200000, tonumber(wire.len))
      local count = flood(function(i) return ffi.string(wire.data + (i - 1) * 500, 500) end, 400)
      assert.is_true(count * 500 <= 20000, count)
      assert.matches("a message of the node's is too long; its certificates may have 100 kB", why(), 1, true)
    end)
  end
end)

describe("TLS of a connection", function()
  local tls = tls_world.new()
  setup(function() tls:begin() end)
  teardown(function() tls:finish() end)
  after_each(function() tls:close() end)

  it("whose handshake drips in ends at the deadline", function()
    local world = tls:open { plain = true, settings = { connect_timeout_ms = 3000 }, peer = { deaf = true } }
    local link = world.client:open(world.addr)
    local message = record(HANDSHAKE, "\2\0\64\0" .. ("\3"):rep(100), 16384)
    for at = 1, 40 do
      world:pass(100)
      if not link.closed then world.peer:last():raw(message:sub(at, at)) end
    end
    assert.equal(tonumber(C.MP_CLOSE_HANDSHAKE_TIMEOUT), link.closed.reason)
    assert.equal("no handshake within 3000 ms: it waits for the TLS handshake", link.closed.message)
  end)

  for _, version in ipairs { 4, 5 } do
    it("that says its end in the middle of an answer is lost, and what was sent is unknown: v" .. version, function()
      for cut = 0, 40, 5 do
        local world = tls:open { version = version }
        local link, node = world:ready()
        local call = assert(link:call "which")
        world:until_true(function() return #node.requests == 1 end)
        local answer = node:framed(node:echo_bytes(node.requests[1], ("y"):rep(40)))
        node:raw(answer:sub(1, cut))
        node:close()
        world:until_true(function() return link.closed end)
        world:until_true(function() return call.rc end)
        assert.equal(C.MP_ELOST, call.rc)
        assert.equal(2, clients.sent(call)) -- all of it
        assert.equal(C.MP_ELOST, link.closed.err)
        assert.equal("the node closed the connection" .. (cut > 0 and ", in the middle of an answer" or ""),
          link.closed.message)
        tls:close_world()
      end
    end)
  end
end)

jit.off(true, true)
