// SPDX-License-Identifier: Apache-2.0
// The status page: what the stream of the process says, shown as it comes. `state` holds all of it; each show function
// makes one part of the page out of that.
import { Chart } from "./charts.js";
import { age, clock, count, find, make, ms, percent, rate, say } from "./dom.js";
import { Ring, colour } from "./ring.js";

const HOME = location.origin; // without name and password, which the address of the page may have
const MOST_EVENTS = 200, MOST_SAMPLES = 150;
const STALE_MS = 6000, RETRY_MS = 3000;

const state = {
  pools: new Map(), // by number: the last overview, with `samples`, `happened` (events) and `seen` (their last number)
  chosen: undefined, // the number of the pool that is shown
  host: undefined, // the address of the host that stands out
  keyspace: "", ring: undefined,
  heard: 0, // when the last word came, by this machine's clock
  looks: 0, // how many there were
};

const throughput = new Chart(find("throughput"), "Throughput", [
  { name: "requests/s", index: 1, style: "main", show: rate, unit: "", fill: true },
]);
const latency = new Chart(find("latency"), "Latency", [
  { name: "p99", index: 3, style: "late", show: ms, unit: " ms", fill: true },
  { name: "p50", index: 2, style: "soon", show: ms, unit: " ms" },
]);
const ring = new Ring(find("ring"), choose);

const pool = () => state.pools.get(state.chosen);

// ---- the head -----------------------------------------------------------------------------------------------

const TILES = [
  ["Requests/s", (now) => rate(now.figures.requestsPerSecond)],
  ["p50", (now) => ms(now.figures.latencyP50) + " ms"],
  ["p99", (now) => ms(now.figures.latencyP99) + " ms"],
  ["Errors", (now) => percent(now.figures.errorRate), (now) => (now.figures.errorRate || 0) >= 0.05],
  ["In flight", (now) => count(now.figures.requestsInFlight)],
  ["Hosts up", (now) => now.figures.hostsUp + " / " + now.hostCount, (now) => now.figures.hostsDown > 0],
  ["Connections", (now) => count(now.figures.totalConnections)],
];
const tiles = TILES.map(([name]) => {
  const value = make("b");
  find("tiles").append(make("div", { class: "tile" }, make("span", {}, name), value));
  return value;
});

function showHead(now) {
  TILES.forEach(([, text, isBad], i) => {
    say(tiles[i], text(now));
    tiles[i].parentNode.classList.toggle("bad", isBad !== undefined && isBad(now));
  });
  const overall = find("overall");
  say(overall, now.overall);
  overall.className = "pill " + now.overall;
}

// ---- hosts --------------------------------------------------------------------------------------------------

const CELLS = [
  ["", (host) => host.address], ["wide", (host) => host.datacenter + " / " + host.rack],
  ["state", (host) => (host.share !== undefined ? "probation" : host.held || host.status)],
  ["number wide", (host) => count(host.connections)], ["number", (host) => count(host.inFlight)],
  ["number", (host) => rate(host.requestsPerSecond)], ["number wide", (host) => ms(host.latencyP50)],
  ["number", (host) => ms(host.latencyP99)],
  ["number", (host) => percent(host.errorRate), (host) => (host.errorRate || 0) >= 0.05],
  ["wide", (host) => host.breaker || "–", (host) => host.breaker !== undefined && host.breaker !== "closed"],
];
const rows = new Map(); // by address

function newRow(address) {
  const dot = make("span", { class: "dot", "aria-hidden": "true" });
  const cells = CELLS.map(([style], i) => make("td", { class: style }, make("span")));
  cells[0].prepend(dot);
  const row = make("tr", { tabindex: 0, on: { pointerenter: () => choose(address), pointerleave: () => choose(),
    focus: () => choose(address), blur: () => choose() } }, ...cells);
  return { row, dot, cells };
}

const byPlace = (a, b) => (a.datacenter + a.address).localeCompare(b.datacenter + b.address, "en", { numeric: true });

function showHosts(now) {
  const hosts = [...now.hosts].sort(byPlace), seen = new Set();
  now.colours = new Map(hosts.map((host, i) => [host.address, colour(i)]));
  hosts.forEach((host) => {
    seen.add(host.address);
    if (!rows.has(host.address)) rows.set(host.address, newRow(host.address));
    const { row, dot, cells } = rows.get(host.address);
    dot.style.background = now.colours.get(host.address);
    CELLS.forEach(([, text, isBad], i) => {
      say(cells[i].lastChild, text(host));
      cells[i].classList.toggle("bad", isBad !== undefined && isBad(host));
    });
    row.dataset.state = cells[2].textContent;
    row.dataset.down = host.status === "down";
  });
  for (const address of [...rows.keys()]) if (!seen.has(address)) rows.delete(address);
  const wanted = hosts.map((host) => rows.get(host.address).row), place = find("host-rows");
  if (wanted.length !== place.children.length || wanted.some((row, i) => place.children[i] !== row))
    place.replaceChildren(...wanted);
  const more = find("more-hosts");
  more.hidden = now.hostCount <= hosts.length;
  say(more, `${now.hostCount - hosts.length} more hosts are not shown`);
}

function choose(address) {
  state.host = address;
  ring.choose(address);
  for (const [of, { row }] of rows) row.classList.toggle("on", of === address);
}

// ---- the ring -----------------------------------------------------------------------------------------------

async function loadRing() {
  const number = state.chosen, keyspace = state.keyspace;
  const answer = await fetch(`${HOME}/api/ring/${number}/${encodeURIComponent(keyspace)}`);
  if (!answer.ok || number !== state.chosen || keyspace !== state.keyspace) return;
  state.ring = await answer.json();
  const names = ["", ...new Set([...state.ring.keyspaces, ...(keyspace ? [keyspace] : [])])];
  const list = find("keyspace");
  if ([...list.options].map((option) => option.value).join() !== names.join())
    list.replaceChildren(...names.map((name) => make("option", { value: name }, name || "owners only")));
  list.value = keyspace;
  if (keyspace === "" && !state.asked && state.ring.keyspaces.length > 0) {
    state.asked = true; // the first time, one that requests use
    state.keyspace = state.ring.keyspaces.find((name) => !name.startsWith("system")) || state.ring.keyspaces[0];
    return loadRing();
  }
  showRing();
}

function showRing() {
  const now = pool();
  if (!now || !state.ring) return;
  ring.show(state.ring, state.keyspace, now.colours, new Map(now.hosts.map((host) => [host.address, host.status])));
}

// The ring is asked for again when what it is made of may be another.
function followRing(now) {
  const print = now.hosts.map((host) => host.address + host.status).join() + (state.ring && !state.ring.hasReplicas);
  if (print === state.ringPrint) return;
  state.ringPrint = print;
  loadRing().catch(() => { state.ringPrint = undefined; });
}

// ---- policies, playbooks ------------------------------------------------------------------------------------

const told = new Map(); // by place: what was shown there last, so that it is made anew only when it is another

function showList(id, items, none, of) {
  const text = JSON.stringify(items);
  if (told.get(id) === text) return;
  told.set(id, text);
  find(id).replaceChildren(...(items.length > 0 ? of(items) : [make("p", { class: "quiet" }, none)]));
}

const file = (path) => path.split("/").pop();

function cost(policy) {
  const call = policy.nsPerCall > 0 ? (policy.nsPerCall / 1000).toFixed(2) + " µs a call" : "not measured yet";
  return call + (policy.bytesPerCall > 0 ? ", " + count(policy.bytesPerCall) + " bytes" : "");
}

// A generation on trial beside the one in force.
function canaryItem(canary) {
  const figures = Object.entries(canary.figures).map(([name, figure]) =>
    `${name} ${figure.candidate.toPrecision(3)} (${figure.inForce.toPrecision(3)} in force)`);
  return make("div", { class: "quiet", title: canary.reason }, make("span", { class: "tag warn" },
    `canary ${canary.state}: generation ${canary.generation}`),
  ` ${(canary.share * 100).toFixed(2)} % of the requests, ${count(canary.requests)} so far; ${figures.join(", ")}`);
}

// Of the shadow: how often it agrees; of each difference how often, and behind it the last request.
function agreementItem(agreement) {
  const differences = agreement.examples.map((example) => make("span", { class: "tag",
    title: `the last: ${example.kind} ${example.keyspace || ""} ${example.consistency}: ${example.serving || "no host"}, ` +
      `the shadow ${example.shadow || "no host"}` },
  `${example.difference} ${percent(agreement.differences[example.difference] / agreement.asked)}`));
  const latency = agreement.latencyMs === undefined ? "" : `; its first hosts had shown ${agreement.latencyMs.toFixed(2)} ms, ` +
    `those in force ${agreement.latencyMsServing.toFixed(2)} ms`;
  return make("div", { class: "quiet" }, `asked about ${count(agreement.asked)} requests: ${percent(agreement.sameFirst)} the same ` +
    `first host, ${percent(agreement.sameHosts)} the same first three${latency} `, ...differences);
}

function policyItem(policy) {
  return make("li", {}, make("div", { class: "line" }, make("b", {}, policy.name), make("span", { class: "tag" }, policy.kind),
    make("span", { class: "tag" }, "generation " + policy.generation),
    policy.costClass === "slow" ? make("span", { class: "tag warn" }, "slow") : null),
  make("div", { class: "quiet", title: policy.file }, `${cost(policy)}, ${count(policy.calls)} calls, ` +
    `${count(policy.errors)} errors, in force for ${age(policy.ageMs)}, ${file(policy.file)}`),
  policy.agreement ? agreementItem(policy.agreement) : null,
  policy.canary ? canaryItem(policy.canary) : null,
  policy.lastError ? make("div", { class: "error" }, policy.lastError) : null);
}

function playbookItem(book) {
  const running = book.running.map((run) => make("div", { class: "tag warn" },
    `run ${run.run}${run.host ? " for " + run.host : ""}: ${run.why}, ${age(run.seconds * 1000)}`));
  return make("li", {}, make("div", { class: "line" }, make("b", {}, book.name), make("span", { class: "tag" }, book.when),
    make("span", { class: "tag" }, "generation " + book.generation),
    book.dry ? make("span", { class: "tag" }, "dry run") : null,
    book.on ? null : make("span", { class: "tag warn" }, "switched off")), ...running);
}

function entryItem(entry) {
  return make("li", {}, make("time", { datetime: entry.time }, clock(entry.time)), make("b", {}, entry.playbook),
    make("span", {}, [entry.host, entry.step, entry.what].filter(Boolean).join(" ") +
      (entry.result ? ": " + entry.result : "") + (entry.why ? " (" + entry.why + ")" : "")));
}

function showLists(now) {
  // Ages and counts change with each look; ten times in a minute is enough for those.
  const policies = now.policies.map((policy) => ({ ...policy, ageMs: Math.floor(policy.ageMs / 6000) * 6000 }));
  showList("policies", policies, "The defaults of the core serve.",
    (items) => [make("ul", { class: "list" }, ...items.map(policyItem))]);
  showList("playbooks", [...now.playbooks, ...now.playbookHistory], "This pool has no playbooks.", () => [
    make("ul", { class: "list" }, ...now.playbooks.map(playbookItem)),
    now.playbookHistory.length > 0 ? make("ol", { class: "log", tabindex: 0, role: "region",
      "aria-label": "What playbooks did" }, ...[...now.playbookHistory].reverse().map(entryItem)) : "",
  ]);
}

// ---- events -------------------------------------------------------------------------------------------------

const GRAVE = new Set(["hostDown", "breakerOpen", "policyError", "configError", "handlersError", "playbookError"]);
const GOOD = new Set(["hostUp", "hostAdded", "breakerClose"]);
const NOTED = new Set(["connectionLost", "failover", "eventsDropped", "hostRemoved", "breakerHalfOpen"]);

function eventItem(event) {
  const style = GRAVE.has(event.event) ? "bad" : GOOD.has(event.event) ? "good" : NOTED.has(event.event) ? "warn" : "";
  const what = event.host !== undefined ? event.host + (event.reason ? ": " + event.reason : "") :
    Object.entries(event.what || {})
      .map(([name, value]) => `${name} ${typeof value === "object" ? JSON.stringify(value) : value}`).join(", ");
  return make("li", { class: style }, make("time", { datetime: new Date(event.at).toISOString() }, clock(event.at)),
    make("b", {}, event.event), make("span", {}, what));
}

function showEvents(now) {
  const list = find("events");
  if (list.dataset.pool !== String(now.number)) {
    list.replaceChildren();
    list.dataset.pool = now.number;
    list.dataset.seen = 0;
  }
  for (const event of now.happened) {
    if (event.number <= Number(list.dataset.seen)) continue;
    list.dataset.seen = event.number;
    list.prepend(eventItem(event));
  }
  while (list.children.length > MOST_EVENTS) list.lastChild.remove();
}

// ---- what comes ---------------------------------------------------------------------------------------------

function show() {
  const now = pool();
  if (!now) return;
  showHead(now);
  showHosts(now);
  throughput.show(now.samples, now.at, now.historyEvery);
  latency.show(now.samples, now.at, now.historyEvery);
  showLists(now);
  showEvents(now);
  showRing();
  followRing(now);
}

function showChoice() {
  const numbers = [...state.pools.keys()];
  if (!state.pools.has(state.chosen)) state.chosen = numbers[0];
  find("choice").hidden = numbers.length < 2;
  const list = find("pool");
  if (list.options.length !== numbers.length)
    list.replaceChildren(...numbers.map((number) => make("option", { value: number }, String(number))));
  list.value = state.chosen;
}

function addSample(now) {
  const last = now.samples[now.samples.length - 1], f = now.figures;
  if (last && now.at - last[0] < now.historyEvery * 0.875) return;
  now.samples.push([now.at, f.requestsPerSecond || 0, f.latencyP50 || 0, f.latencyP99 || 0,
    (f.errorRate || 0) * 100, f.requestsInFlight]);
  if (now.samples.length > MOST_SAMPLES) now.samples.shift();
}

function take(text, isWhole) {
  const answer = JSON.parse(text), before = state.pools;
  state.pools = new Map(answer.pools.map((now) => {
    const old = before.get(now.number);
    now.historyEvery = answer.historyEvery;
    now.samples = isWhole ? now.history : old ? old.samples : [];
    now.happened = isWhole ? now.events : old ? old.happened : [];
    if (isWhole) find("events").dataset.pool = "";
    else addSample(now);
    return [now.number, now];
  }));
  if (isWhole) say(find("version"), answer.version);
  state.looks++;
  hear();
  showChoice();
  show();
}

function takeEvent(text) {
  const { pool: number, event } = JSON.parse(text), of = state.pools.get(number);
  hear();
  if (!of) return;
  of.happened = [...of.happened, event].slice(-MOST_EVENTS);
  if (number === state.chosen) showEvents(of);
}

function hear() {
  state.heard = Date.now();
  showLive("live", "live");
}

function showLive(word, style) {
  const live = find("live");
  say(live, word);
  live.className = "live " + style;
}

function notice(text) {
  find("notice").hidden = text === undefined;
  say(find("notice"), text || "");
}

function listen() {
  const stream = new EventSource(HOME + "/api/stream");
  stream.addEventListener("open", () => notice());
  stream.addEventListener("overview", (event) => take(event.data, true));
  stream.addEventListener("figures", (event) => take(event.data, false));
  stream.addEventListener("happened", (event) => takeEvent(event.data));
  stream.addEventListener("error", () => {
    showLive("reconnecting", "lost");
    notice("The process does not answer, or too many look at it already. Trying again.");
    if (stream.readyState === EventSource.CLOSED) setTimeout(listen, RETRY_MS); // it does not try again by itself
  });
}

setInterval(() => {
  if (state.heard > 0 && Date.now() - state.heard > STALE_MS) showLive("silent", "lost");
}, 1000);
find("pool").addEventListener("change", (event) => {
  state.chosen = Number(event.target.value);
  state.keyspace = "";
  state.ring = state.ringPrint = state.asked = undefined;
  show();
});
find("keyspace").addEventListener("change", (event) => {
  state.keyspace = event.target.value;
  state.ringPrint = undefined;
  show();
});
listen();
