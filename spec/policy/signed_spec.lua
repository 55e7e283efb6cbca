-- SPDX-License-Identifier: Apache-2.0
-- policyKeys: only files with a good signature come into force, at the start, at a reload, and by hand; who signs, and
-- what is told of the others.
local config_file = require "spec.support.config_file"
local core = require "moonpool.core_loader"
local moonpool = require "moonpool"
local policies = require "spec.support.policies"
local program = require "spec.support.program"
local without_world = it
local it = require("spec.support.world").inside(it)

local folder, pem, key

local function write(name, text) policies.write(folder .. "/" .. name, text) end
local function sign(name, text, with) -- what is signed may be another text
  write(name .. ".sig", "ed25519 " .. assert(core.signText(with or pem, text)) .. "\n")
end

local function policy(name, more)
  local text = "return balance { name = %q, %s plan = function(plan)\n  plan:hosts(localDc, inTurn)\nend }"
  return text:format(name, more or "")
end

-- A pool that serves mine.lua; or nil and why there is none.
local function open(world, extra)
  local given = world:configuration(extra)
  given.loadBalancing = given.loadBalancing or { policy = folder .. "/mine.lua" }
  given.policyKeys = given.policyKeys or { "ed25519 " .. key }
  local ok, pool = pcall(moonpool.ConnectionPool, given)
  if not ok then return nil, tostring(pool) end
  world.pools[#world.pools + 1] = pool
  assert(pool:connect())
  return pool
end

local function name_of(pool) return pool:policies().balance.name end

describe("policyKeys", function()
  before_each(function()
    folder = policies.folder()
    pem, key = core.newSigningKey()
  end)
  after_each(function() policies.remove(folder) end)

  it("lets in what is signed by one of them, and no other file", {}, function(world)
    local text = policy "Mine"
    write("mine.lua", text)
    local pool, why = open(world)
    assert.is_nil(pool)
    assert.matches("mine.lua: it is not signed", why, 1, true)
    local other, other_key = core.newSigningKey()
    sign("mine.lua", text, other)
    pool, why = open(world)
    assert.is_nil(pool)
    assert.matches("is not of this text by one of policyKeys", why, 1, true)
    sign("mine.lua", text .. " ")
    assert.is_nil((open(world)))
    sign("mine.lua", text)
    assert.equal("Mine", name_of(assert(open(world))))
    sign("mine.lua", text, other)
    assert.equal("Mine", name_of(assert(open(world, { policyKeys = { "ed25519 " .. key, "ed25519 " .. other_key } }))))
    write("mine.lua.sig", "nonsense\n" .. "ed25519 00\ned25519 " .. ("0"):rep(128) .. "\ned25519 "
      .. core.signText(pem, text) .. " by somebody\n")
    assert.equal("Mine", name_of(assert(open(world))))
  end)

  it("are made of no other keys, and none that wants a passphrase", {}, function()
    local function openssl(arguments)
      local pipe = assert(io.popen("openssl " .. arguments .. " 2>/dev/null"))
      local made = pipe:read "*a"
      pipe:close()
      assert.matches("PRIVATE KEY", made)
      return made
    end
    local path = folder .. "/key.pem"
    write("key.pem", pem)
    for _, other in ipairs { "", "nonsense", pem:sub(1, -20), (pem:gsub("PRIVATE", "PUBLIC")),
      openssl "genpkey -algorithm X25519", openssl "ecparam -name prime256v1 -genkey -noout",
      openssl("pkey -aes128 -passout pass:x -in " .. path) } do
      local signature, why = core.signText(other, "text")
      assert.is_nil(signature)
      assert.equal("the key is no private key of Ed25519 as PEM without a passphrase", why)
    end
    assert.equal(openssl("pkey -in " .. path), pem)
  end)

  it("asks nothing of the built-in ones, whatever way leads there, and of all others that look like them", {},
    function(world)
      assert(open(world, { loadBalancing = { policy = "TokenAwarePolicy" } }))
      local why
      write("token_aware.lua", policy "TokenAwarePolicy")
      local pool
      pool, why = open(world, { loadBalancing = { policy = "TokenAwarePolicy" }, policyPath = { folder } })
      assert.is_nil(pool)
      assert.matches("it is not signed", why, 1, true)
      os.execute(("ln -s '%s/token_aware.lua' '%s/linked.lua'"):format(folder, folder))
      assert.is_nil((open(world, { loadBalancing = { policy = folder .. "/linked.lua" } })))
    end)

  it("asks the same of a child, and of other kinds", {}, function(world)
    local text = policy("Mine", "options = { childPolicy = './child.lua' },")
    write("mine.lua", text)
    sign("mine.lua", text)
    write("child.lua", policy "Child")
    local pool, why = open(world)
    assert.is_nil(pool)
    assert.matches("child.lua: it is not signed", why, 1, true)
    sign("child.lua", policy "Child")
    pool = assert(open(world))
    write("retry.lua", "return retry { name = 'R', decide = function() return giveUp end }")
    local ok, err = pool:usePolicy("retry", folder .. "/retry.lua")
    assert.is_nil(ok)
    assert.matches("it is not signed", tostring(err), 1, true)
  end)

  it("holds at a reload, whichever of both files comes first, and tells what it refused", {}, function(world)
    local first, second = policy "First", policy "Second"
    write("mine.lua", first)
    sign("mine.lua", first)
    local pool = assert(open(world))
    local told = world:listen(pool, "policyError", "policyReload")
    local function touch(name) world.sim:touch(folder .. "/" .. name) moonpool.sleep(200) end
    write("mine.lua", second)
    touch "mine.lua"
    world:eventually("it is refused", function() return #told.policyError == 1 end)
    assert.equal("First", name_of(pool))
    sign("mine.lua", second)
    touch "mine.lua.sig"
    world:eventually("it serves", function() return name_of(pool) == "Second" end)
    sign("mine.lua", first)
    touch "mine.lua.sig"
    assert.equal("Second", name_of(pool))
    write("mine.lua", first)
    touch "mine.lua"
    world:eventually("it serves", function() return name_of(pool) == "First" end)
    write("mine.lua", second)
    assert.is_nil((pool:reload()))
    assert.equal("First", name_of(pool))
    assert.equal(0, pool:policies().balance.errors)
  end)

  it("are not changed by a file", {}, function(world)
    write("mine.lua", policy "Mine")
    sign("mine.lua", policy "Mine")
    local function configure(keys)
      write("pool.lua", ([[return { contactPoints = { "127.0.0.1" }, localDataCenter = "datacenter1",
        logging = { level = "off" }, loadBalancing = { policy = "./mine.lua" }, %s }]]):format(keys))
    end
    configure(('policyKeys = { "ed25519 %s" }'):format(key))
    local pool = moonpool.ConnectionPool(folder .. "/pool.lua")
    world.pools[#world.pools + 1] = pool
    assert(pool:connect())
    configure ""
    local ok, err = pool:reload()
    assert.is_nil(ok)
    assert.matches("policyKeys", tostring(err), 1, true)
  end)

  without_world("are judged as a configuration is", function()
    local function check(text) return config_file.check("policyKeys", text) end
    assert.equal(key, (assert(check("'ed25519 " .. key .. " ana'")).policyKeys[1]:gsub(".", function(c)
      return ("%02x"):format(c:byte())
    end)))
    for _, text in ipairs { "{}", "1", "{ 'ed25519' }", "{ '" .. key .. "' }", "{ 'rsa " .. key .. "' }",
      "{ 'ed25519 " .. key .. "0' }", "{ x = 'ed25519 " .. key .. "' }" } do
      local checked, why = check(text)
      assert.is_nil(checked)
      assert.matches("policyKeys", why, 1, true)
    end
  end)
end)

describe("moonpool sign", function()
  before_each(function() folder = policies.folder() end)
  after_each(function() policies.remove(folder) end)

  local function run(arguments)
    return program.sh(("cd '%s' && '%s' sign %s"):format(folder, program.moonpool, arguments))
  end

  without_world("makes a key for its owner only, and signatures that OpenSSL takes", function()
    write("mine.lua", policy "Mine")
    local said, status = run "--new-key mine.pem"
    assert.equal(0, status, said)
    assert.matches('^policyKeys = { "ed25519 %x+" },\n$', said)
    assert.equal("600\n", (program.sh("stat -c %a " .. folder .. "/mine.pem")))
    assert.equal(0, select(2, run "--key mine.pem mine.lua"))
    local hex = io.open(folder .. "/mine.lua.sig"):read("*a"):match "^ed25519 (%x+) by "
    local file = io.open(folder .. "/raw", "wb")
    file:write((hex:gsub("%x%x", function(digits) return string.char(tonumber(digits, 16)) end)))
    file:close()
    said, status = program.sh(("cd '%s' && openssl pkeyutl -verify -rawin -inkey mine.pem -in mine.lua -sigfile raw")
      :format(folder))
    assert.equal(0, status, said)
  end)

  without_world("takes OpenSSL's keys, and refuses what is none", function()
    write("mine.lua", policy "Mine")
    for kind, name in pairs { ed25519 = "ours", rsa = "rsa" } do
      program.sh(("openssl genpkey -algorithm %s -out '%s/%s.pem'"):format(kind, folder, name))
    end
    assert.equal(0, select(2, run "--key ours.pem mine.lua"))
    for _, arguments in ipairs { "--key rsa.pem mine.lua", "--key mine.lua mine.lua", "--key nowhere.pem mine.lua",
      "--key ours.pem nowhere.lua", "--new-key ours.pem" } do
      local said, status = run(arguments)
      assert.equal(1, status, said)
    end
    assert.matches("rsa.pem: the key is no private key of Ed25519", (run "--key rsa.pem mine.lua"), 1, true)
    for _, arguments in ipairs { "", "mine.lua", "--key ours.pem", "--key ours.pem --new-key x.pem mine.lua" } do
      assert.equal(2, select(2, run(arguments)))
    end
  end)
end)
