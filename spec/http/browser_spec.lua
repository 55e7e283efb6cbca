-- SPDX-License-Identifier: Apache-2.0
-- The status page in a browser: what it shows of a process, also when a node is killed, when texts are hostile, in both
-- lights and on a phone.
local chromium = require "spec.http.chromium"
local policies = require "spec.support.policies"
local ports = require "spec.support.ports"
local scene = require "spec.http.scene"

local PORT = ports.at(5)
local URL = ("http://127.0.0.1:%d/"):format(PORT)
local WIDE = { width = 1280, height = 1000 }

-- The name of a file and the text in it; both are shown.
local HOSTILE = "<img src=x onerror=hacked=1>.lua"
local POLICY = [[return balance { name = "<b>Mine</b>", plan = function(plan) plan:hosts(allDcs, inTurn) end }]]

-- Of all texts that are seen: those with too little contrast to what is behind them (WCAG 2: 4.5, large ones 3).
local CONTRAST = [[(() => {
  const parse = (text) => text.match(/[\d.]+/g).map(Number);
  const part = (value) => (value /= 255) <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  const behind = (element) => {
    for (; element; element = element.parentElement) {
      const colour = parse(getComputedStyle(element).backgroundColor);
      if (colour.length < 4 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  const poor = [];
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    const style = getComputedStyle(element);
    if (!own || element.closest("noscript, [hidden], option") || style.display === "none") continue;
    const ink = element.closest("svg") ? style.fill : style.color;
    if (!ink.startsWith("rgb")) continue;
    const [a, b] = [light(parse(ink)), light(behind(element))].sort((x, y) => y - x);
    const large = parseFloat(style.fontSize) >= 24;
    if ((a + 0.05) / (b + 0.05) < (large ? 3 : 4.5)) poor.push(element.tagName + " " + element.textContent);
  }
  return poor.join("\n");
})()]]

-- What can be pressed or read by keys and has no name.
local NAMELESS = [[[...document.querySelectorAll("main [tabindex='0'], select, svg[role]")].filter((element) =>
  !element.closest("[hidden]") && !element.textContent.trim() && !element.getAttribute("aria-label")).length]]

local PLAYBOOK = [[return playbook { name = "look", timeout = "10s", coolDown = "1s",
  run = function(run)
    run:log "<i>seen</i>"
    run:execute "SELECT v FROM app.t WHERE k = 4711"
  end }]]

local process, page

local function row(number) return ([[document.querySelector("#host-rows tr:nth-child(%d)")]]):format(number) end

local function start()
  local folder = process and process.folder or policies.folder()
  policies.write(folder .. "/" .. HOSTILE, POLICY)
  policies.write(folder .. "/look.lua", PLAYBOOK)
  process = scene.start([[
    pool { listen = listen, policy = folder .. "/]] .. HOSTILE .. [[", playbooks = { folder .. "/look.lua" } }
  ]], { port = PORT, folder = folder })
end

describe("the status page in a browser", function()
  if chromium.missing() then return it("is looked at", function() pending(chromium.missing()) end) end

  setup(function()
    start()
    page = chromium.open(WIDE)
    page:go(URL)
    page:wait "document.querySelectorAll('#host-rows tr').length === 4"
  end)

  teardown(function()
    local log = process.stop() -- while the page still follows it
    page:close()
    assert.matches("status 0", log)
    policies.remove(process.folder)
  end)

  before_each(function() page.problems = {} end)
  after_each(function() assert.same({}, page.problems) end)

  it("shows hosts, figures, the ring, the policy and what has happened", function()
    page:wait "document.getElementById('live').textContent === 'live'"
    page:wait "document.getElementById('overall').textContent === 'healthy'"
    page:wait "document.querySelectorAll('.part').length >= 8" -- two replicas of each part of the ring
    page:wait "parseFloat(document.querySelector('.tile b').textContent) > 0"
    page:wait "document.querySelector('#throughput .line.main').getAttribute('d').includes('L')"
    assert.matches("2 replicas", page:evaluate "document.getElementById('ring').textContent")
    assert.matches("generation 1", page:evaluate "document.getElementById('policies').textContent")
    assert.matches("schemaChange", page:evaluate "document.getElementById('events').textContent")
  end)

  it("shows a node that is killed with the first figures after the event, and its return", function()
    page:evaluate [[(() => {
      window.told = [];
      const stream = new EventSource("/api/stream");
      window.begun = new Promise((done) => stream.addEventListener("overview", () => done(true)));
      for (const kind of ["happened", "figures"])
        stream.addEventListener(kind, (event) => told.push([kind, JSON.parse(event.data)]));
    })()]]
    assert.is_true(page:evaluate "begun")
    process.ctl "node 3 kill"
    page:wait [[[...document.querySelectorAll("#events li.bad")].some((item) =>
      item.textContent.includes("hostDown127.0.0.3"))]]
    page:wait(row(3) .. ".dataset.down === 'true'")
    page:wait "document.getElementById('overall').textContent === 'degraded'"
    page:wait "document.querySelectorAll('.part[fill*=shut]').length === 2"
    assert.equal("down", page:evaluate [[(() => {
      const at = told.findIndex(([kind, what]) => kind === "happened" && what.event.event === "hostDown");
      const next = told.slice(at).find(([kind]) => kind === "figures");
      return next[1].pools[0].hosts.find((host) => host.address.startsWith("127.0.0.3")).status;
    })()]])
    process.ctl "node 3 start"
    page:wait(row(3) .. ".dataset.state === 'up'")
    page:wait [[[...document.querySelectorAll("#events li.good")].some((item) =>
      item.textContent.includes("hostUp127.0.0.3"))]]
  end)

  it("shows playbooks and what they did, without the statements", function()
    page:wait "document.querySelector('#playbooks b').textContent === 'look'"
    process.ctl "playbookDryRun look"
    page:wait "document.querySelectorAll('#playbooks .log li').length >= 3"
    local text = page:wait [[document.getElementById("playbooks").textContent.includes("execute") &&
      document.getElementById("playbooks").textContent]]
    assert.matches("<i>seen</i>", text, 1, true)
    assert.is_nil(text:find "4711")
    assert.equal(0, page:evaluate "document.querySelectorAll('#playbooks i').length")
  end)

  it("shows hostile texts as texts", function()
    policies.write(process.folder .. "/" .. HOSTILE, "<script>hacked = 1</script>")
    page:wait "document.getElementById('events').textContent.includes('policyError')"
    page:wait "document.querySelector('#policies .error')"
    assert.matches("<b>Mine</b>", page:evaluate "document.getElementById('policies').textContent", 1, true)
    assert.matches("<img src=x onerror=hacked=1>", page:evaluate "document.getElementById('events').textContent", 1,
      true)
    assert.equal(0, page:evaluate "document.querySelectorAll('main img, main script, b b').length")
    assert.equal("undefined", page:evaluate "typeof hacked")
  end)

  it("chooses a host by keys and by pointer", function()
    page:evaluate(row(2) .. ".focus()")
    page:wait "document.querySelector('#ring svg').classList.contains('chosen')"
    assert.matches("127%.0%.0%.2:%d+keeps 50 %%", page:evaluate "document.querySelector('#ring svg').textContent")
    page:evaluate(row(2) .. ".blur()")
    page:wait "!document.querySelector('#ring svg').classList.contains('chosen')"
    page:evaluate [[document.querySelector("#latency svg").dispatchEvent(
      new KeyboardEvent("keydown", { key: "ArrowLeft" }))]]
    assert.is_true(page:evaluate "document.querySelector('#latency .cursor').classList.contains('on')")
    page:evaluate [[document.querySelector("#latency svg").dispatchEvent(new FocusEvent("blur"))]]
  end)

  it("can be read in both lights, on a phone, and by keys", function()
    local grounds = {}
    for _, look in ipairs { WIDE, { width = 1280, height = 1000, dark = true }, { width = 390, height = 844 },
      { width = 360, height = 740, dark = true } } do
      page:look(look)
      page:wait "new Promise((done) => requestAnimationFrame(() => done(true)))"
      assert.equal("", page:evaluate(CONTRAST))
      assert.equal(0, page:evaluate(NAMELESS))
      assert.is_true(page:evaluate "document.documentElement.scrollWidth <= innerWidth")
      grounds[#grounds + 1] = page:evaluate "getComputedStyle(document.body).backgroundColor"
    end
    assert.is_true(grounds[1] ~= grounds[2] and grounds[1] == grounds[3])
    page:look(WIDE)
  end)

  it("is all there for one who knows the token", function()
    local port, token = ports.at(4), "0123456789abcdef"
    scene.run(("pool { listen = listen, token = %q }"):format(token), { port = port }, function()
      page:go(("http://anybody:%s@127.0.0.1:%d/"):format(token, port))
      page:wait "document.getElementById('live').textContent === 'live'"
      page:wait "document.querySelectorAll('#host-rows tr').length === 4"
      page:wait "document.querySelectorAll('.part').length >= 8"
      page:go(URL)
      page:wait "document.querySelectorAll('#host-rows tr').length === 4"
    end)
  end)

  it("says that the process has gone, and goes on when it is back", function()
    assert.matches("status 0", process.stop())
    page:wait "document.getElementById('live').textContent === 'reconnecting'"
    assert.is_false(page:evaluate "document.getElementById('notice').hidden")
    start()
    page:wait "document.getElementById('live').textContent === 'live'"
    page:wait "document.getElementById('notice').hidden"
    page.problems = {} -- that nobody answered is told in the console, too
  end)
end)
