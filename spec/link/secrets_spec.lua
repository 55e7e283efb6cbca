-- SPDX-License-Identifier: Apache-2.0
-- What is secret does not outlive its use: not in freed memory either.
local ffi = require "ffi"
local C = require "spec.support.c"
local certificates = require "spec.support.certificates"
local secret = require "spec.link.secret"

describe("a secret", function()
  local function text_of(one) return ffi.cast("const char *", one.text) end

  it("is found where it stands, so that not to find it means something", function()
    local one = secret.new()
    assert.equal(1, one:places())
    local copy = C.mp_strdup(text_of(one))
    assert.equal(2, one:places())
    C.mp_free(copy) -- nobody has wiped it, though its first bytes may be the allocator's now
    one:forget()
    assert.is_true(one:places() <= 1)
  end)

  it("goes with the configuration that had it", function()
    local one, config, copy = secret.new(), ffi.new "struct mp_session_config", ffi.new "struct mp_session_config"
    C.mp_session_config_defaults(config)
    config.username, config.password = "ana", text_of(one)
    assert.equal(0, C.mp_session_config_copy(copy, config))
    C.mp_session_config_free(copy)
    one:forget()
    assert.equal(0, one:places())
  end)

  it("goes with the write buffer that it was put into, sent or not", function()
    for _, compressed in ipairs { false, true } do
      local one, out = secret.new(), ffi.new "struct mp_output"
      C.mp_output_init(out)
      if compressed then C.mp_output_use_lz4_segments(out) end
      C.mp_output_set_secret(out, true)
      local start = C.mp_output_begin(out)
      local begin = C.mp_envelope_begin(out.buf, 5, false, 0, 1, C.MP_OP_AUTH_RESPONSE)
      C.mp_buf_reserve(out.buf, 100)
      C.mp_buf_bytes(out.buf, one.text, one.size)
      C.mp_envelope_end(out.buf, begin)
      local from, to = ffi.new "uint64_t[1]", ffi.new "uint64_t[1]"
      assert.equal(0, C.mp_output_commit(out, start, from, to))
      C.mp_output_end(out) -- compressed it stands somewhere else now
      one:forget()
      assert.equal(1, one:places())
      C.mp_output_deinit(out)
      assert.equal(0, one:places())
    end
  end)

  -- An output that has begun to hold a secret: both, and where it begins.
  local function begun()
    local one, out = secret.new(), ffi.new "struct mp_output"
    C.mp_output_init(out)
    C.mp_output_set_secret(out, true)
    local start = C.mp_output_begin(out)
    C.mp_buf_bytes(out.buf, one.text, one.size)
    return one, out, start
  end

  it("goes with what was cancelled, once nothing is secret any more", function()
    local one, out, start = begun()
    C.mp_output_cancel(out, start)
    one:forget()
    assert.equal(1, one:places())
    C.mp_output_set_secret(out, false)
    assert.equal(0, one:places())
    C.mp_output_deinit(out)
  end)

  it("stays while it waits to be sent", function()
    local one, out, start = begun()
    local from, to = ffi.new "uint64_t[1]", ffi.new "uint64_t[1]"
    assert.equal(0, C.mp_output_commit(out, start, from, to))
    one:forget()
    C.mp_output_set_secret(out, false)
    assert.equal(1, one:places())
    C.mp_output_deinit(out)
  end)

  if C.mp_tls_is_built() then
    it("goes with the context of TLS: the file of its key, and the key's pass phrase", function()
      local folder = certificates.folder()
      local phrase, options, err = secret.new(), ffi.new "struct mp_tls_options", ffi.new "int[1]"
      local why, key_path, cert = ffi.new "char[300]", folder .. "/hidden.key", folder .. "/good.pem"
      local phrase_path = folder .. "/phrase"
      phrase:write(phrase_path)
      assert(os.execute(("openssl ec -in '%s/good.key' -aes128 -passout 'file:%s' -out '%s' 2>/dev/null")
        :format(folder, phrase_path, key_path)) == 0)
      local plain = secret.of_file(folder .. "/good.key", 60, 40) -- the middle of the key's text
      options.cert, options.key, options.pass_phrase = cert, key_path, text_of(phrase)
      local context = C.mp_tls_context_new(options, why, 300, err)
      assert(context ~= nil, ffi.string(why))
      assert.equal(1, phrase:places()) -- it is read, not kept
      C.mp_tls_context_unref(context)
      local plain_path = folder .. "/good.key"
      options.key, options.pass_phrase = plain_path, nil
      context = C.mp_tls_context_new(options, why, 300, err)
      assert(context ~= nil, ffi.string(why))
      C.mp_tls_context_unref(context)
      phrase:forget()
      plain:forget()
      assert.equal(0, phrase:places())
      assert.equal(0, plain:places())
      certificates.remove(folder)
    end)
  end
end)
