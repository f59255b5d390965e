// The states of a connection, each with a colour and a pattern, as areas, swatches and bars.

import { drawing, set } from "./dom.js";

const PATTERNS = ["changing", "idle", "unknown", "failed_connects"];

/** How to fill what shows that state: for those who cannot tell the colours, a pattern does. */
export const paint = (look) => ({
  class: `paint ${look}`,
  ...(PATTERNS.includes(look) && { fill: `url(#${look})` }),
});

export const swatch = (look) =>
  drawing("svg", { class: "swatch", "aria-hidden": "true" },
    drawing("rect", { width: "100%", height: "100%", ...paint(look) }));

/** A bar of parts that are percentages of a whole. */
export function bar(...looks) {
  const rects = looks.map((look) => drawing("rect", { height: "100%", ...paint(look) }));
  const node = drawing("svg", { class: "bar", "aria-hidden": "true" }, ...rects);
  const update = (whole, ...parts) => {
    let x = 0;
    rects.forEach((rect, place) => {
      const width = whole ? (100 * parts[place]) / whole : 0;
      set(rect, { x: `${x}%`, width: `${width}%` });
      x += width;
    });
  };
  return { node, update };
}
