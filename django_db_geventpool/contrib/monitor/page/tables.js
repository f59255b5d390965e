// Who holds a connection, what each process has, and what the server says of its sessions.

import { bar } from "./bars.js";
import { element, keep, say, sign, table } from "./dom.js";
import { currentRate, groups, holdersOf, isExhausted } from "./figures.js";
import { duration, number, place, processName, rate, who } from "./words.js";

const FIRST = 15;

const cell = (label, className = "") => {
  const node = element("td", { className });
  node.dataset.label = label; // on a phone there is no room for the head
  return node;
};

/** Longest first; only the first ones, until somebody wants to see all. */
export function holdersTable() {
  const { node: inner, body } = table("Holders of connections, longest first",
    [["held for", "number"], ["by"], ["in process"], ["where it is now"]]);
  const hint = element("p", { className: "soft" });
  const more = element("button", { type: "button" });
  const node = element("div", {}, inner, more, hint);
  let latest = null, isAll = false;
  more.addEventListener("click", () => { isAll = !isAll; update(latest); });

  function update(pool) {
    latest = pool;
    const holders = holdersOf(pool);
    inner.hidden = !holders.length;
    keep(body, isAll ? holders : holders.slice(0, FIRST),
      ({ member, name, request }) => JSON.stringify([member.key, name, request]), holderRow);
    more.hidden = holders.length <= FIRST;
    say(more, isAll ? `Show the first ${FIRST}` : `Show all ${number(holders.length)}`);
    const isBlind = holders.length && holders.every(({ stack }) => !stack);
    say(hint, !holders.length ? "Nobody holds a connection."
      : isBlind ? "Set LEAK_THRESHOLD to see where in the code each of them is." : "");
  }
  return { node, update };
}

function holderRow() {
  const seconds = cell("held for", "number"), by = cell("by");
  const process = cell("in process"), where = cell("where it is now");
  const name = element("strong"), greenlet = element("small"), time = element("span");
  const late = element("span", { className: "late" }, sign("warn"),
    element("span", { className: "hidden", textContent: "longer than LEAK_THRESHOLD: " }));
  seconds.append(late, time);
  by.append(name, " ", greenlet);
  const spot = element("summary"), stack = element("pre", { tabIndex: 0 });
  const details = element("details", {}, spot, stack);
  where.append(details);
  const node = element("tr", {}, seconds, by, process, where);
  function update(holder) {
    const { member } = holder;
    const isLong = member.leak_threshold !== null && holder.seconds >= member.leak_threshold;
    node.classList.toggle("long", isLong);
    late.hidden = !isLong;
    say(time, `${member.isSilent ? "at least " : ""}${duration(holder.seconds)}`);
    say(name, who(holder));
    say(greenlet, holder.request ? holder.name : "");
    say(process, processName(member.process));
    details.hidden = !holder.stack;
    say(spot, place(holder.stack) || "stack");
    say(stack, holder.stack);
  }
  return { node, update };
}

/** How many connections each request or greenlet has; the first few. */
export function groupsTable() {
  const { node: inner, body } = table("Connections by holder",
    [["by"], ["connections", "number"], ["longest", "number"]]);
  const nobody = element("p", { className: "soft", textContent: "Nobody." });
  const node = element("div", { }, inner, nobody);
  function update(pool) {
    const found = groups(holdersOf(pool), who);
    inner.hidden = !found.length;
    nobody.hidden = !inner.hidden;
    keep(body, found.slice(0, 5), ({ name }) => name, groupRow);
  }
  return { node, update };
}

function groupRow({ name }) {
  const count = cell("connections", "number"), longest = cell("longest", "number"), spot = element("small");
  const node = element("tr", {}, element("th", { scope: "row" }, name, " ", spot), count, longest);
  const update = (group) => {
    say(count, number(group.count));
    say(longest, duration(group.longest.seconds));
    say(spot, place(group.longest.stack));
  };
  return { node, update };
}

/** Those in trouble first, then in the order in which they were started. */
export function processesTable() {
  const { node: inner, body } = table("Processes",
    [["process"], ["connections"], ["waiting", "number"], ["checkouts/s", "number"], ["timeouts", "number"]]);
  const node = element("div", { }, inner);
  function update({ members }) {
    const rank = ({ isSilent, stats }) => (isSilent ? 0 : isExhausted(stats) ? 1 : 2);
    const hosts = new Set(members.map(({ process }) => process.host));
    const told = members.map((each) => ({ ...each, host: hosts.size > 1 ? each.process.host : "" }));
    keep(body, told.sort((a, b) => rank(a) - rank(b)), ({ key }) => key, processRow);
  }
  return { node, update };
}

function processRow({ process }) {
  const name = element("th", { scope: "row", textContent: processName(process) });
  const detail = element("small");
  name.append(" ", detail);
  const slots = cell("connections", "slots"), waiting = cell("waiting", "number");
  const checkouts = cell("checkouts/s", "number"), timeouts = cell("timeouts", "number");
  const line = bar("in_use", "changing", "idle", "unknown"), text = element("small");
  slots.append(line.node, " ", text);
  const node = element("tr", {}, name, slots, waiting, checkouts, timeouts);
  function update(member) {
    const { stats, process, isSilent, host } = member;
    node.className = isSilent ? "silent" : isExhausted(stats) ? "exhausted" : "";
    const heard = isSilent ? `silent for ${duration(process.age)}`
      : `up ${duration(process.at - process.started)}`;
    say(detail, `${heard}${host && `, ${host}`}`);
    const states = [stats.in_use, stats.opening + stats.closing, stats.idle];
    line.update(stats.size, ...(isSilent ? [0, 0, 0, stats.size] : [...states, 0]));
    say(text, `${isSilent ? "at last " : ""}${stats.in_use} of ${stats.size} in use, ${stats.idle} idle`);
    say(waiting, number(stats.waiting));
    say(checkouts, isSilent ? "–" : rate(currentRate(member, "checkouts")));
    say(timeouts, number(stats.timeouts));
  }
  return { node, update };
}

export function sessionsTable() {
  const { node: inner, body } = table("Sessions on the server",
    [["pid", "number"], ["application"], ["state"], ["waits for"], ["for", "number"]]);
  const node = element("div", {}, inner);
  const update = (sessions) => {
    const sorted = [...sessions].sort((a, b) => b.seconds - a.seconds);
    keep(body, sorted, ({ pid }) => String(pid), sessionRow);
  };
  return { node, update };
}

function sessionRow({ pid }) {
  const application = cell("application"), state = cell("state");
  const wait = cell("waits for"), seconds = cell("for", "number");
  const node = element("tr", {}, element("th", { scope: "row", className: "number", textContent: pid }),
    application, state, wait, seconds);
  const update = (session) => {
    say(application, session.application);
    say(state, session.state);
    say(wait, session.wait || "–");
    say(seconds, duration(session.seconds));
  };
  return { node, update };
}
