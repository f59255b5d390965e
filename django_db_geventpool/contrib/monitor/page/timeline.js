// Charts over the last minutes, one below the other on one axis of time. A pointer, or the slider
// below them, which keys can move, reads what was then; the same figures are in a table.

import { paint, swatch } from "./bars.js";
import { drawing, element, keep, say, set, table } from "./dom.js";
import { SPAN } from "./figures.js";
import { clock, minute, number } from "./words.js";

const GUTTER = 36, AXIS = 22, ROW = 30;

/**
 * `panels`: `{ title, height, top(most), format, parts: [{ key, label, form }] }`. The forms are
 * "area" and "bar", which are stacked, and "line". `update(past)` draws: `past` has the times, and
 * a value or null for each of them by key.
 */
export function timeline(name, panels) {
  const charts = panels.map((panel) => chart(panel));
  const axis = drawing("svg", { class: "axis", height: AXIS, "aria-hidden": "true" });
  const slider = element("input", { type: "range", min: 1 - SPAN, max: 0, value: 0, className: "slider" });
  slider.setAttribute("aria-label", `${name}: a moment of the last ${SPAN / 60} minutes`);
  const moment = element("p", { className: "moment" });
  const body = minutes(name, panels);
  const node = element("div", { className: "timeline" },
    ...charts.map(({ node }) => node), axis, slider, moment, body.node);
  let past = null, width = 0;

  function draw() {
    if (!past || !width) return;
    const x = (place) => GUTTER + (place * (width - GUTTER)) / SPAN;
    for (const each of charts) each.draw(past, width, x);
    set(axis, { width });
    const ticks = past.times.map((time, place) => ({ time, place }))
      .filter(({ time, place }) => time % 60 === 0 && x(place) < width - 30 && x(place) > GUTTER + 8);
    const marks = ticks.map(({ time, place }) => [minute(time), x(place), "middle"]);
    keep(axis, [...marks, ["now", width, "end"]], ([label]) => label, tick);
    read();
    body.update(past);
  }

  function read() {
    const place = SPAN - 1 + Number(slider.value);
    const texts = charts.map((each) => each.read(past, place, place < SPAN - 1));
    const ago = -Number(slider.value);
    say(moment, ago ? `${clock(past.times[place])}, ${number(ago)} s ago` : "");
    slider.setAttribute("aria-valuetext", `${ago ? clock(past.times[place]) : "now"}: ${texts.join("; ")}`);
  }

  function point(event) {
    const { left } = node.getBoundingClientRect();
    const part = (event.clientX - left - GUTTER) / (width - GUTTER);
    slider.value = Math.floor(Math.min(1, Math.max(0, part)) * SPAN) - SPAN + 1;
    if (past) read();
  }

  for (const { svg } of charts) {
    svg.addEventListener("pointermove", point);
    svg.addEventListener("pointerdown", point);
    svg.addEventListener("pointerleave", () => { slider.value = 0; if (past) read(); });
  }
  slider.addEventListener("input", () => past && read());
  new ResizeObserver(([entry]) => { width = Math.floor(entry.contentRect.width); draw(); }).observe(node);
  return { node, update: (now) => { past = now; draw(); } };
}

function tick([label, , anchor]) {
  const node = drawing("text", { y: 15, "text-anchor": anchor });
  say(node, label);
  return { node, update: ([, x]) => set(node, { x }) };
}

function chart({ title, height, parts, top = (most) => Math.max(4, most), format = number }) {
  const shapes = parts.map(({ key, form }) => drawing("path",
    form === "line" ? { class: `line ${key}` } : paint(key)));
  const values = parts.map(() => element("b"));
  const items = parts.map(({ key, label, form }, place) =>
    element("li", {}, form === "line" ? lineSwatch(key) : swatch(key), values[place], ` ${label}`));
  const legend = element("ul", { className: "legend" }, ...items);
  const grid = drawing("path", { class: "grid" }), cursor = drawing("path", { class: "cursor" });
  const high = drawing("text", { x: GUTTER - 6, y: 10, "text-anchor": "end" });
  const low = drawing("text", { x: GUTTER - 6, y: height - 1, "text-anchor": "end" });
  say(low, "0");
  const svg = drawing("svg", { class: "chart", height, role: "img" }, grid, ...shapes, high, low, cursor);
  const node = element("div", { className: "panel" },
    element("div", { className: "head" }, element("h4", { textContent: title }), legend), svg);
  let x = null;

  function draw(past, width, toX) {
    x = toX;
    const stacks = stacked(parts, past);
    const told = parts.map(({ key, isRare }) => !isRare || past[key].some(Boolean));
    items.forEach((item, place) => (item.hidden = !told[place]));
    const limit = top(Math.max(0, ...stacks.flatMap(({ ends }) => ends)));
    const y = (value) => (height - 1 - (value / limit) * (height - 3)).toFixed(1);
    set(svg, { width, "aria-label": `${title}, ${SPAN / 60} minutes: ${parts.filter((_, place) => told[place])
      .map(({ key, label }) => `${most(past[key], format)} ${label}`).join(", ")} at most` });
    say(high, format(limit));
    const minutes = past.times.map((time, place) => (time % 60 ? "" : `M${x(place)} 0V${height}`));
    set(grid, { d: `${minutes.join("")}M${GUTTER} ${height - 0.5}H${width}` });
    stacks.forEach(({ starts, ends }, place) => {
      const draw = parts[place].form === "line" ? outline : filled;
      set(shapes[place], { d: draw(x, y, starts, ends) });
    });
  }

  function read(past, place, isPast) {
    const texts = parts.map(({ key }) => (past[key][place] === null ? "–" : format(past[key][place])));
    texts.forEach((text, place) => say(values[place], text));
    set(cursor, { d: isPast ? `M${((x(place) + x(place + 1)) / 2).toFixed(1)} 0V${height}` : "" });
    return parts.map(({ label }, place) => `${texts[place]} ${label}`)
      .filter((_, place) => !items[place].hidden).join(", ");
  }

  return { node, svg, draw, read };
}

function most(values, format) {
  const known = values.filter((value) => value !== null);
  return known.length ? format(Math.max(...known)) : "–";
}

/** Of each part where it starts and ends, second by second: areas and bars lie on the one before. */
function stacked(parts, past) {
  const heights = past.times.map(() => 0);
  return parts.map(({ key, form }) => {
    const starts = form === "line" ? heights.map(() => 0) : [...heights];
    const ends = past[key].map((value, place) => (value === null ? null : starts[place] + value));
    if (form !== "line") ends.forEach((end, place) => { if (end !== null) heights[place] = end; });
    return { starts, ends };
  });
}

/** The places from a value to the next gap: one path each. */
function runs(ends) {
  const found = [];
  ends.forEach((end, place) => {
    if (end === null) return;
    if (place && ends[place - 1] !== null) found.at(-1).push(place);
    else found.push([place]);
  });
  return found;
}

/** Steps, a second wide each. */
const steps = (x, y, places, values) => places.map((place) =>
  [[x(place), y(values[place])], [x(place + 1), y(values[place])]]).flat();

const joined = (points) => points.map(([x, y]) => `${x.toFixed(1)} ${y}`).join("L");

const filled = (x, y, starts, ends) => runs(ends).map((places) =>
  `M${joined([...steps(x, y, places, ends), ...steps(x, y, places, starts).reverse()])}z`).join("");

const outline = (x, y, _, ends) => runs(ends).map((places) =>
  `M${joined(steps(x, y, places, ends))}`).join("");

const lineSwatch = (key) => drawing("svg", { class: "swatch", "aria-hidden": "true" },
  drawing("path", { class: `line ${key}`, d: "M0 6H12" }));

/** The same in words: for each half minute the most that there was. Filled while it is open. */
function minutes(name, panels) {
  const parts = panels.flatMap(({ format = number, parts }) => parts.map((each) => ({ format, ...each })));
  const { node: inner, body } = table(`${name}: the most within each ${ROW} seconds`,
    [["from"], ...parts.map(({ label }) => [label, "number"])]);
  const node = element("details", { className: "minutes" }, element("summary", { textContent: "As a table" }),
    element("div", { className: "wide", tabIndex: 0 }, inner));
  let past = null;
  const fill = () => {
    if (!node.open || !past) return;
    const starts = past.times.map((time, place) => ({ time, place })).filter(({ time }) => time % ROW === 0);
    keep(body, starts.reverse(), ({ time }) => String(time), ({ time }) => {
      const cells = parts.map(() => element("td", { className: "number" }));
      const row = element("tr", {}, element("th", { scope: "row", textContent: clock(time) }), ...cells);
      return { node: row, update: ({ place }) => parts.forEach(({ key, format }, column) =>
        say(cells[column], most(past[key].slice(place, place + ROW), format))) };
    });
  };
  node.addEventListener("toggle", fill);
  return { node, update: (now) => { past = now; fill(); } };
}
