// The few lines of DOM that this page needs. What is shown changes in place, so that an opened
// <details>, the focus, a selection and the scroll position stay. Whatever comes from a site is set
// as text, never as markup.

export function element(name, properties = {}, ...children) {
  const node = Object.assign(document.createElement(name), properties);
  node.append(...children);
  return node;
}

export function drawing(name, attributes = {}, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", name);
  set(node, attributes);
  node.append(...children);
  return node;
}

export function set(node, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (node.getAttribute(name) !== String(value)) node.setAttribute(name, value);
  }
}

export function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

export function sign(level) {
  return drawing("svg", { class: "sign", "aria-hidden": "true" }, drawing("use", { href: `#${level}` }));
}

/** A table with a caption, the names of its columns, and a body to keep rows in. */
export function table(caption, columns) {
  const body = element("tbody");
  const heads = columns.map(([name, className = ""]) =>
    element("th", { scope: "col", textContent: name, className }));
  const node = element("table", {}, element("caption", { textContent: caption }),
    element("thead", {}, element("tr", {}, ...heads)), body);
  return { node, body };
}

const kept = new WeakMap();

/**
 * Make the children of a node those of a list: what was there before, by its key, is updated.
 * `make(item)` gives `{ node, update(item) }`.
 */
export function keep(parent, items, keyOf, make) {
  const before = kept.get(parent) ?? new Map();
  const now = new Map();
  for (const item of items) {
    let key = keyOf(item);
    while (now.has(key)) key += "+"; // a second one of the same name
    const part = before.get(key) ?? make(item);
    part.update(item);
    now.set(key, part);
  }
  for (const [key, part] of before) {
    if (!now.has(key)) part.node.remove();
  }
  let next = parent.firstChild;
  for (const { node } of now.values()) {
    if (node === next) next = next.nextSibling;
    else parent.insertBefore(node, next);
  }
  kept.set(parent, now);
}
