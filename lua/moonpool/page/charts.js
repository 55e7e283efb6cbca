// SPDX-License-Identifier: Apache-2.0
// Lines over the last minutes. A pointer, or the arrow keys, choose a moment, whose values stand in the legend.
import { clock, draw, make, say } from "./dom.js";

const WIDTH = 600, HEIGHT = 190, LEFT = 44, RIGHT = 8, TOP = 10, BOTTOM = 22;
const SPAN_MS = 300000;
const MINUTE_MS = 60000;

// A round number that is not below: 1, 1.5, 2, 3, ...
function ceiling(value) {
  const base = 10 ** Math.floor(Math.log10(Math.max(value, 1e-3)));
  return [1, 1.5, 2, 3, 4, 5, 6, 8, 10].map((factor) => factor * base).find((bound) => bound >= value * 0.999);
}

const across = (at, now) => LEFT + (1 - (now - at) / SPAN_MS) * (WIDTH - LEFT - RIGHT);
const down = (value, top) => TOP + (1 - value / top) * (HEIGHT - TOP - BOTTOM);

// Where samples are missing, the line is, too.
function pathOf(samples, series, now, top, gap) {
  let path = "", last = -Infinity;
  for (const sample of samples) {
    const x = across(sample[0], now), y = down(sample[series.index], top);
    const breaks = sample[0] - last > gap;
    path += (breaks ? "M" : "L") + x.toFixed(1) + " " + y.toFixed(1);
    last = sample[0];
  }
  return path;
}

// Below a line without a gap.
function areaOf(samples, line, now) {
  if (samples.length < 2 || line.lastIndexOf("M") !== 0) return "";
  const floor = HEIGHT - BOTTOM;
  return line + "L" + across(samples[samples.length - 1][0], now).toFixed(1) + " " + floor + "L" +
    across(samples[0][0], now).toFixed(1) + " " + floor + "Z";
}

// series: [{ name, index (in a sample), style, show (a value as text), fill }]
export class Chart {
  constructor(place, name, series) {
    this.name = name;
    this.series = series;
    this.samples = [];
    this.values = series.map(() => make("b"));
    this.moment = make("span", { class: "quiet" });
    this.grid = draw("g", { class: "grid" });
    this.cursor = draw("line", { class: "cursor", y1: TOP, y2: HEIGHT - BOTTOM });
    this.areas = series.map((each) => draw("path", { class: "area " + each.style }));
    this.lines = series.map((each) => draw("path", { class: "line " + each.style }));
    this.svg = draw("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", tabindex: 0,
      on: { pointermove: (event) => this.point(event), pointerleave: () => this.choose(undefined),
        keydown: (event) => this.press(event), blur: () => this.choose(undefined) } },
    this.grid, ...this.areas, ...this.lines, this.cursor);
    place.append(make("div", { class: "legend" }, ...series.map((each, i) =>
      make("span", { class: "key " + each.style }, each.name + " ", this.values[i])), this.moment), this.svg);
  }

  show(samples, now, every) {
    this.samples = samples.filter((sample) => now - sample[0] <= SPAN_MS);
    this.now = now;
    const most = Math.max(0, ...this.samples.map((sample) => Math.max(...this.series.map((each) => sample[each.index]))));
    this.top = ceiling(most > 0 ? most * 1.08 : 1);
    this.series.forEach((each, i) => {
      const line = pathOf(this.samples, each, now, this.top, every * 4);
      this.lines[i].setAttribute("d", line);
      if (each.fill) this.areas[i].setAttribute("d", areaOf(this.samples, line, now));
    });
    this.drawGrid();
    this.tell();
  }

  drawGrid() {
    const parts = [];
    for (const share of [0, 0.5, 1]) {
      const y = down(share * this.top, this.top);
      parts.push(draw("line", { x1: LEFT, x2: WIDTH - RIGHT, y1: y, y2: y }),
        draw("text", { x: LEFT - 8, y: y + 4, "text-anchor": "end" }, this.series[0].show(share * this.top)));
    }
    for (let minute = 0; minute <= SPAN_MS / MINUTE_MS; minute++) {
      parts.push(draw("text", { x: across(this.now - minute * MINUTE_MS, this.now), y: HEIGHT - 5,
        "text-anchor": minute === 0 ? "end" : "middle" }, minute === 0 ? "now" : "−" + minute + " min"));
    }
    this.grid.replaceChildren(...parts);
  }

  // The chosen sample, or the newest, in words.
  tell() {
    const chosen = this.samples.find((sample) => sample[0] === this.chosen);
    const sample = chosen || this.samples[this.samples.length - 1];
    this.cursor.classList.toggle("on", chosen !== undefined);
    if (chosen) for (const name of ["x1", "x2"]) this.cursor.setAttribute(name, across(chosen[0], this.now));
    say(this.moment, chosen ? clock(chosen[0]) : "");
    this.series.forEach((each, i) => say(this.values[i], sample ? each.show(sample[each.index]) + each.unit : "–"));
    this.svg.setAttribute("aria-label", this.name + " over the last five minutes: " + (sample ? this.series.map((each) =>
      each.name + " " + each.show(sample[each.index]) + each.unit).join(", ") : "nothing yet"));
  }

  choose(at) {
    this.chosen = at;
    this.tell();
  }

  point(event) {
    const box = this.svg.getBoundingClientRect();
    const x = (event.clientX - box.left) / box.width * WIDTH;
    let nearest;
    for (const sample of this.samples) {
      const distance = Math.abs(across(sample[0], this.now) - x);
      if (nearest === undefined || distance < nearest[0]) nearest = [distance, sample[0]];
    }
    this.choose(nearest && nearest[1]);
  }

  press(event) {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step || this.samples.length === 0) return;
    event.preventDefault();
    const at = this.samples.findIndex((sample) => sample[0] === this.chosen);
    const next = at < 0 ? this.samples.length - 1 : Math.min(this.samples.length - 1, Math.max(0, at + step));
    this.choose(this.samples[next][0]);
  }
}
