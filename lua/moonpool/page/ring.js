// SPDX-License-Identifier: Apache-2.0
// The token ring: the outermost circle shows who owns a part of it, each one inside who keeps another replica of what
// lies there. A host that is chosen, here or in the table, stands out.
import { count, draw, say } from "./dom.js";

const SIZE = 300, MIDDLE = SIZE / 2, OUTER = 140, GAP = 3;
const HUES = [212, 158, 38, 276, 186, 340, 92, 14, 236, 304];

// The colour of the i-th host.
export function colour(i) {
  const hue = i < HUES.length ? HUES[i] : (i * 137.5) % 360;
  return `hsl(${hue} 58% 57%)`;
}

function point(radius, turn) {
  const angle = turn * 2 * Math.PI - Math.PI / 2;
  return (MIDDLE + radius * Math.cos(angle)).toFixed(2) + " " + (MIDDLE + radius * Math.sin(angle)).toFixed(2);
}

// From one part of a turn to another, between two radii.
function arc(from, to, outer, inner) {
  if (to - from > 0.9999) to = from + 0.9999;
  const large = to - from > 0.5 ? 1 : 0;
  return `M${point(outer, from)}A${outer} ${outer} 0 ${large} 1 ${point(outer, to)}L${point(inner, to)}` +
    `A${inner} ${inner} 0 ${large} 0 ${point(inner, from)}Z`;
}

// Neighbours of one host in one piece: [host, from, to] in slices.
function pieces(slices, level) {
  const list = [];
  slices.forEach((slice, i) => {
    const last = list[list.length - 1], host = slice[level];
    if (host === undefined) return;
    if (last && last[0] === host && last[2] === i) last[2] = i + 1;
    else list.push([host, i, i + 1]);
  });
  return list;
}

export class Ring {
  // onChoose(address or undefined)
  constructor(place, onChoose) {
    this.onChoose = onChoose;
    this.parts = draw("g");
    this.title = draw("text", { x: MIDDLE, y: MIDDLE - 4, class: "title", "text-anchor": "middle" });
    this.below = draw("text", { x: MIDDLE, y: MIDDLE + 16, class: "below", "text-anchor": "middle" });
    this.svg = draw("svg", { viewBox: `0 0 ${SIZE} ${SIZE}`, role: "img", on: { pointerleave: () => onChoose() } },
      draw("defs", {}, draw("pattern", { id: "shut", width: 6, height: 6, patternUnits: "userSpaceOnUse",
        patternTransform: "rotate(45)" }, draw("rect", { width: 6, height: 6, class: "shut-ground" }),
      draw("rect", { width: 2.5, height: 6, class: "shut-line" }))),
      this.parts, this.title, this.below);
    place.append(this.svg);
  }

  // data: of /api/ring; colours and states: by address.
  show(data, keyspace, colours, states) {
    this.data = data;
    this.keyspace = keyspace;
    this.states = states;
    const levels = Math.max(1, ...data.slices.map((slice) => slice.length));
    const width = Math.min(34, (OUTER - 62) / levels - GAP), size = data.slices.length, elements = [];
    for (let level = 0; level < levels; level++) {
      const outer = OUTER - level * (width + GAP);
      for (const [host, from, to] of pieces(data.slices, level)) {
        const address = data.hosts[host];
        const gap = Math.min(0.0012, (to - from) / size / 4);
        elements.push(draw("path", { d: arc(from / size + gap, to / size - gap, outer, outer - width), class: "part",
          fill: states.get(address) === "down" ? "url(#shut)" : colours.get(address) || "gray", "data-host": address,
          on: { pointerenter: () => this.onChoose(address) } }));
      }
    }
    this.parts.replaceChildren(...elements);
    this.choose(this.chosen);
  }

  // The share of the ring whose rows a host keeps.
  shareOf(address) {
    const host = this.data.hosts.indexOf(address);
    const kept = this.data.slices.filter((slice) => slice.includes(host)).length;
    return this.data.slices.length ? kept / this.data.slices.length : 0;
  }

  choose(address) {
    this.chosen = address;
    if (!this.data) return;
    this.svg.classList.toggle("chosen", address !== undefined);
    for (const part of this.parts.children) part.classList.toggle("on", part.dataset.host === address);
    const copies = Math.max(0, ...this.data.slices.map((slice) => slice.length));
    const known = this.data.tokens > 0;
    say(this.title, address !== undefined ? address : known ? count(this.data.tokens) + " tokens" : "no tokens");
    say(this.below, address !== undefined ? "keeps " + Math.round(this.shareOf(address) * 100) + " %" :
      !known ? "are known of this cluster" : this.data.hasReplicas ? copies + (copies === 1 ? " replica" : " replicas") :
        "owners");
    this.svg.setAttribute("aria-label", known ? `The token ring, ${this.data.tokens} tokens on ${this.data.hosts.length} ` +
      "hosts: " + this.data.hosts.map((host) => `${host} keeps ${Math.round(this.shareOf(host) * 100)} %` +
      (this.states.get(host) === "down" ? " and is down" : "")).join(", ") : "No tokens are known");
  }
}
