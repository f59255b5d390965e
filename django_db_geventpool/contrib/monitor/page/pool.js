// All that is shown of one pool, over all processes.

import { element, keep, say } from "./dom.js";
import { growth, since, SPAN, sum } from "./figures.js";
import { histogram } from "./histogram.js";
import { groupsTable, holdersTable, processesTable } from "./tables.js";
import { timeline } from "./timeline.js";
import { number, plural, rate } from "./words.js";

const PANELS = [
  { title: "Waiting", height: 52, parts: [{ key: "waiting", label: "waiting", form: "area" }] },
  { title: "Connections", height: 116, parts: [
    { key: "in_use", label: "in use", form: "area" },
    { key: "changing", label: "opening or closing", form: "area" },
    { key: "idle", label: "idle", form: "area" },
    { key: "unknown", label: "not heard of", form: "area", isRare: true },
    { key: "size", label: "MAX_CONNS", form: "line" },
    { key: "server", label: "on the server", form: "line", isRare: true },
  ] },
  { title: "Checkouts per second", height: 46, format: rate, parts: [
    { key: "waits", label: "after a wait", form: "area" },
    { key: "checkouts", label: "in all", form: "line" },
  ] },
  { title: "Failures per second", height: 32, format: rate, parts: [
    { key: "timeouts", label: "timeouts", form: "bar" },
    { key: "failed_connects", label: "failed connects", form: "bar" },
  ] },
];

// Processes that do not fit beside the charts.
const MANY = 6;

const REASONS = {
  gone: "the server had ended them",
  unfit: "broken, or could not be reset",
  lifetime: "MAX_LIFETIME was over",
  idle: "MAX_IDLE was over",
  surplus: "more than REUSE_CONNS were idle",
  needed: "their slot was needed for other settings",
  closed: "the pool was closed",
};

export function poolSection({ name }, id) {
  const about = element("p", { className: "soft" });
  const figures = element("dl", { className: "figures" });
  const charts = timeline(`Pool ${name}`, PANELS);
  const processes = processesTable(), common = groupsTable(), holders = holdersTable(), past = pastOf(name);
  const node = element("section", { className: "pool", id },
    element("header", {}, element("h2", { textContent: name }), about),
    figures,
    element("div", { className: "blocks" },
      block("charts", "The last five minutes", charts.node),
      block("processes", "Processes", processes.node),
      block("groups", "Who holds most", common.node),
      block("holders", "Every holder, longest first", holders.node)),
    past.node);
  node.setAttribute("aria-label", `Pool ${name}`);

  function update({ pool, status }) {
    say(about, settings(pool));
    keep(figures, keyFigures(pool, status.at), ([label]) => label, figure);
    charts.update(pool.past);
    processes.update(pool);
    common.update(pool);
    holders.update(pool);
    past.update(pool, status.bounds);
    node.classList.toggle("many", pool.members.length > MANY);
  }
  return { node, update };
}

const block = (name, title, ...children) =>
  element("div", { className: `block ${name}` }, element("h3", { textContent: title }), ...children);

function settings({ members, reuse_conns, min_conns, now }) {
  if (!members.length) return "No process has it now.";
  const unique = (name) => [...new Set(members.map((each) => each[name]))].join(", ");
  return [
    `MAX_CONNS ${now.size} in ${plural(members.length, "process", "processes")}`,
    `REUSE_CONNS ${reuse_conns}`, `MIN_CONNS ${min_conns}`, `RELEASE ${unique("release")}`, unique("hub"),
  ].join(" · ");
}

function keyFigures(pool, at) {
  const { now, past } = pool;
  const timeouts = growth(pool, "timeouts", SPAN, at).count;
  const failed = growth(pool, "failed_connects", SPAN, at).count;
  const most = Math.max(0, ...past.waiting);
  return [
    ["in use", number(now.in_use), `of ${number(now.size)}`, now.in_use >= now.size && now.size ? "full" : ""],
    ["waiting", number(now.waiting), most ? `up to ${number(most)} in 5 min` : "", now.waiting ? "bad" : ""],
    ["idle", number(now.idle), now.unknown ? `${number(now.unknown)} not heard of` : "", ""],
    ["checkouts/s", rate(now.checkouts), "", ""],
    ["timeouts", number(timeouts), "in 5 min", timeouts ? "bad" : ""],
    ["failed connects", number(failed), "in 5 min", failed ? "bad" : ""],
  ];
}

function figure([label]) {
  const value = element("b"), small = element("small");
  const node = element("div", {}, element("dt", { textContent: label }), element("dd", {}, value, " ", small));
  const update = ([, text, more, className]) => {
    say(value, text);
    say(small, more);
    node.className = className;
  };
  return { node, update };
}

/** What has happened: the times, and what was counted; in all, or since somebody looks. */
function pastOf(name) {
  const only = element("input", { type: "checkbox" });
  const label = element("label", {}, only, " only since this page was opened");
  const times = ["Wait for a connection", "Use of a connection", "Connect"].map(histogram);
  const counters = element("dl", { className: "counters" });
  const node = element("div", { className: "block past" },
    element("h3", { textContent: "What has happened" }), label,
    element("div", { className: "histograms" }, ...times.map((each) => each.node)), counters);
  let first = null, latest = null, bounds = [];
  only.addEventListener("change", draw);

  function draw() {
    const stats = only.checked ? since(first, latest) : latest;
    const waits = sum(stats.wait_time.counts);
    times[0].update(stats.wait_time, bounds,
      `${number(waits)} of ${plural(stats.checkouts, "checkout")} had to wait; of these:`);
    times[1].update(stats.use_time, bounds, "From lending one to its return, each time:");
    times[2].update(stats.connect_time, bounds, "From the beginning of a connect to a connection:");
    keep(counters, counts(stats), ([label]) => label, figure);
  }

  function update({ stats }, ends) {
    [latest, bounds] = [stats, ends];
    if (!first || stats.checkouts < first.checkouts) first = stats; // a new group has begun
    draw();
  }
  return { node, update };
}

function counts(stats) {
  const discards = Object.entries(stats.discards).sort(([, a], [, b]) => b - a);
  return [
    ["checkouts", number(stats.checkouts), ""],
    ["timeouts", number(stats.timeouts), "callers that got a PoolTimeout"],
    ["failed connects", number(stats.failed_connects), ""],
    ["reclaims", number(stats.reclaims), "taken back from ended greenlets"],
    ...discards.map(([reason, count]) => [`closed: ${reason}`, number(count), REASONS[reason] ?? ""]),
  ].map((each) => [...each, ""]);
}
