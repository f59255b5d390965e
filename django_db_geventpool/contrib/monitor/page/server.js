// What the server itself counts, beside what the pools say, where somebody asks the server.

import { element, say } from "./dom.js";
import { serverPast, sum } from "./figures.js";
import { sessionsTable } from "./tables.js";
import { timeline } from "./timeline.js";
import { number, plural } from "./words.js";

const PANELS = [
  { title: "Sessions", height: 132, parts: [
    { key: "active", label: "active", form: "area" },
    { key: "resting", label: "idle", form: "area" },
    { key: "other", label: "other", form: "area" },
    { key: "open", label: "open in the pools", form: "line" },
  ] },
];

export function serverSection() {
  const verdict = element("p", { className: "summary" });
  const charts = timeline("The server", PANELS), sessions = sessionsTable();
  const node = element("section", { className: "pool server", id: "the-server" },
    element("header", {}, element("h2", { textContent: "On the server" })),
    verdict,
    element("div", { className: "blocks" }, element("div", { className: "block charts" }, charts.node),
      element("div", { className: "block sessions" }, sessions.node)));
  node.setAttribute("aria-label", "On the server");
  function update({ server, pools }) {
    say(verdict, server.error ? `The server does not tell of its sessions: ${server.error}` : compared(server, pools));
    charts.update(pastOf(server, pools));
    sessions.update(server.sessions ?? []);
  }
  return { node, update };
}

function compared(server, pools) {
  const counted = sum(Object.values(server.states));
  const open = sum(pools.flatMap(({ members }) => members.map(({ stats }) => openOf(stats))));
  const states = Object.entries(server.states).map(([state, count]) => `${number(count)} ${state}`);
  return `${plural(counted, "session")} on the server (${states.join(", ")}; max_connections ` +
    `${number(server.max_connections)}), ${number(open)} open in the pools: ${difference(counted - open)}.`;
}

const openOf = ({ in_use, idle, closing }) => in_use + idle + closing;

function difference(more) {
  if (!more) return "the same";
  return `${number(Math.abs(more))} ${more > 0 ? "more" : "fewer"} on the server`;
}

function pastOf(server, pools) {
  const { times } = pools[0].past;
  const rows = serverPast(server, pools[0].past);
  const column = (place) => rows.map((row) => row?.[place] ?? null);
  const open = times.map((_, place) => {
    const known = pools.map(({ past }) => past).filter(({ size }) => size[place] !== null);
    const parts = known.flatMap(({ in_use, idle, closing }) => [in_use, idle, closing]);
    return known.length ? sum(parts.map((each) => each[place])) : null;
  });
  return { times, active: column(1), resting: column(2), other: column(3), open };
}
