-- SPDX-License-Identifier: Apache-2.0
-- http.listen: the status page as a client sees it that is no browser: what is there, who may look, and that nobody who
-- looks holds anything up. What a browser shows: browser_spec.lua.
local cjson = require "cjson"
local client = require "spec.http.client"
local ffi = require "ffi"
local policies = require "spec.support.policies"
local ports = require "spec.support.ports"
local program = require "spec.support.program"
local scene = require "spec.http.scene"
local unix = require "spec.support.unix"

local PORT = ports.at(4)
local OWN = "127.0.0.1:" .. PORT

-- The answer to a GET with these headers: status, headers, body.
local function get(path, headers, method)
  local request = "%s %s HTTP/1.1\r\n%s\r\nConnection: close\r\n\r\n"
  local said = client.raw("127.0.0.1", PORT, request:format(method or "GET", path, headers or "Host: " .. OWN))
  local head, body = said:match "^(.-)\r\n\r\n(.*)$"
  return tonumber(head:match "^HTTP/1%.1 (%d+)"), head, body
end

local function json(path) return cjson.decode((select(3, get(path)))) end

-- A stream, as soon as there is room for it, and what has come of it: those that were closed are noticed with the next
-- figures.
local function open_stream()
  for _ = 1, 1200 do
    local fd = client.dial("127.0.0.1", PORT)
    unix.send(fd, ("GET /api/stream HTTP/1.1\r\nHost: %s\r\n\r\n"):format(OWN))
    local text = client.receive(fd)
    if text:find "^HTTP/1.1 200" then return fd, text end
    unix.close(fd)
    ffi.C.usleep(25000)
  end
  error "there is no room for a stream"
end

describe("the status page that everybody of this machine may see", function()
  local process
  setup(function() process = scene.start("pool { listen = listen, metrics = listen }", { port = PORT }) end)
  teardown(function()
    local log = process.stop()
    policies.remove(process.folder)
    assert.matches("status 0", log)
  end)

  it("is some files, an overview, and the ring", function()
    local status, head, body = get "/"
    assert.equal(200, status)
    assert.matches("Content%-Type: text/html; charset=utf%-8", head)
    assert.matches("default%-src 'none'", head)
    assert.matches("X%-Content%-Type%-Options: nosniff", head)
    assert.is_nil(head:find "Access%-Control")
    for name in body:gmatch '="([%w]+%.%a+)"' do assert.equal(200, (get("/" .. name)), name) end
    assert.is_nil(body:find "https?://") -- nothing from elsewhere
    assert.equal("", (select(3, get("/page.js", nil, "HEAD"))))
    for _, path in ipairs { "/nothing", "/page.lua", "/init.lua", "/../init.lua", "/%2e%2e/init.lua", "/api/",
      "/api/ring/9/app", "/api/ring/x/app", "/api/ring/1" } do
      assert.equal(404, (get(path)), path)
    end
    assert.equal(405, (get("/", nil, "POST")))
    local overview = json "/api/overview"
    local pool = overview.pools[1]
    assert.equal(1, pool.number)
    assert.equal(4, #pool.hosts)
    assert.equal("healthy", pool.overall)
    assert.equal("TokenAwarePolicy", pool.policies[1].name)
    assert.is_true(#pool.events > 0 and #pool.playbooks == 0)
    local ring = json "/api/ring/1/app"
    assert.equal(180, #ring.slices)
    assert.same({ "app" }, ring.keyspaces)
    assert.is_true(ring.hasReplicas)
    for _, slice in ipairs(ring.slices) do
      assert.equal(2, #slice)
      assert.is_truthy(ring.hosts[slice[1] + 1] and ring.hosts[slice[2] + 1] and slice[1] ~= slice[2])
    end
    ring = json "/api/ring/1/nosuch" -- owners alone
    assert.is_false(ring.hasReplicas)
    assert.equal(1, #ring.slices[1])
  end)

  it("turns away who comes by another name than an address or localhost", function()
    for _, name in ipairs { OWN, "127.0.0.1", "localhost:" .. PORT, "LOCALHOST", "[::1]:" .. PORT, "10.0.0.9:80" } do
      assert.equal(200, (get("/", "Host: " .. name)), name)
    end
    for _, name in ipairs { "evil.example", "evil.example:" .. PORT, "localhost.evil.example",
      "127.0.0.1.evil.example", "", "127.0.0.1:9501@evil.example", "[evil.example]", "1.2.3.4.5",
      "[::1].evil.example:9501" } do
      for _, path in ipairs { "/", "/api/overview", "/api/stream", "/api/ring/1/app" } do
        assert.equal(421, (get(path, "Host: " .. name)), name .. path)
      end
    end
  end)

  it("serves eight streams and the metrics at one place, and no stream more", function()
    local streams = {}
    for i = 1, 8 do
      streams[i] = client.dial("127.0.0.1", PORT)
      unix.send(streams[i], ("GET /api/stream HTTP/1.1\r\nHost: %s\r\n\r\n"):format(OWN))
      assert.matches("^HTTP/1.1 200", client.receive(streams[i])) -- and nothing of it is read any more
    end
    assert.equal(503, (get "/api/stream"))
    for _ = 1, 5 do
      assert.equal(200, (get "/api/overview"))
      assert.equal(200, (get("/metrics", "Host: anything")))
    end
    for _, fd in ipairs(streams) do unix.close(fd) end
    unix.close((open_stream()))
  end)

  it("tells events as they happen, and what has become of the hosts right behind", function()
    local stream, text = open_stream()
    local function wait(pattern)
      for _ = 1, 1200 do
        if text:find(pattern) then return end
        text = text .. client.receive(stream)
      end
      error("'" .. pattern .. "' did not come:\n" .. text)
    end
    wait "event: overview"
    wait "event: figures"
    process.ctl "node 3 kill"
    wait '"event":"hostDown","host":"127%.0%.0%.3:.-event: figures\ndata: [^\n]*\n'
    local down = text:match '"event":"hostDown","host":"127%.0%.0%.3:.-event: figures\ndata: ([^\n]*)\n'
    -- What is chunked may be cut anywhere, so the text alone is looked at: the first figures behind have it down.
    assert.matches('"address":"127%.0%.0%.3:.-"status":"down"', (down:gsub("\r\n%x+\r\n", "")))
    unix.close(stream)
  end)

  it("survives whatever is sent to it, and the pool goes on", function()
    local random = math.random
    math.randomseed(11)
    local words = { "GET", "HEAD", "POST", " ", "\r\n", "\n", "/", "/api/ring/1/", "/api/stream", "/api/overview",
    "%00", "%", "..", "Host: ", "127.0.0.1", "[", "]", ":", "HTTP/1.1", "HTTP/1.0", "HTTP/9.9", "=", "-1",
    "Authorization: Basic ", "Bearer ", "99999999999999999999", "\0", "\255\254", "\t", ("a"):rep(5000),
    ("1"):rep(300), "Connection: keep-alive", "Range: bytes=0-1" }
    local function garbage()
    local begin = ("GET %s HTTP/1.1\r\nHost: %s\r\n"):format(words[random(7, 10)], OWN)
    local parts = random(3) == 1 and {} or { begin }
    for _ = 1, random(1, 12) do parts[#parts + 1] = words[random(#words)] end
    return table.concat(parts) .. "\r\n\r\n"
    end
    local before = json("/api/overview").pools[1].figures.requests
    for _ = 1, 150 do
      local fd = client.dial("127.0.0.1", PORT)
      unix.send(fd, garbage())
      client.receive(fd, 200)
      unix.close(fd)
    end
    assert.equal(200, (get "/"))
    for _ = 1, 1200 do
      if json("/api/overview").pools[1].figures.requests > before then return end
      ffi.C.usleep(25000)
    end
    error "no request of the pool has ended since"
  end)
end)

describe("the status page", function()

  it("wants the token where there is one, and shows it to nobody", function()
    local token = "CANARY-0123456789"
    local log = scene.run(("pool { listen = listen, token = %q }"):format(token), { port = PORT }, function(_, ctl)
      local function basic(password)
        local said = program.sh(("printf '%%s' 'anybody:%s' | base64 -w 0"):format(password))
        return "Host: db.example\r\nAuthorization: Basic " .. said
      end
      local status, head = get "/"
      assert.equal(401, status)
      assert.matches('WWW%-Authenticate: Basic realm="moonpool"', head)
      for _, path in ipairs { "/page.js", "/api/overview", "/api/stream", "/api/ring/1/app" } do
        assert.equal(401, (get(path)), path)
      end
      for _, wrong in ipairs { "", "CANARY", token .. "x", token:sub(1, -2) .. "8", token .. token } do
        assert.equal(401, (get("/api/overview", basic(wrong))), wrong)
        assert.equal(401, (get("/api/overview", "Host: " .. OWN .. "\r\nAuthorization: Bearer " .. wrong)), wrong)
      end
      assert.equal(200, (get("/", basic(token))))
      local ok, _, body = get("/api/overview", "Host: db.example\r\nAuthorization: Bearer " .. token)
      assert.equal(200, ok)
      assert.is_nil(body:find "CANARY")
      local shown = ctl "config"
      assert.matches("http.token +%(secret%)", shown)
      assert.is_nil((shown .. ctl "--json config"):find "CANARY")
    end)
    assert.is_nil(log:find "CANARY")
  end)

  it("is refused where other machines reach it without a token, and with a wrong one", function()
    local folder = policies.folder()
    local function check(http)
      policies.write(folder .. "/pool.lua", "return {\n  contactPoints = { '127.0.0.1' },\n  http = " .. http .. " }")
      return program.sh(("'%s' check %s/pool.lua"):format(program.moonpool, folder))
    end
    for _, place in ipairs { "0.0.0.0:9501", "10.0.0.1:9501", "[::]:9501", "[2001:db8::1]:9501", "128.0.0.1:9501" } do
      local said, status = check(("{ listen = '%s' }"):format(place))
      assert.equal(1, status, place)
      assert.matches("pool.lua:3: http.listen: other machines reach .*: give http.token a secret", said)
      assert.equal(0, select(2, check(("{ listen = '%s', token = 'CANARY-0123456789' }"):format(place))))
    end
    for _, place in ipairs { "127.0.0.1:9501", "127.9.9.9:1", "[::1]:9501", "/run/me/page" } do
      assert.equal(0, select(2, check(("{ listen = '%s' }"):format(place))), place)
    end
    for _, token in ipairs { "'CANARY'", "'CANARY 0123456789'", "1e9", "''", "{ 'CANARY-0123456789' }",
      ("'CANARY%s'"):format(("x"):rep(300)) } do
      local said, status = check(("{ listen = '127.0.0.1:9501', token = %s }"):format(token))
      assert.equal(1, status, token)
      assert.matches("pool.lua:3: http.token: ", said)
      assert.is_nil(said:find "CANARY")
    end
    assert.matches("http.listen: must be given beside token", (check "{ token = 'CANARY-0123456789' }"))
    policies.remove(folder)
  end)

  it("drops a stream that is not read, and goes on with the next", function()
    scene.run([[
      local http = require "moonpool.http"
      local function answer() return 200, "text/plain", "begun", true end
      local server = assert(http.listen({ host = "127.0.0.1", port = port }, answer))
      moonpool.spawn(function()
        while http.streams(server) == 0 do moonpool.sleep(5) end
        local sent = 0
        while http.streams(server) == 1 do
          http.publish(server, ("x"):rep(65536))
          sent = sent + 1
          moonpool.sleep(1)
        end
        assert(sent > 16, sent) -- so much may wait
        io.open(folder .. "/dropped", "w"):close()
        while not stopped() do
          http.publish(server, "the end\n")
          moonpool.sleep(20)
        end
      end)
    ]], { port = PORT }, function(folder)
      local deaf = client.dial("127.0.0.1", PORT)
      unix.send(deaf, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
      for _ = 1, 1200 do
        if io.open(folder .. "/dropped") then break end
        ffi.C.usleep(25000)
      end
      local hearing = client.dial("127.0.0.1", PORT)
      unix.send(hearing, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
      local text = ""
      for _ = 1, 5 do
        if not text:find "the end" then text = text .. client.receive(hearing) end
      end
      unix.close(hearing)
      unix.close(deaf)
      assert.matches("the end", text)
    end)
  end)

  it("is at the path of a socket, too, whatever it is called there", function()
    scene.run("pool { listen = folder .. '/page.sock' }", { port = PORT }, function(folder)
      local status, headers, body = client.get(folder .. "/page.sock", nil, "/api/overview")
      assert.equal(200, status)
      assert.equal("application/json", headers["content-type"])
      assert.equal(4, #cjson.decode(body).pools[1].hosts)
      assert.equal("600\n", (program.sh("stat -c %a " .. folder .. "/page.sock")))
    end)
  end)

  it("is one for pools that name the same place, and they agree on its token", function()
    scene.run([[
      pool { listen = listen, token = "0123456789abcdef" }
      pool { listen = listen, token = "0123456789abcdef" }
      local ok, why = pcall(pool, { listen = listen, token = "CANARY-0123456789" })
      assert(not ok and why:find "http.listen: .*another token" and not why:find "CANARY", why)
    ]], { port = PORT }, function()
      local _, _, body = get("/api/overview", "Host: x\r\nAuthorization: Bearer 0123456789abcdef")
      local pools = cjson.decode(body).pools
      assert.same({ 1, 2 }, { pools[1].number, pools[2].number })
      assert.is_true(#pools[2].events > 0)
    end)
  end)

  it("listens again when all the connections that it may have end at once", function()
    scene.run([[
      pool { listen = listen }
      local function is_there(name)
        local file = io.open(folder .. name)
        if file then file:close() end
        return file ~= nil
      end
      moonpool.spawn(function()
        while not is_there "/hold" do moonpool.sleep(5) end
        io.open(folder .. "/held", "w"):close()
        while is_there "/hold" do end -- the loop does not turn meanwhile
      end)
    ]], { port = PORT }, function(folder)
      local open = {}
      for i = 1, 32 do
        open[i] = client.dial("127.0.0.1", PORT)
        unix.send(open[i], ("GET / HTTP/1.1\r\nHost: %s\r\n\r\n"):format(OWN))
        assert.matches("^HTTP/1.1 200", client.receive(open[i]))
      end
      policies.write(folder .. "/hold", "")
      for _ = 1, 1200 do
        if io.open(folder .. "/held") then break end
        ffi.C.usleep(25000)
      end
      for _, fd in ipairs(open) do unix.close(fd) end
      os.remove(folder .. "/hold")
      assert.equal(200, (get "/"))
    end)
  end)

  it("holds no application that has come to its end", function()
    local said, status = program.run(([[
      local pool = require("moonpool").ConnectionPool { contactPoints = { "127.0.0.1" }, http = { listen = "%s" } }
      assert(pool:connect())
      print(pool:execute("SELECT key FROM system.local"):first().key)
    ]]):format(OWN), "--embedded 1")
    assert.same({ "local\n", 0 }, { said, status })
  end)

  it("is gone with its pool", function()
    scene.run("pool { listen = listen }:close()", { port = PORT }, function()
      assert.is_nil(client.dial("127.0.0.1", PORT))
    end)
  end)
end)
