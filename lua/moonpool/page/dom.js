// SPDX-License-Identifier: Apache-2.0
// Elements and numbers. What others wrote (names of hosts, events, errors) becomes text, never markup.

const SVG = "http://www.w3.org/2000/svg";

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name === "on") for (const [event, fn] of Object.entries(value)) element.addEventListener(event, fn);
    else if (value !== undefined && value !== null && value !== false) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== undefined && child !== null));
  return element;
}

export const make = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
export const draw = (tag, attributes, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);
export const find = (id) => document.getElementById(id);

// Changes nothing that is right already: a reader's place and selection stay.
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

export function count(value) {
  if (value === undefined) return "–";
  return value >= 100000 ? short.format(value) : whole.format(value);
}

export function rate(value) {
  if (value === undefined) return "–";
  return value > 0 && value < 100 ? value.toFixed(1) : count(value);
}

export function ms(value) {
  if (value === undefined) return "–";
  if (value === 0) return "0";
  return value >= 100 ? whole.format(value) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

export function percent(share) {
  const value = (share || 0) * 100;
  return (value === 0 ? "0" : value < 10 ? value.toFixed(1) : whole.format(value)) + " %";
}

export function age(milliseconds) {
  const seconds = Math.max(0, Math.round(milliseconds / 1000));
  if (seconds < 120) return seconds + " s";
  if (seconds < 7200) return Math.round(seconds / 60) + " min";
  return seconds < 172800 ? Math.round(seconds / 3600) + " h" : Math.round(seconds / 86400) + " d";
}

const two = (value) => String(value).padStart(2, "0");

export function clock(at) {
  const time = new Date(at);
  return two(time.getHours()) + ":" + two(time.getMinutes()) + ":" + two(time.getSeconds());
}
