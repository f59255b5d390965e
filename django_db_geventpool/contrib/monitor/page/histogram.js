// How long something took, as a table whose bars make it a histogram.

import { bar } from "./bars.js";
import { element, keep, say, table } from "./dom.js";
import { percentile, sum } from "./figures.js";
import { bound, duration, number } from "./words.js";

const unbroken = (text) => text.replaceAll(" ", "\u00a0");

const PARTS = [0.5, 0.95, 0.99];

/** `update({ counts, total }, bounds, text)`: the text says of whom that is told. */
export function histogram(title) {
  const about = element("p", { className: "soft" });
  const summary = element("p", { className: "summary" });
  const { node: inner, body } = table(title, [["up to"], ["", "wide"], ["times", "number"]]);
  const node = element("div", { className: "histogram" },
    element("h4", { textContent: title }), about, summary, inner);

  function update({ counts, total }, bounds, text) {
    const count = sum(counts), most = Math.max(...counts);
    const reached = PARTS.filter(() => count).map((part) =>
      [percentile(counts, bounds, part), `p${100 * part}`]);
    const words = reached.map(([end, name]) =>
      `${name} ${end === Infinity ? `> ${bound(bounds.at(-1))}` : `≤ ${bound(end)}`}`);
    if (count) words.push(`mean ${duration(total / count)}`);
    say(about, text);
    say(summary, words.map(unbroken).join(" · ") || "None yet.");
    keep(body, [...bounds, Infinity].map((end, place) => ({
      end, most, count: counts[place],
      marks: reached.filter(([each]) => each === end).map(([, name]) => name).join(" "),
    })), ({ end }) => String(end), row);
  }
  return { node, update };
}

function row({ end }) {
  const line = bar("time"), marks = element("span", { className: "marks" });
  const times = element("td", { className: "number" });
  const head = element("th", { scope: "row", textContent: end === Infinity ? "longer" : bound(end) });
  const drawn = element("td", {}, element("div", { className: "line" }, line.node, marks));
  const node = element("tr", {}, head, drawn, times);
  return {
    node,
    update: ({ count, most, marks: names }) => {
      line.update(most, count);
      say(times, number(count));
      say(marks, names);
    },
  };
}
